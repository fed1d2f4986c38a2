/**
 * Reads and writes of an open file or block device. No call here makes the event loop wait for the medium: those that
 * may wait run in the thread pool or in the file's write thread, however long a disk hangs.
 *
 * Reads first ask the page cache alone (preadv2 with RWF_NOWAIT): 4 KiB that are cached come in 1.2 µs, against about
 * 20 µs through the thread pool (11 µs each with 32 under way). What is not cached goes through the thread pool.
 * Writes never run on the event loop: Linux refuses RWF_NOWAIT for buffered writes (ext4: EOPNOTSUPP), and a plain
 * write into the page cache may wait for write-back or for the journal, which no limit on dirty bytes excludes. They go to the
 * pool, whose few threads all disks share; a turn with long writes goes to the file's thread, but for pages written in part.
 */

import { fdatasync, read as readAsync, writev } from 'node:fs';
import { DONE, fail, type MaybeAsync, ok, type Result } from '../base/result.ts';
import { slice } from '../base/segments.ts';
import type { Loan } from '../ports/block-device.ts';
import type { DiskFault } from '../ports/disk.ts';
import { giveBuffer, takeBuffer } from './buffer-pool.ts';
import { errno, errnoName, type PinnedBuffer, readCached } from './libc.ts';
import { SLOT_SEGMENTS } from './write-ring.ts';
import { WriteThread } from './write-thread.ts';

/** A cached read beyond this is copied by a thread of the pool instead: 256 KiB hold the loop for about 30 µs. */
const INLINE_LENGTH_MAX = 256 * 1024;
/**
 * Of one call. Linux gives a call's data one folio of that size, and ext4 walks all blocks of the folio at every later
 * write to it: 4 KiB into what 1 MiB writes have left in the page cache cost 38 µs, after 64 KiB writes 5 µs.
 */
const CALL_LENGTH_MAX = 64 * 1024;
/** A write of part of a page that is not cached reads the page first. */
const PAGE_LENGTH = 4096;
/** IOV_MAX of Linux. */
const SEGMENTS_MAX = 1024;

/** Each takes some 25 MiB of memory; long writes to further files go through the pool. */
const THREADS_MAX = 16;
let threads = 0;

type DiskOperation = 'read' | 'write' | 'flush';

interface PendingWrite {
  readonly offset: number;
  readonly end: number;
  readonly data: readonly Uint8Array[];
  readonly answer: (result: Result<void, DiskFault>) => void;
  /** Calls that carry parts of it and have not ended. */
  calls: number;
  failed: boolean;
}

/** One system call: of adjoining writes, or of a part of one. */
interface Call {
  offset: number;
  length: number;
  data: Uint8Array[];
  writes: PendingWrite[];
}

export class FileIo {
  readonly #fd: number;
  #pending: PendingWrite[] = [];
  /** False once the file system has said that it cannot read without waiting. */
  #inline = true;
  /** Made when it is first worth it. */
  #thread: WriteThread | undefined;
  #threadLost = false;

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
      this.#pending.push({ offset, end: offset + length, data, answer, calls: 0, failed: false });
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

  /** Only when nothing is under way. */
  async close(): Promise<void> {
    if (this.#thread === undefined) return;
    await this.#thread.stop();
    threads -= 1;
  }

  /** Sends what this turn has brought. */
  #submit(): void {
    const pending = this.#pending;
    this.#pending = [];
    const calls = callsOf(pending);
    // For small writes the thread was no sure gain behind a network (docs/PERFORMANCE.md); a long one's calls share a hop.
    const inThread = calls.some(({ length }) => length === CALL_LENGTH_MAX);
    let added = false;
    for (const call of calls) {
      const wholePages = call.offset % PAGE_LENGTH === 0 && call.length % PAGE_LENGTH === 0;
      const thread = inThread && wholePages ? this.#writeThread() : undefined;
      if (thread === undefined) {
        writev(this.#fd, call.data, call.offset, (error, count) =>
          this.#ended(call, error === null && count === call.length),
        );
        continue;
      }
      added = true;
      const { offset, data } = call;
      thread.add({ offset, data, answer: (result) => this.#ended(call, result === call.length) });
    }
    if (added) this.#thread?.submit();
  }

  #writeThread(): WriteThread | undefined {
    if (this.#thread === undefined && !this.#threadLost && threads < THREADS_MAX) {
      threads += 1;
      this.#thread = new WriteThread(this.#fd, (lost) => {
        threads -= 1;
        this.#threadLost = true;
        this.#thread = undefined;
        for (const call of lost) call.answer(0);
      });
    }
    return this.#thread;
  }

  /** A write of which a call failed or was cut short is done again by itself, so that it gets its own answer. */
  #ended(call: Call, complete: boolean): void {
    for (const write of call.writes) {
      write.calls -= 1;
      if (!complete) write.failed = true;
      if (write.calls > 0) continue;
      if (write.failed)
        void this.#writeAll(write.offset, write.data, write.end - write.offset).then(write.answer);
      else write.answer(DONE);
    }
  }

  #writeAll(offset: number, data: readonly Uint8Array[], length: number): Promise<Result<void, DiskFault>> {
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

/** Adjoining writes together, long ones cut at multiples of CALL_LENGTH_MAX. */
function callsOf(pending: readonly PendingWrite[]): Call[] {
  const calls: Call[] = [];
  let call: Call | undefined;
  for (const write of pending) {
    let position = write.offset;
    for (const segment of write.data) {
      for (let taken = 0; taken < segment.length; ) {
        const room = CALL_LENGTH_MAX - (position % CALL_LENGTH_MAX);
        const joins =
          call !== undefined &&
          call.offset + call.length === position &&
          position % CALL_LENGTH_MAX !== 0 &&
          call.data.length < SLOT_SEGMENTS;
        if (call === undefined || !joins)
          calls.push((call = { offset: position, length: 0, data: [], writes: [] }));
        if (call.writes.at(-1) !== write) {
          call.writes.push(write);
          write.calls += 1;
        }
        const part = Math.min(room, segment.length - taken);
        call.data.push(part === segment.length ? segment : segment.subarray(taken, taken + part));
        call.length += part;
        position += part;
        taken += part;
      }
    }
  }
  return calls;
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

export function faultOfCode(cause: string, operation: DiskOperation, offset: number): DiskFault {
  if (operation === 'write' && NO_SPACE.has(cause)) return { kind: 'noSpace', offset };
  return { kind: 'ioError', operation, offset, cause };
}

function shortOf(operation: DiskOperation, offset: number): DiskFault {
  return { kind: 'ioError', operation, offset, cause: 'end of file' };
}
