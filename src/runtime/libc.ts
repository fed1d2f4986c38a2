/**
 * The system calls that Node does not offer, through koffi. All of them, and all knowledge of Linux's constants and
 * structure layouts (the same on x86-64 and arm64), live here. The C library and the kernel check the arguments; what
 * could corrupt memory are wrong buffer lengths only, and every buffer here is made here.
 *
 * `async` variants run in Node's thread pool. Results are the call's own, or the errno negated.
 */

import { constants } from 'node:os';
import koffi from 'koffi';

const libc = koffi.load(null);

export const errno = { ...constants.errno, ENXIO: 6 } as const;

/** Name of an errno ('ENOSPC'); the number as text for one that is unknown here. */
export function errnoName(code: number): string {
  const found = Object.entries(constants.errno).find(([, value]) => value === code);
  return found === undefined ? `errno ${code}` : found[0];
}

type Call = (...args: unknown[]) => number;
interface AsyncCall extends Call {
  async(...args: unknown[]): void;
}

// ssize_t preadv2(fd, iov, iovcnt, offset, flags): reads what is in the page cache without waiting for the disk.
const preadv2 = libc.func('int64_t preadv2(int, void *, int, int64_t, int)') as Call;
// ssize_t pwritev(fd, iov, iovcnt, offset), with addresses as numbers: the buffers are another thread's.
const pwritev = libc.func('int64_t pwritev(int, uint64_t, int, int64_t)') as Call;
// int fcntl(fd, F_OFD_SETLK, struct flock *): an advisory lock which belongs to the open file, not to the process.
const fcntl = libc.func('int fcntl(int, int, void *)') as Call;
// int fallocate(fd, mode, offset, length): reserves space, or punches a hole.
const fallocate = libc.func('int fallocate(int, int, int64_t, int64_t)') as AsyncCall;
// int posix_fadvise(fd, offset, length, advice): what is cached of a file; answers the errno.
const posixFadvise = libc.func('int posix_fadvise(int, int64_t, int64_t, int)') as AsyncCall;
// off_t lseek(fd, offset, whence): finds data and holes; the file position itself is used by nobody.
const lseek = libc.func('int64_t lseek(int, int64_t, int)') as AsyncCall;
// int ioctl(fd, request, arg): size and sector length of a block device.
const ioctl = libc.func('int ioctl(int, ulong, void *)') as Call;

// int setsockopt(fd, level, name, value, length).
const setsockopt = libc.func('int setsockopt(int, int, int, void *, uint32_t)') as Call;

const RWF_NOWAIT = 8;

/** A buffer with the `struct iovec` that describes it (base address, length), made once. */
export interface PinnedBuffer {
  readonly bytes: Uint8Array;
  readonly iovec: Uint8Array;
  readonly iovecView: DataView;
}

/** An ArrayBuffer of its own each: memory outside V8's heap, which never moves. */
export function pin(length: number): PinnedBuffer {
  const bytes = new Uint8Array(new ArrayBuffer(length));
  const iovec = new Uint8Array(new ArrayBuffer(16));
  const iovecView = new DataView(iovec.buffer);
  iovecView.setBigUint64(0, koffi.address(bytes), true);
  return { bytes, iovec, iovecView };
}

/** Reads into the start of `buffer` what is cached: a count, which may be short; -EAGAIN if nothing is. */
export function readCached(fd: number, buffer: PinnedBuffer, length: number, offset: number): number {
  buffer.iovecView.setUint32(8, length, true);
  const count = preadv2(fd, buffer.iovec, 1, offset, RWF_NOWAIT);
  return count < 0 ? -koffi.errno() : count;
}

const addresses = new WeakMap<ArrayBufferLike, number>();

/** Where a buffer lies; it stays there. */
export function addressOf(buffer: ArrayBufferLike): number {
  let address = addresses.get(buffer);
  if (address === undefined) {
    address = Number(koffi.address(new Uint8Array(buffer)));
    addresses.set(buffer, address);
  }
  return address;
}

/** Writes what the iovecs at `iovecs`, an address, describe: a count, which may be short, or the errno negated. */
export function writeAt(fd: number, iovecs: number, count: number, offset: number): number {
  return checked(pwritev(fd, iovecs, count, offset));
}

const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;

/** Locks the whole file, shared or exclusively; -EAGAIN (or -EACCES) if somebody else holds it. Ends with close. */
export function lockFile(fd: number, mode: 'shared' | 'exclusive'): number {
  // struct flock: l_type s16 @0, l_whence s16 @2, l_start s64 @8, l_len s64 @16 (0: to the end), l_pid s32 @24.
  const flock = new Uint8Array(32);
  new DataView(flock.buffer).setInt16(0, mode === 'shared' ? F_RDLCK : F_WRLCK, true);
  return checked(fcntl(fd, F_OFD_SETLK, flock));
}

const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;

/** Reserves space for the range; the file grows to its end. */
export function allocate(fd: number, offset: number, length: number): Promise<number> {
  return inPool(fallocate, fd, 0, offset, length);
}

/** Deallocates the range, which then reads as zeros; the file keeps its length. */
export function punchHole(fd: number, offset: number, length: number): Promise<number> {
  return inPool(fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

const POSIX_FADV_DONTNEED = 4;

/** The page cache forgets what it has of the file and is not to be written yet: later reads ask the medium. */
export async function forgetCached(fd: number): Promise<void> {
  await inPool(posixFadvise, fd, 0, 0, POSIX_FADV_DONTNEED);
}

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** Offset of the next data at or after `offset`; -ENXIO if there is none. */
export function seekData(fd: number, offset: number): Promise<number> {
  return inPool(lseek, fd, offset, SEEK_DATA);
}

/** Offset of the next hole at or after `offset`; the end of the file counts as one. */
export function seekHole(fd: number, offset: number): Promise<number> {
  return inPool(lseek, fd, offset, SEEK_HOLE);
}

const BLKGETSIZE64 = 0x8008_1272;
const BLKPBSZGET = 0x127b;

/** Length of a block device in bytes. */
export function blockDeviceLength(fd: number): number {
  const size = new Uint8Array(8);
  const status = checked(ioctl(fd, BLKGETSIZE64, size));
  return status < 0 ? status : Number(new DataView(size.buffer).getBigUint64(0, true));
}

/** Physical sector length of a block device. */
export function physicalSectorLength(fd: number): number {
  const length = new Uint8Array(4);
  const status = checked(ioctl(fd, BLKPBSZGET, length));
  return status < 0 ? status : new DataView(length.buffer).getUint32(0, true);
}

const SOL_SOCKET = 1;
const SO_LINGER = 13;

/** When the descriptor is closed, what is queued is discarded and the other side gets a reset (socket(7)). */
export function setResetOnClose(fd: number): number {
  // struct linger: l_onoff s32, l_linger s32.
  return checked(setsockopt(fd, SOL_SOCKET, SO_LINGER, Int32Array.of(1, 0), 8));
}

const IPPROTO_TCP = 6;
const TCP_USER_TIMEOUT = 18;

/** A TCP connection on which data sent has not been acknowledged for so long is over (tcp(7), RFC 5482). */
export function setUserTimeout(fd: number, ms: number): number {
  return checked(setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, Uint32Array.of(ms), 4));
}

function checked(result: number): number {
  return result < 0 ? -koffi.errno() : result;
}

function inPool(call: AsyncCall, ...args: unknown[]): Promise<number> {
  return new Promise((resolve, reject) => {
    // koffi restores the worker's errno around this callback.
    call.async(...args, (error: Error | null, result: number) => {
      if (error === null) resolve(checked(result));
      else reject(error);
    });
  });
}
