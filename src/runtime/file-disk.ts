/**
 * A disk in a regular file or on a raw block device.
 *
 * Durability. `flush` is fdatasync. When it fails once, the kernel has marked the pages that it could not write as
 * clean and a second fdatasync would succeed without them; so from then on every flush of this opening fails. Reads
 * and cached writes go on; nothing is promised to be durable any more. Only opening the file again (`reopen`), by a layer
 * that knows how to prove or replace its content, ends that state.
 *
 * Length. A file that somebody cuts short under us has lost what was behind its new end; a write there would lengthen
 * it again and make zeros of the rest. While there are writes its length is looked at every second, and those beyond
 * the shortest end that was ever seen fail.
 */

import { close as closeFile, fstat } from 'node:fs';
import { DONE, fail, type MaybeAsync, ok, type Result } from '../base/result.ts';
import type { Loan } from '../ports/block-device.ts';
import type { DiskFault, GrowFault, ReopenableDisk } from '../ports/disk.ts';
import { FileIo, faultOfErrno } from './file-io.ts';
import { lengthenFile } from './lengthen-file.ts';
import { blockDeviceLength, errno, punchHole, seekData, seekHole } from './libc.ts';
import { type FileDiskOptions, type OpenedFile, type OpenFault, openFile } from './open-file.ts';

export type { CreateOptions, FileDiskOptions, OpenFault } from './open-file.ts';

/** Opens (or makes, with `options.create`) the file and locks it against everybody else. */
export async function openFileDisk(
  path: string,
  options: FileDiskOptions,
): Promise<Result<ReopenableDisk, OpenFault>> {
  const opened = await openFile(path, options);
  return opened.ok ? ok(new FileDisk(path, options.readOnly, opened.value)) : opened;
}

/** What is written where the medium turns out not to give space back. */
const ZEROS = new Uint8Array(1024 * 1024);

const MEASURE_EVERY_MS = 1000;

const CUT_SHORT: DiskFault = { kind: 'ioError', operation: 'write', offset: 0, cause: 'end of file' };

class FileDisk implements ReopenableDisk {
  readonly name: string;
  length: number;
  readonly readOnly: boolean;
  readonly physicalSectorLength: number;
  punchGranularity: number;
  #file: OpenedFile;
  #io: FileIo;
  /** Why there is no open file. */
  #closed: DiskFault | undefined;
  /** The first failed flush; its promise cannot be mended. */
  #durabilityLost: DiskFault | undefined;
  #end: number;
  #measuredAt = performance.now();
  #measuring: Promise<void> | undefined;
  #isGrowing = false;
  #underWay = 0;
  #onIdle: (() => void) | undefined;

  constructor(path: string, readOnly: boolean, file: OpenedFile) {
    this.name = path;
    this.readOnly = readOnly;
    this.length = file.length;
    this.#end = file.length;
    this.physicalSectorLength = file.physicalSectorLength;
    this.punchGranularity = file.punchGranularity;
    this.#file = file;
    this.#io = new FileIo(file.fd);
  }

