/**
 * A mirrored device as the device server sees it: a BlockDevice whose changes are on every member before they are
 * answered, and whose reads are current on all nodes. It lives as long as the device is served; the node behind it comes
 * and goes (`attach`, `detach`). Without one, and while another node goes on alone, everything is `unavailable`.
 *
 * Data of a change is copied once: the mirror keeps it after the answer, for those who have not got it yet.
 */

import { assert } from '../../base/assert.ts';
import { DONE, fail, isAsync, type MaybeAsync, ok, type Result } from '../../base/result.ts';
import { copyOf, firstDifference, lengthOf } from '../../base/segments.ts';
import { WRITE_BYTES_MAX } from '../../journal/activity-log.ts';
import type {
  BlockDevice,
  DeviceFault,
  Durability,
  Extent,
  Geometry,
  Loan,
  MappedExtent,
  Ticket,
  WriteCache,
} from '../../ports/block-device.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Operation } from '../../replication/operation.ts';
import type { MirrorNode } from './mirror-node.ts';

type Done = Result<void, DeviceFault>;

const NO_NODE = fail<DeviceFault>({ kind: 'unavailable', reason: 'the copy of this node is not open' });

export class MirrorDevice implements BlockDevice {
  readonly #clock: Clock;
  /** This node's own copy, for what needs no other: its provisioning. */
  readonly #store: BlockDevice;
  #node: MirrorNode | undefined;
  /** As the device is on every node that serves it; the store may be longer. */
  #geometry: Geometry;

  constructor(store: BlockDevice, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.#geometry = store.geometry;
  }

