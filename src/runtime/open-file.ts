/**
 * Opening and making the file beneath a disk: what it is, how long, who else has it; and taking it back when making
 * it failed half-way.
 */

import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { fail, ok, type Result } from '../base/result.ts';
import {
  allocate,
  blockDeviceLength,
  errno,
  errnoName,
  forgetCached,
  lockFile,
  physicalSectorLength,
  punchHole,
} from './libc.ts';

export interface FileDiskOptions {
  readonly readOnly: boolean;
  /** Makes a new regular file; one that exists is refused. Without it the file or block device must exist. */
  readonly create?: CreateOptions;
}

export interface CreateOptions {
  readonly length: number;
  /** `thick` reserves all space now; `sparse` takes it as it is written. */
  readonly allocation: 'thick' | 'sparse';
  /** Told how far a thick allocation has come. */
  readonly onProgress?: (allocated: number, length: number) => void;
  /** Ends a thick allocation; the file is removed. */
  readonly signal?: AbortSignal;
}

export interface OpenFault {
  readonly kind:
    | 'notFound'
    | 'exists'
    | 'notPermitted'
    /** Another process, or another disk of this one, has it. */
    | 'locked'
    | 'noSpace'
    /** Neither a regular file nor a block device, or empty. */
    | 'unsuitable'
    /** The file system cannot reserve space. */
    | 'unsupported'
    | 'cancelled'
    | 'ioError';
  readonly path: string;
  /** A clause for people, naming the file. */
  readonly message: string;
}

export interface OpenedFile {
  readonly fd: number;
  readonly length: number;
  readonly blockDevice: boolean;
  readonly physicalSectorLength: number;
  readonly punchGranularity: number;
}

const openAsync = promisify(fs.open);
const closeAsync = promisify(fs.close);
const fstatAsync = promisify(fs.fstat);
const ftruncateAsync = promisify(fs.ftruncate);
const statfsAsync = promisify(fs.statfs);
const unlinkAsync = promisify(fs.unlink);
const statAsync = promisify(fs.stat);
const fsyncAsync = promisify(fs.fsync);

/** Of one step of a thick allocation: between two of them it can be cancelled. */
const ALLOCATION_STEP = 1024 * 1024 * 1024;

export async function openFile(
  path: string,
  options: FileDiskOptions,
): Promise<Result<OpenedFile, OpenFault>> {
  let fd: number;
  try {
    fd = await openAsync(path, await openFlags(path, options), 0o600);
  } catch (error) {
    return fail(openFaultOf(path, codeOf(error)));
  }
  const opened = await lockAndMeasure(fd, path, options).catch((error: unknown) =>
    fail(openFaultOf(path, codeOf(error))),
  );
  if (opened.ok) return opened;
  // Only what this call made: O_EXCL has proven that it was not there.
  if (options.create !== undefined) await unlinkAsync(path).catch(() => {});
  await closeAsync(fd).catch(() => {});
  return opened;
}

/** O_EXCL on a block device: the kernel refuses it while it is mounted, or part of a RAID, or opened so by another. */
async function openFlags(path: string, options: FileDiskOptions): Promise<number> {
  const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOCTTY } = fs.constants;
  if (options.create !== undefined) return O_RDWR | O_CREAT | O_EXCL | O_NOCTTY;
  const access = (options.readOnly ? O_RDONLY : O_RDWR) | O_NOCTTY | fs.constants.O_NONBLOCK;
  const stats = await statAsync(path);
  return stats.isBlockDevice() ? access | O_EXCL : access;
}

async function lockAndMeasure(
  fd: number,
  path: string,
  options: FileDiskOptions,
): Promise<Result<OpenedFile, OpenFault>> {
  const stats = await fstatAsync(fd);
  if (!stats.isFile() && !stats.isBlockDevice())
    return refuse('unsuitable', path, `${path} is neither a regular file nor a block device`);
  const locked = lockFile(fd, options.readOnly && options.create === undefined ? 'shared' : 'exclusive');
  if (locked === -errno.EAGAIN || locked === -errno.EACCES) return fail(openFaultOf(path, 'EAGAIN'));
  if (locked < 0) return fail(openFaultOf(path, errnoName(-locked)));
  if (options.create !== undefined) {
    const made = await make(fd, path, options.create);
    if (!made.ok) return made;
  } else if (!options.readOnly) {
    // Pages that could not be written, then or by a process before, read as if they were on the medium.
    await forgetCached(fd);
  }
  const blockDevice = stats.isBlockDevice();
  const length = blockDevice ? blockDeviceLength(fd) : (await fstatAsync(fd)).size;
  if (length <= 0) return refuse('unsuitable', path, `${path} is empty`);
  if (!Number.isSafeInteger(length)) return refuse('unsuitable', path, `${path} is too long`);
  const measures = blockDevice
    ? measureDevice(fd, stats.rdev)
    : await measureFile(fd, path, length, options.readOnly);
  return ok({ fd, length, blockDevice, ...measures });
}

