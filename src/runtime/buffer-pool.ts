/**
 * Buffers for reads, in size classes. A fresh 64 KiB buffer costs more than the read that fills it, so they come back;
 * at most IDLE_LENGTH_MAX bytes lie idle in all. Content is not cleared: the reader fills what it lends.
 */

import { type PinnedBuffer, pin } from './libc.ts';

const CLASSES = [4096, 16_384, 65_536, 262_144, 1_048_576] as const;
const IDLE_LENGTH_MAX = 64 * 1024 * 1024;

const idle: readonly PinnedBuffer[][] = CLASSES.map(() => []);
let idleLength = 0;

/** A buffer of at least `length` bytes. */
export function takeBuffer(length: number): PinnedBuffer {
  const index = CLASSES.findIndex((size) => size >= length);
  if (index === -1) return pin(length);
  const buffer = idle[index]!.pop();
  if (buffer === undefined) return pin(CLASSES[index]!);
  idleLength -= buffer.bytes.length;
  return buffer;
}

export function giveBuffer(buffer: PinnedBuffer): void {
  const { length } = buffer.bytes;
  const index = CLASSES.findIndex((size) => size === length);
  if (index === -1 || idleLength + length > IDLE_LENGTH_MAX) return;
  idleLength += length;
  idle[index]!.push(buffer);
}
