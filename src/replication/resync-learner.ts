/**
 * The side that is brought up to date. It asks for one chunk after the other, having told what it holds; changes that
 * come meanwhile go past it as to any member.
 *
 *   offer ──► watch the chunk, digest what is here ──want──► same:  flushed              ──► settled
 *                                                            chunk: written, durable     ──► settled
 *
 * Why what arrives is never older than what is here: the source reads after it was asked, from readable blocks. What
 * was readable here when it was asked for is readable there then; what was not, or came since, has been watched and is
 * left as it is.
 */

import { assert } from '../base/assert.ts';
import { type Result, then } from '../base/result.ts';
import { lengthOf } from '../base/segments.ts';
import type { DeviceFault } from '../ports/block-device.ts';
import { chunkExtent } from './chunks.ts';
import type { Watch } from './mutation-log.ts';
import { repair } from './reads.ts';
import type { Replica } from './replica.ts';

export class ResyncLearner {
  readonly #replica: Replica;
  readonly #watches = new Map<number, Watch>();

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  onOffer(from: number, chunks: readonly number[]): void {
    for (const chunk of chunks) this.#want(from, chunk);
  }

  /** What is here is what the source has: only its durability lacks. */
  onSame(from: number, chunk: number): void {
    this.#watches.get(chunk)?.end();
    this.#watches.delete(chunk);
    const { term } = this.#replica.installed!;
    void then(this.#replica.ports.store.flush(), (result) => this.#settled(from, term, chunk, result));
  }

  onChunk(from: number, chunk: number, data: readonly Uint8Array[]): void {
    const watch = this.#watches.get(chunk);
    if (watch === undefined) return;
    this.#watches.delete(chunk);
    const { term } = this.#replica.installed!;
    const content = {
      kind: 'write',
      ...chunkExtent(this.#replica.ports.store.geometry, chunk),
      data,
    } as const;
    assert(lengthOf(data) === content.blocks * this.#replica.blockLength, 'a device has one size in a term');
    void then(repair(this.#replica, content, watch), (result) => this.#settled(from, term, chunk, result));
  }

  stop(): void {
    for (const watch of this.#watches.values()) watch.end();
    this.#watches.clear();
  }

  #want(from: number, chunk: number): void {
    const { log, copy, ports, installed } = this.#replica;
    const { lba, blocks } = chunkExtent(ports.store.geometry, chunk);
    this.#watches.get(chunk)?.end();
    this.#watches.set(chunk, log.watch(lba, blocks));
    const { term } = installed!;
    void then(
      copy.read(lba, blocks, () => true),
      (result) => {
        let digest: string | undefined;
        if (result?.ok === true) {
          digest = ports.digest(result.value.segments);
          result.value.release();
        }
        if (this.#replica.installed?.term !== term) return;
        ports.send(from, { kind: 'want', chunk, digest });
      },
    );
  }

  #settled(from: number, term: number, chunk: number, result: Result<void, DeviceFault>): void {
    const { ports, installed } = this.#replica;
    if (!result.ok) return ports.onCopyFailed(result.fault);
    if (installed?.term === term) ports.send(from, { kind: 'settled', chunk });
  }
}
