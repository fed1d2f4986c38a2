/** A host with its paths to one unit and a load on it, measured part by part: what a drill runs beside its faults. */

import { createPrng } from '../base/prng.ts';
import type { Capacity } from '../initiator/commands.ts';
import { DEFAULT_PATH_TIMES, Multipath } from '../initiator/multipath.ts';
import type { PathAddress, PathPorts } from '../initiator/path.ts';
import { decodeBlocks } from '../judge/block-codec.ts';
import { Disk } from './disk.ts';
import { History } from './history.ts';
import { type Load, startLoad } from './load.ts';
import { type Measured, Meter } from './meter.ts';
import { pause, type Profile } from './worker.ts';

export interface DrillSessionOptions {
  readonly paths: readonly PathAddress[];
  readonly initiatorName: string;
  readonly seed: number;
  readonly profile: Profile;
  /** The load keeps to so many bytes from the start of the unit; undefined: all of it. */
  readonly areaBytes?: number;
  /** Commands without a path wait so long before they fail. */
  readonly queueMsMax: number;
  readonly ports: PathPorts;
  onPathState?(portal: string, state: string, why: string): void;
}

/** A copy as it lies on a disk. */
export interface CopyContent {
  readonly node: number;
  readonly bytes: Uint8Array;
}

const ISID_BITS = 0xff_ffff;
const LOOK_MS = 50;

export class DrillSession {
  readonly #options: DrillSessionOptions;
  readonly #history = new History();
  readonly #meter: Meter;
  readonly #host: Multipath;
  #capacity: Capacity | undefined;
  #load: Load | undefined;

  constructor(options: DrillSessionOptions) {
    const { clock } = options.ports;
    this.#options = options;
    this.#meter = new Meter(() => clock.now());
    this.#host = new Multipath({
      paths: options.paths,
      initiatorName: options.initiatorName,
      isidRandom: options.seed & ISID_BITS,
      times: DEFAULT_PATH_TIMES,
      queueMsMax: options.queueMsMax,
      ports: options.ports,
      onPathState: (address, state, why) => options.onPathState?.(address.portal, state, why),
    });
  }

  /** Answers when every path is usable, and is true; or false after `withinMs`. */
  async untilAllPaths(withinMs: number): Promise<boolean> {
    const { clock } = this.#options.ports;
    const until = clock.now() + withinMs;
    while (this.#host.usablePaths < this.#options.paths.length) {
      if (clock.now() > until) return false;
      // oxlint-disable-next-line no-await-in-loop -- the next look is later
      await pause(clock, LOOK_MS);
    }
    return true;
  }

  /** Answers when the load runs. */
  async start(): Promise<void> {
    const { clock } = this.#options.ports;
    const { blocks, blockLength } = await this.#host.capacity;
    const { areaBytes = blocks * blockLength } = this.#options;
    this.#capacity = { blocks: Math.min(blocks, Math.floor(areaBytes / blockLength)), blockLength };
    const disk = new Disk({
      host: this.#host,
      capacity: this.#capacity,
      history: this.#history,
      meter: this.#meter,
      now: () => clock.now(),
    });
    const random = createPrng(this.#options.seed);
    this.#load = startLoad({ disk, clock, random, profile: this.#options.profile });
  }

  /** A new part of the run begins. */
  beginPart(): void {
    this.#meter.start();
  }

  /** The part as it is so far. */
  get part(): Measured {
    return this.#meter.measured;
  }

  /** What was seen so far: a violation as a sentence, or undefined. */
  judge(): string | undefined {
    return this.#history.judge();
  }

  /** No command is under way afterwards. */
  async stop(): Promise<void> {
    await this.#load?.stop();
    this.#host.close();
  }

  /** After the stop, and after all nodes have stopped in order. */
  judgeCopies(copies: readonly CopyContent[]): string | undefined {
    const { blockLength } = this.#capacity!;
    const replicas = copies.map(({ node, bytes }) => ({ node, values: decodeBlocks(bytes, blockLength) }));
    return this.#history.judgeCopies(replicas, this.#options.ports.clock.now());
  }
}
