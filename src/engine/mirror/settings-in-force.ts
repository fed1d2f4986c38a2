/**
 * Which settings a node acts on while a change is on its way. Members hear at different moments that it is everywhere,
 * and a restarted one knows only what its record has, so there are two: those told as everywhere, and those recorded,
 * which may be newer. Where members must not disagree, the one that allows less holds.
 *
 *   first of the order   who goes on alone has to be the first by both: of two nodes with different views, one at most is
 *   write policy         back only by both; who starts after an outage goes by its record: a change to through is recorded
 *                        nowhere before all caches are flushed
 *   what is flushed      whatever initiators want durable, if either says back: another copy may hold it in its cache
 *   the rest             as told
 *
 * Which nodes have a copy may have changed since they were written: who is new comes last in the order.
 */

import { inOrder } from '../../cluster/configuration.ts';
import type { WritePolicy } from '../../replication/ports.ts';
import { decodeSettings, type Settings } from './settings.ts';

/** What was told, for the replicas there are. */
interface Fitted {
  readonly told: Settings;
  readonly replicas: readonly number[];
  readonly settings: Settings;
}

export class SettingsInForce {
  readonly #usual: Settings;
  readonly #recorded: () => Uint8Array | undefined;
  readonly #replicas: () => readonly number[];
  #told: Settings;
  #now: Fitted;

  /** `usual`: without a document. `recorded`: the document as this copy has recorded it. */
  constructor(usual: Settings, recorded: () => Uint8Array | undefined, replicas: () => readonly number[]) {
    this.#usual = usual;
    this.#recorded = recorded;
    this.#replicas = replicas;
    this.#told = this.#recordedNow;
    this.#now = this.#fitted();
  }

  /** As everywhere, as far as this node has heard. */
  get now(): Settings {
    if (this.#now.told !== this.#told || this.#now.replicas !== this.#replicas()) this.#now = this.#fitted();
    return this.#now.settings;
  }

  /** Nodes by their priority, whether they have a copy now or not. */
  get order(): readonly number[] {
    return this.#told.order;
  }

  /** Every node that may be the first. */
  get firsts(): readonly number[] {
    const recorded = fitSettings(this.#recordedNow, this.#replicas());
    return [...new Set([this.now.order[0]!, recorded.order[0]!])];
  }

  get policy(): WritePolicy {
    return this.#told.policy === 'back' ? this.#recordedNow.policy : 'through';
  }

  /** Caches of copies that were lost together may have held what was answered. */
  get writesBack(): boolean {
    return this.#recordedNow.policy === 'back';
  }

  /** Some member may act on `back`: each has recorded it before any does. */
  get mayHoldBack(): boolean {
    return this.#told.policy === 'back' || this.writesBack;
  }

  told(bytes: Uint8Array | undefined): void {
    this.#told = this.read(bytes);
  }

  read(bytes: Uint8Array | undefined): Settings {
    return decodeSettings(bytes) ?? this.#usual;
  }

  get #recordedNow(): Settings {
    return this.read(this.#recorded());
  }

  #fitted(): Fitted {
    const [told, replicas] = [this.#told, this.#replicas()];
    return { told, replicas, settings: fitSettings(told, replicas) };
  }
}

/** For the replicas there are. */
export function fitSettings(settings: Settings, replicas: readonly number[]): Settings {
  const { order, asides } = settings;
  return {
    ...settings,
    order: inOrder(replicas, order),
    asides: asides.filter((node) => replicas.includes(node)),
  };
}
