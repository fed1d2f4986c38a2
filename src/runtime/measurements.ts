/**
 * Connections of partners that measure a link: proven like all others, and few at a time. Whoever comes when there are too
 * many takes the place of the oldest, whose measurement fails.
 */

import type { Socket } from 'node:net';
import { PREAMBLE_LENGTH } from '../base/partner-preamble.ts';
import type { Result } from '../base/result.ts';
import type { Trace } from '../ports/trace.ts';
import { answerMeasurements } from './link-measure.ts';
import type { Proof } from './partner-tls.ts';
import { prepare } from './tcp-options.ts';

export interface MeasurementsOptions {
  /** The fault is a clause for people. */
  readonly proof: () => Result<Proof, string>;
  /** Who may ask, as their certificates have it. */
  readonly names: readonly string[];
  readonly trace: Trace;
}

/** Exported for tests. */
export const MEASUREMENTS_MAX = 16;

export class Measurements {
  readonly #options: MeasurementsOptions;
  readonly #open = new Set<Socket>();

  constructor(options: MeasurementsOptions) {
    this.#options = options;
  }

  /** `head`: all that was read, from the preamble on. */
  accept(raw: Socket, head: Uint8Array): void {
    const { names, trace } = this.#options;
    raw.on('error', () => undefined); // 'close' follows
    const proof = this.#options.proof();
    if (!proof.ok) {
      trace('warn', 'partner.notMeasured', { from: raw.remoteAddress, cause: proof.fault });
      raw.destroy();
      return;
    }
    const [oldest] = this.#open;
    if (this.#open.size >= MEASUREMENTS_MAX) oldest!.destroy();
    this.#open.add(raw);
    raw.once('close', () => this.#open.delete(raw));
    const rest = head.subarray(PREAMBLE_LENGTH);
    if (rest.length > 0) raw.unshift(rest);
    prepare(raw);
    void proof.value.accept(raw, names).then((proven) => {
      if (proven.ok) answerMeasurements(proven.value.socket);
      else trace('warn', 'partner.notProven', { from: raw.remoteAddress, ...proven.fault });
    });
  }
}
