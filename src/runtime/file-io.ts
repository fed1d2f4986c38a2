/**
 * Reads and writes of an open file or block device, none of which makes the event loop wait for the medium.
 *
 * Reads first ask the page cache alone (preadv2 with RWF_NOWAIT): 4 KiB that are cached come in 1.2 µs, against about
 * 20 µs through the thread pool (11 µs each with 32 under way). What is not cached goes through the thread pool.
 * Writes go through the thread pool always: Linux refuses RWF_NOWAIT for buffered writes (ext4: EOPNOTSUPP), and a
 * plain write may wait for write-back. Writes of one turn of the event loop that adjoin leave as one.
 */

import { fdatasync, read as readAsync, writev } from 'node:fs';
import { DONE, fail, type MaybeAsync, ok, type Result } from '../base/result.ts';
import { slice } from '../base/segments.ts';
import type { Loan } from '../ports/block-device.ts';
import type { DiskFault } from '../ports/disk.ts';
import { giveBuffer, takeBuffer } from './buffer-pool.ts';
import { errno, errnoName, type PinnedBuffer, readCached } from './libc.ts';

/** A cached read beyond this is copied by a thread of the pool instead: 256 KiB hold the loop for about 30 µs. */
const INLINE_LENGTH_MAX = 256 * 1024;
/** Of adjoining writes that leave as one. */
const MERGED_LENGTH_MAX = 1024 * 1024;
const MERGED_WRITES_MAX = 64;
/** IOV_MAX of Linux. */
const SEGMENTS_MAX = 1024;

type DiskOperation = 'read' | 'write' | 'flush';

interface PendingWrite {
  readonly offset: number;
  readonly end: number;
  readonly data: readonly Uint8Array[];
  readonly answer: (result: Result<void, DiskFault>) => void;
}

export class FileIo {
  readonly #fd: number;
  #pending: PendingWrite[] = [];
  /** False once the file system has said that it cannot read without waiting. */
  #inline = true;

  constructor(fd: number) {
    this.#fd = fd;
  }

  read(offset: number, length: number): MaybeAsync<Result<Loan, DiskFault>> {
    const buffer = takeBuffer(length);
    let present = 0;
    if (this.#inline && length <= INLINE_LENGTH_MAX) {
      const count = readCached(this.#fd, buffer, length, offset);
      if (count === length) return ok(new BufferLoan(buffer, length));
      if (count > 0) present = count;
      else if (count !== -errno.EAGAIN && count !== -errno.EINTR && count !== 0) this.#inline = false;
    }
    return this.#readInPool(buffer, offset, length, present);
  }

  write(offset: number, data: readonly Uint8Array[]): Promise<Result<void, DiskFault>> {
    let length = 0;
    for (const segment of data) length += segment.length;
    return new Promise((answer) => {
      // A microtask runs when the event that brought the commands has been handled: by then all of them are here.
      if (this.#pending.length === 0) queueMicrotask(() => this.#submit());
      this.#pending.push({ offset, end: offset + length, data, answer });
    });
  }

  flush(): Promise<Result<void, DiskFault>> {
    return new Promise((answer) => {
      fdatasync(this.#fd, (error) => answer(error === null ? DONE : fail(faultOf(error, 'flush', 0))));
    });
  }

  #readInPool(
    buffer: PinnedBuffer,
    offset: number,
    length: number,
    present: number,
  ): Promise<Result<Loan, DiskFault>> {
    return new Promise((answer) => {
      const refuse = (fault: DiskFault): void => {
        giveBuffer(buffer);
        answer(fail(fault));
      };
      const readOn = (at: number): void => {
        readAsync(this.#fd, buffer.bytes, at, length - at, offset + at, (error, count) => {
          if (error !== null) refuse(faultOf(error, 'read', offset + at));
          else if (count === 0) refuse(shortOf('read', offset + at));
          else if (at + count < length) readOn(at + count);
          else answer(ok(new BufferLoan(buffer, length)));
        });
      };
      readOn(present);
    });
  }

  /** Sends what this turn has brought, adjoining writes together. */
  #submit(): void {
    const pending = this.#pending;
    this.#pending = [];
    let group: PendingWrite[] = [];
    let [length, segments] = [0, 0];
    for (const write of pending) {
      const last = group.at(-1);
      length += write.end - write.offset;
      segments += write.data.length;
      const joins =
        last !== undefined &&
        last.end === write.offset &&
        group.length < MERGED_WRITES_MAX &&
        length <= MERGED_LENGTH_MAX &&
        segments <= SEGMENTS_MAX;
      if (!joins) {
        if (last !== undefined) void this.#writeGroup(group);
        group = [];
        [length, segments] = [write.end - write.offset, write.data.length];
      }
      group.push(write);
    }
    if (group.length > 0) void this.#writeGroup(group);
  }

  /** When a group fails each of its writes is done again by itself, so that each gets its own answer. */
  async #writeGroup(group: readonly PendingWrite[]): Promise<void> {
    const [first] = group;
    if (group.length > 1) {
      const data = group.flatMap((write) => write.data);
      const result = await this.#writeAll(first!.offset, data, group.at(-1)!.end - first!.offset);
      if (result.ok) {
        for (const write of group) write.answer(result);
        return;
      }
    }
    for (const write of group) {
      // Not Promise.all: a medium in trouble is not asked for everything at once.
      // oxlint-disable-next-line no-await-in-loop
      write.answer(await this.#writeAll(write.offset, write.data, write.end - write.offset));
    }
  }

  #writeAll(
    offset: number,
    data: readonly Uint8Array[],
    length: number,
  ): MaybeAsync<Result<void, DiskFault>> {
    return new Promise((answer) => {
      const writeOn = (done: number): void => {
        const rest = done === 0 ? data : slice(data, done, length - done);
        const part = rest.length > SEGMENTS_MAX ? rest.slice(0, SEGMENTS_MAX) : rest;
        writev(this.#fd, part, offset + done, (error, count) => {
          if (error !== null) answer(fail(faultOf(error, 'write', offset + done)));
          else if (count === 0) answer(fail(shortOf('write', offset + done)));
          else if (done + count < length) writeOn(done + count);
          else answer(DONE);
        });
      };
      writeOn(0);
    });
  }
}

/** A copy of the medium in a buffer of the pool: nothing writes to it while it is lent. */
class BufferLoan implements Loan {
  readonly segments: readonly Uint8Array[];
  #buffer: PinnedBuffer | undefined;

  constructor(buffer: PinnedBuffer, length: number) {
    this.segments = [length === buffer.bytes.length ? buffer.bytes : buffer.bytes.subarray(0, length)];
    this.#buffer = buffer;
  }

  release(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) throw new Error('a loan is released once');
    this.#buffer = undefined;
    giveBuffer(buffer);
  }
}

/** EFBIG (the file system's largest file) and EDQUOT are want of space to whoever asked for it. */
const NO_SPACE: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

function faultOf(error: NodeJS.ErrnoException, operation: DiskOperation, offset: number): DiskFault {
  return faultOfCode(error.code ?? error.message, operation, offset);
}

export function faultOfErrno(code: number, operation: DiskOperation, offset: number): DiskFault {
  return faultOfCode(errnoName(code), operation, offset);
}

function faultOfCode(cause: string, operation: DiskOperation, offset: number): DiskFault {
  if (operation === 'write' && NO_SPACE.has(cause)) return { kind: 'noSpace', offset };
  return { kind: 'ioError', operation, offset, cause };
}

function shortOf(operation: DiskOperation, offset: number): DiskFault {
  return { kind: 'ioError', operation, offset, cause: 'end of file' };
}