async function make(fd: number, path: string, create: CreateOptions): Promise<Result<void, OpenFault>> {
  if (create.allocation === 'sparse') {
    await ftruncateAsync(fd, create.length);
  } else {
    const allocated = await allocateAll(fd, path, create);
    if (!allocated.ok) return allocated;
  }
  await fsyncAsync(fd);
  await syncDirectory(path);
  return ok(undefined);
}

/** The name of a new file is durable only with its directory. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await openAsync(dirname(path), fs.constants.O_RDONLY);
  try {
    await fsyncAsync(directory);
  } finally {
    await closeAsync(directory);
  }
}

async function allocateAll(
  fd: number,
  path: string,
  create: CreateOptions,
): Promise<Result<void, OpenFault>> {
  const { length, onProgress, signal } = create;
  for (let done = 0; done < length; ) {
    if (signal?.aborted === true) return refuse('cancelled', path, `allocating ${path} was cancelled`);
    const step = Math.min(ALLOCATION_STEP, length - done);
    // oxlint-disable-next-line no-await-in-loop -- steps, so that it can be watched and ended
    const status = await allocate(fd, done, step);
    if (status === -errno.EINTR) continue;
    if (status === -errno.EOPNOTSUPP)
      return refuse('unsupported', path, `the file system of ${path} cannot reserve space; make it sparse`);
    if (status < 0) return fail(openFaultOf(path, errnoName(-status)));
    done += step;
    onProgress?.(done, length);
  }
  return ok(undefined);
}

interface Measures {
  readonly physicalSectorLength: number;
  readonly punchGranularity: number;
}

async function measureFile(fd: number, path: string, length: number, readOnly: boolean): Promise<Measures> {
  const { bsize } = await statfsAsync(path);
  const sector = bsize >= 4096 ? 4096 : 512;
  // A hole beyond the end changes nothing, and tells whether holes can be made.
  const punchable = !readOnly && (await punchHole(fd, length, bsize)) === 0;
  return { physicalSectorLength: sector, punchGranularity: punchable ? bsize : 0 };
}

/** What `fallocate` can do on a block device is known from its queue's limits, below /sys. */
function measureDevice(fd: number, rdev: number): Measures {
  const sector = physicalSectorLength(fd);
  const physical = sector >= 512 ? sector : 512;
  const granularity = queueLimit(rdev, 'discard_granularity');
  const zeroes = queueLimit(rdev, 'write_zeroes_max_bytes');
  return {
    physicalSectorLength: physical,
    punchGranularity: zeroes > 0 && granularity > 0 ? Math.max(granularity, physical) : 0,
  };
}

function queueLimit(rdev: number, name: string): number {
  // makedev of the C library: major in bits 8..19 (and above 32), minor in bits 0..7 and 20..31.
  const major = Math.floor(rdev / 256) % 4096;
  const minor = (rdev % 256) + Math.floor(rdev / 2 ** 20) * 256;
  // A partition's limits are its disk's.
  for (const place of ['queue', '../queue']) {
    try {
      return Number(fs.readFileSync(`/sys/dev/block/${major}:${minor}/${place}/${name}`, 'ascii'));
    } catch {
      // the other place
    }
  }
  return 0;
}

function refuse(kind: OpenFault['kind'], path: string, message: string): Result<never, OpenFault> {
  return fail({ kind, path, message });
}

const KINDS: Readonly<Record<string, readonly [OpenFault['kind'], string]>> = {
  ENOENT: ['notFound', 'does not exist'],
  EEXIST: ['exists', 'exists already'],
  EACCES: ['notPermitted', 'may not be opened by this user'],
  EPERM: ['notPermitted', 'may not be opened by this user'],
  EROFS: ['notPermitted', 'is on a read-only file system'],
  EAGAIN: ['locked', 'is in use by another process'],
  EBUSY: ['locked', 'is in use (mounted, or held by another process)'],
  ENOSPC: ['noSpace', 'does not fit: the file system is full'],
  EDQUOT: ['noSpace', 'does not fit: the quota is used up'],
  EFBIG: ['noSpace', 'is longer than the file system allows'],
  EISDIR: ['unsuitable', 'is a directory'],
  ENXIO: ['unsuitable', 'is neither a regular file nor a block device'],
};

function openFaultOf(path: string, code: string): OpenFault {
  const [kind, clause] = KINDS[code] ?? ['ioError', `cannot be opened (${code})`];
  return { kind, path, message: `${path} ${clause}` };
}

function codeOf(error: unknown): string {
  if (error instanceof Error) return 'code' in error ? String(error.code) : error.message;
  return String(error);
}
