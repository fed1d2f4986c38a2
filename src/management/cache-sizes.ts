/**
 * How much memory the cache of each device has: as the configuration says, or as it was set since while the node ran
 * (`lockstep device set DEVICE cache=SIZE`). A cache is one node's own, in its memory and below what nodes agree on: so what was
 * set is kept beside the node (docs/FORMATS.md, "Cache sizes"), and is no setting of the mirror.
 *
 * Invariants
 *  1. Of what the configuration says and what was set, that counts which came later: a size that was set goes when the
 *     configuration says something else than it did then.
 *  2. All caches together fit into the memory of the machine, now and at each start.
 *  3. A size is kept when the cache has it, and the command is answered when it is kept.
 */

import { fail, ok, type Result } from '../base/result.ts';
import { formatSize } from '../base/units.ts';
import type { DeviceAnswer } from '../engine/device-commands.ts';
import type { DeviceSpec } from '../engine/spec.ts';
import type { RecordFile } from '../ports/record-file.ts';
import type { Trace } from '../ports/trace.ts';
import { faultOfCaches } from './cache-budget.ts';
import { cacheAdvice } from './advice.ts';

/** Bytes; 0: no cache. */
export interface CacheChanged {
  readonly before: number;
  readonly after: number;
  /** Sentences about a size that is allowed. */
  readonly advice: readonly string[];
}

export interface CacheSizesOptions {
  /** As configured. */
  readonly devices: readonly DeviceSpec[];
  /** Bytes that all programs on this machine may use. */
  readonly memory: number;
  /** Undefined: nothing can be kept. */
  readonly record: RecordFile | undefined;
  readonly trace: Trace;
}

interface Kept {
  /** Bytes that the configuration said when it was set, and those that were set. */
  readonly configured: number;
  readonly set: number;
}

export class CacheSizes {
  readonly #options: CacheSizesOptions;
  /** By the names of devices. */
  #kept: ReadonlyMap<string, Kept> = new Map();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: CacheSizesOptions) {
    this.#options = options;
  }

  /** Once, before the others. What cannot be read or does not fit any more is told in the log, and the configuration counts. */
  async load(): Promise<void> {
    const { record, trace, devices, memory } = this.#options;
    const loaded = (await record?.load()) ?? ok(undefined);
    if (!loaded.ok) return trace('warn', 'cacheSizes.unreadable', { ...loaded.fault });
    if (loaded.value === undefined) return;
    const kept = decodeSizes(loaded.value);
    if (kept === undefined)
      return trace('warn', 'cacheSizes.unreadable', { cause: 'a later version wrote them' });
    this.#kept = kept;
    const unfit = faultOfCaches(this.appliedTo(devices), memory);
    if (unfit === undefined) return;
    this.#kept = new Map();
    trace('warn', 'cacheSizes.tooLarge', { cause: unfit });
  }

  /** The devices with the caches that they are to have now. */
  appliedTo(devices: readonly DeviceSpec[]): DeviceSpec[] {
    return devices.map((device) =>
      device.kind === 'ram' ? device : { ...device, cacheMemory: this.#sizeOf(device.name) },
    );
  }

  /**
   * One after the other. `resize`: makes the engine do it. The fault is a sentence; nothing has changed, unless it says otherwise.
   */
  change(
    name: string,
    bytes: number,
    resize: () => Promise<DeviceAnswer>,
  ): Promise<Result<CacheChanged, string>> {
    const turn = this.#turn.then(() => this.#change(name, bytes, resize));
    this.#turn = turn;
    return turn;
  }

  async #change(
    name: string,
    bytes: number,
    resize: () => Promise<DeviceAnswer>,
  ): Promise<Result<CacheChanged, string>> {
    const device = this.#configured(name);
    if (device !== undefined && bytes > 0) {
      const unfit = this.#faultWith(name, bytes);
      if (unfit !== undefined) return fail(`The cache of device ${name} was not changed: ${unfit}.`);
    }
    const before = this.#sizeOf(name);
    const resized = await resize();
    if (!resized.ok) return resized;
    const configured = device?.cacheMemory ?? 0;
    this.#kept = new Map([...this.#kept, [name, { configured, set: bytes }]]);
    const saved = await this.#options.record?.save(encodeSizes(this.#kept));
    if (saved?.ok !== true)
      return fail(
        `Device ${name} has ${sizeText(bytes)} now, but that could not be kept (${saved?.fault.cause ?? 'the node has no state directory'}): after a restart of the node it has ${sizeText(configured)} again, as configured.`,
      );
    return ok({ before, after: bytes, advice: cacheAdvice(name, bytes) });
  }

  #faultWith(name: string, bytes: number): string | undefined {
    const { devices, memory } = this.#options;
    const wanted = this.appliedTo(devices).map((device) =>
      device.name === name && device.kind !== 'ram' ? { ...device, cacheMemory: bytes } : device,
    );
    return faultOfCaches(wanted, memory);
  }

  #configured(name: string) {
    const found = this.#options.devices.find((device) => device.name === name);
    return found === undefined || found.kind === 'ram' ? undefined : found;
  }

  #sizeOf(name: string): number {
    const configured = this.#configured(name)?.cacheMemory ?? 0;
    const kept = this.#kept.get(name);
    return kept?.configured === configured ? kept.set : configured;
  }
}

function sizeText(bytes: number): string {
  return bytes === 0 ? 'no cache' : `a cache of ${formatSize(bytes)}`;
}

const VERSION = 1;

function encodeSizes(sizes: ReadonlyMap<string, Kept>): Uint8Array {
  return Buffer.from(JSON.stringify({ version: VERSION, caches: Object.fromEntries(sizes) }));
}

/** Undefined: not such a record. */
function decodeSizes(bytes: Uint8Array): ReadonlyMap<string, Kept> | undefined {
  try {
    const { version, caches } = JSON.parse(Buffer.from(bytes).toString()) as {
      readonly version: number;
      readonly caches: Readonly<Record<string, Kept>>;
    };
    const isWhole = Object.values(caches).every(
      ({ configured, set }) => Number.isSafeInteger(configured) && Number.isSafeInteger(set) && set >= 0,
    );
    return version === VERSION && isWhole ? new Map(Object.entries(caches)) : undefined;
  } catch {
    return undefined;
  }
}