  /** The device is so long everywhere. */
  resized(blockCount: number): void {
    if (blockCount !== this.#geometry.blockCount) this.#geometry = { ...this.#store.geometry, blockCount };
  }

  attach(node: MirrorNode): void {
    this.#node = node;
  }

  detach(): void {
    this.#node = undefined;
  }

  get geometry(): Geometry {
    return this.#geometry;
  }

  get writeCache(): WriteCache {
    return this.#node?.writeCache ?? 'through';
  }

  /** The policy is the device's, not one initiator's. */
  setWriteCache(mode: WriteCache): Done {
    return mode === this.writeCache ? DONE : fail({ kind: 'busy' });
  }

  read(lba: number, blocks: number, ticket?: Ticket): MaybeAsync<Result<Loan, DeviceFault>> {
    this.#check(lba, blocks);
    const { replica } = this.#node ?? {};
    if (replica === undefined) return NO_NODE;
    return answered((done) => replica.read(ticket ?? this.#own(), lba, blocks, done));
  }

  write(lba: number, data: readonly Uint8Array[], durability: Durability, ticket?: Ticket): MaybeAsync<Done> {
    const blocks = lengthOf(data) / this.geometry.blockLength;
    return this.#change({ kind: 'write', lba, blocks, data: [copyOf(data)] }, durability, ticket);
  }

  writeSame(
    lba: number,
    blocks: number,
    pattern: Uint8Array,
    durability: Durability,
    ticket?: Ticket,
  ): MaybeAsync<Done> {
    return this.#change(
      { kind: 'writeSame', lba, blocks, pattern: Uint8Array.from(pattern) },
      durability,
      ticket,
    );
  }

  async unmap(extents: readonly Extent[], durability: Durability, ticket?: Ticket): Promise<Done> {
    const blocksMax = WRITE_BYTES_MAX / this.geometry.blockLength;
    const changes = extents
      .flatMap((extent) => piecesOf(extent, blocksMax))
      .map(({ lba, blocks }) => this.#change({ kind: 'unmap', lba, blocks }, durability, ticket));
    let answer: Done = DONE;
    for (const change of changes) {
      // oxlint-disable-next-line no-await-in-loop -- all are under way
      const result = await change;
      if (!result.ok) answer = result;
    }
    return answer;
  }

  compareAndWrite(
    lba: number,
    expected: readonly Uint8Array[],
    data: readonly Uint8Array[],
    durability: Durability,
    ticket?: Ticket,
  ): MaybeAsync<Done> {
    const { replica } = this.#node ?? {};
    const blocks = lengthOf(data) / this.geometry.blockLength;
    this.#check(lba, blocks);
    if (replica === undefined) return NO_NODE;
    const change: Operation = { kind: 'write', lba, blocks, data: [copyOf(data)] };
    const wanted = copyOf(expected);
    let difference = -1;
    const decide = async (): Promise<Result<Operation | undefined, DeviceFault>> => {
      const found = await replica.reads.decisive(lba, blocks);
      if (!found.ok) return found;
      difference = firstDifference(found.value.segments, [wanted]);
      found.value.release();
      return ok(difference < 0 ? change : undefined);
    };
    const modified = answered<void>((done) =>
      replica.modify(ticket ?? this.#own(), [{ lba, blocks }], decide, (result) =>
        done(result.ok && difference >= 0 ? fail({ kind: 'miscompare', offset: difference }) : result),
      ),
    );
    return this.#durably(modified, durability, ticket);
  }

  flush(ticket?: Ticket): MaybeAsync<Done> {
    const { replica } = this.#node ?? {};
    if (replica === undefined) return NO_NODE;
    return answered((done) => replica.flush(ticket ?? this.#own(), done));
  }

  mapping(
    lba: number,
    blocks: number,
    runsMax: number,
  ): MaybeAsync<Result<readonly MappedExtent[], DeviceFault>> {
    return this.#node?.membership.mayServe() === true ? this.#store.mapping(lba, blocks, runsMax) : NO_NODE;
  }

  /** What is beneath belongs to whoever attached the node. */
  async close(): Promise<void> {
    this.detach();
  }

  #change(operation: Operation, durability: Durability, ticket: Ticket | undefined): MaybeAsync<Done> {
    this.#check(operation.lba, operation.blocks);
    const { replica } = this.#node ?? {};
    if (replica === undefined) return NO_NODE;
    const changed = answered<void>((done) => replica.mutate(ticket ?? this.#own(), operation, done));
    return this.#durably(changed, durability, ticket);
  }

  /** Written through, it is durable everywhere already. */
  #durably(changed: MaybeAsync<Done>, durability: Durability, ticket: Ticket | undefined): MaybeAsync<Done> {
    if (durability === 'cached' || this.writeCache === 'through') return changed;
    const flush = (result: Done): MaybeAsync<Done> => (result.ok ? this.flush(ticket) : result);
    return isAsync(changed) ? changed.then(flush) : flush(changed);
  }

  #check(lba: number, blocks: number): void {
    assert(Number.isInteger(lba) && Number.isInteger(blocks), 'lba and blocks are counts');
    assert(lba >= 0 && lba + blocks <= this.geometry.blockCount, 'the blocks lie within the device');
  }

  #own(): Ticket {
    return { arrivedAt: this.#clock.now(), isAlive: () => true };
  }
}

/** What is unmapped may be as long as the device; a change is not (`WRITE_BYTES_MAX`). */
function piecesOf({ lba, blocks }: Extent, blocksMax: number): Extent[] {
  const pieces: Extent[] = [];
  for (let at = 0; at < blocks; at += blocksMax)
    pieces.push({ lba: lba + at, blocks: Math.min(blocksMax, blocks - at) });
  return pieces;
}

/** Answers at once where `begin` does. */
function answered<T>(
  begin: (done: (result: Result<T, DeviceFault>) => void) => void,
): MaybeAsync<Result<T, DeviceFault>> {
  let early: Result<T, DeviceFault> | undefined;
  let later: ((result: Result<T, DeviceFault>) => void) | undefined;
  begin((result) => {
    if (later === undefined) early = result;
    else later(result);
  });
  return early ?? new Promise((resolve) => (later = resolve));
}
