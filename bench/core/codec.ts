/** What it takes to make a frame of a message and a message of its frame: a write with its data, and what answers it. */
import { copyTo, lengthOf } from '../../src/base/segments.ts';
import { type ChannelMessage, MirrorWire } from '../../src/engine/mirror/wire.ts';
import type { ReplicaMessage } from '../../src/replication/messages.ts';
import { crc32c } from '../../src/runtime/crc32c.ts';

const BLOCK_LENGTH = 4096;
const ROUNDS = 300_000;

const data = [new Uint8Array(BLOCK_LENGTH).fill(7)];
const write: ReplicaMessage = {
  kind: 'mutate',
  stamp: 17,
  operation: { kind: 'write', lba: 5, blocks: 1, data },
  term: 1,
  lamport: 1,
};
const held: ReplicaMessage = { kind: 'held', stamp: 17, term: 1, lamport: 1 };

export function benchCodec(): string {
  const wire = new MirrorWire({
    sender: { node: 1, device: 'd'.repeat(32) },
    device: { geometry: { blockLength: BLOCK_LENGTH, blockCount: 1 << 20 } },
    crc32c,
  });
  return `as bytes: 4K write ${measure(wire, write)}, held ${measure(wire, held)}`;
}

function measure(wire: MirrorWire, message: ReplicaMessage): string {
  const carried: ChannelMessage = { kind: 'replica', message };
  let sequence = 0;
  const encode = () =>
    wire.encodeFrame({ kind: 'data', sequence: ++sequence, received: 0, message: carried });
  const segments = encode();
  const bytes = new Uint8Array(lengthOf(segments));
  copyTo(segments, bytes, 0);
  const view = new DataView(bytes.buffer);
  const decode = () => wire.decodeFrame(view, 0, bytes.length);
  return `${nanoseconds(encode)} ns to send, ${nanoseconds(decode)} ns to receive`;
}

function nanoseconds(action: () => unknown): number {
  for (let warm = 0; warm < ROUNDS / 10; warm++) action();
  const begun = process.cpuUsage();
  for (let round = 0; round < ROUNDS; round++) action();
  const { user, system } = process.cpuUsage(begun);
  return Math.round(((user + system) * 1000) / ROUNDS);
}