  read(offset: number, length: number): MaybeAsync<Result<Loan, DiskFault>> {
    if (this.#closed !== undefined) return fail(this.#closed);
    const answer = this.#io.read(offset, length);
    return answer instanceof Promise ? this.#counted(answer) : answer;
  }

  write(offset: number, data: readonly Uint8Array[]): MaybeAsync<Result<void, DiskFault>> {
    if (this.#closed !== undefined) return fail(this.#closed);
    if (performance.now() - this.#measuredAt >= MEASURE_EVERY_MS) this.#measure();
    if (this.#measuring !== undefined)
      return this.#counted(this.#measuring.then(() => this.#writeWithin(offset, data)));
    const answer = this.#writeWithin(offset, data);
    return answer instanceof Promise ? this.#counted(answer) : answer;
  }

  flush(): MaybeAsync<Result<void, DiskFault>> {
    if (this.#durabilityLost !== undefined) return fail(this.#durabilityLost);
    return this.#counted(this.#flush());
  }

  punch(offset: number, length: number): MaybeAsync<Result<void, DiskFault>> {
    if (this.#closed !== undefined) return fail(this.#closed);
    return this.#counted(this.#punch(offset, length));
  }

  grow(from: number, length: number, reserve: boolean): Promise<Result<void, GrowFault>> {
    if (this.#closed !== undefined) return Promise.resolve(fail(this.#closed));
    return this.#counted(
      this.#file.blockDevice ? this.#growOnto(from, length) : this.#lengthen(from, length, reserve),
    );
  }

  extentAt(offset: number): MaybeAsync<Result<{ readonly data: boolean; readonly end: number }, DiskFault>> {
    if (this.#closed !== undefined) return fail(this.#closed);
    // A block device has no map of its holes.
    if (this.#file.blockDevice) return ok({ data: true, end: this.length });
    return this.#counted(this.#extentAt(offset));
  }

  async reopen(): Promise<Result<void, string>> {
    await this.close();
    const { name, readOnly } = this;
    const opened = await openFile(name, { readOnly });
    const cause = opened.ok ? faultOfLength(opened.value.length, this.length) : opened.fault.message;
    if (!opened.ok || cause !== undefined) {
      if (opened.ok) await closed(opened.value.fd);
      return fail(cause!);
    }
    this.#file = opened.value;
    this.#end = opened.value.length;
    this.#io = new FileIo(opened.value.fd);
    this.#durabilityLost = undefined;
    this.#closed = undefined;
    return DONE;
  }

  async close(): Promise<void> {
    while (this.#underWay > 0) {
      // oxlint-disable-next-line no-await-in-loop -- what finishes may start something: a write after a short write
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    if (this.#closed !== undefined) return;
    this.#closed = { kind: 'ioError', operation: 'read', offset: 0, cause: 'the file is not open' };
    this.#durabilityLost ??= this.#closed;
    await this.#io.close();
    await closed(this.#file.fd);
  }

  /** The file is shorter meanwhile, and nobody writes where. */
  async #lengthen(from: number, length: number, reserve: boolean): Promise<Result<void, GrowFault>> {
    await this.#measuring;
    if (this.#end !== this.length) return fail(CUT_SHORT);
    const longest = Math.max(length, this.length);
    this.#isGrowing = true;
    const lengthened = await lengthenFile(this.#file.fd, from, longest, reserve);
    this.#isGrowing = false;
    if (!lengthened.ok) return lengthened;
    this.length = longest;
    this.#end = longest;
    return this.#flush();
  }

  /** Of a block device that somebody has enlarged before. */
  async #growOnto(from: number, length: number): Promise<Result<void, GrowFault>> {
    const found = blockDeviceLength(this.#file.fd);
    if (found < length) return fail({ kind: 'mediumEnds', length: Math.max(found, 0) });
    this.length = found;
    this.#end = found;
    const cleared = await this.#punch(from, length - from);
    return cleared.ok ? this.#flush() : cleared;
  }

  #writeWithin(offset: number, data: readonly Uint8Array[]): MaybeAsync<Result<void, DiskFault>> {
    if (this.#end !== this.length) {
      let to = offset;
      for (const segment of data) to += segment.length;
      if (to > this.#end) return fail({ kind: 'ioError', operation: 'write', offset, cause: 'end of file' });
    }
    return this.#io.write(offset, data);
  }

  /** Writes wait for the answer: one of them might lengthen the file before it is measured. */
  #measure(): void {
    this.#measuredAt = performance.now();
    if (this.#file.blockDevice || this.#isGrowing) return;
    this.#measuring = new Promise((answer) => {
      fstat(this.#file.fd, (error, status) => {
        if (error === null) this.#end = Math.min(this.#end, status.size);
        this.#measuring = undefined;
        answer();
      });
    });
  }

  async #flush(): Promise<Result<void, DiskFault>> {
    const result = await this.#io.flush();
    if (!result.ok) this.#durabilityLost ??= result.fault;
    // One that began before another failed has seen the same pages marked clean.
    return this.#durabilityLost === undefined ? result : fail(this.#durabilityLost);
  }

  async #punch(offset: number, length: number): Promise<Result<void, DiskFault>> {
    if (this.punchGranularity > 0) {
      const status = await punchHole(this.#file.fd, offset, length);
      if (status === 0) return DONE;
      if (status === -errno.EINTR) return this.#punch(offset, length);
      if (status !== -errno.EOPNOTSUPP) return fail(faultOfErrno(-status, 'write', offset));
      this.punchGranularity = 0;
    }
    for (let done = 0; done < length; ) {
      const part = Math.min(ZEROS.length, length - done);
      // oxlint-disable-next-line no-await-in-loop -- one buffer's worth at a time leaves room for others' writes
      const written = await this.#writeWithin(offset + done, [ZEROS.subarray(0, part)]);
      if (!written.ok) return written;
      done += part;
    }
    return DONE;
  }

  async #extentAt(offset: number): Promise<Result<{ data: boolean; end: number }, DiskFault>> {
    const { fd } = this.#file;
    const data = await seekData(fd, offset);
    if (data === -errno.ENXIO) return this.#holeToTheEnd(offset);
    // A file system without a map says EINVAL: then all is data.
    if (data === -errno.EINVAL) return ok({ data: true, end: this.length });
    if (data < 0) return fail(faultOfErrno(-data, 'read', offset));
    if (data > offset) return ok({ data: false, end: Math.min(data, this.length) });
    const hole = await seekHole(fd, offset);
    if (hole < 0) return fail(faultOfErrno(-hole, 'read', offset));
    return ok({ data: true, end: Math.min(hole, this.length) });
  }

  /** A hole, unless the file has been cut short behind our back: what was there is lost, and is not to read as zeros. */
  #holeToTheEnd(offset: number): Promise<Result<{ data: boolean; end: number }, DiskFault>> {
    return new Promise((answer) => {
      fstat(this.#file.fd, (error, status) => {
        if (error === null && !this.#isGrowing) this.#end = Math.min(this.#end, status.size);
        if (this.#isGrowing || (error === null && status.size >= this.length))
          answer(ok({ data: false, end: this.length }));
        else
          answer(fail({ kind: 'ioError', operation: 'read', offset, cause: error?.code ?? 'end of file' }));
      });
    });
  }

  #counted<T>(operation: Promise<T>): Promise<T> {
    this.#underWay += 1;
    const done = (): void => {
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#onIdle?.();
    };
    operation.then(done, done);
    return operation;
  }
}

/** Linux closes the descriptor whatever it answers; what was not flushed is not promised. */
function closed(fd: number): Promise<void> {
  return new Promise((resolve) => {
    closeFile(fd, () => resolve());
  });
}

function faultOfLength(found: number, expected: number): string | undefined {
  return found === expected ? undefined : `it has ${found} bytes and had ${expected}`;
}
