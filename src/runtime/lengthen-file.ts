/** Making the file beneath a disk longer while it is in use. */

import { fstat, ftruncate } from 'node:fs';
import { promisify } from 'node:util';
import { DONE, fail, type Result } from '../base/result.ts';
import type { DiskFault } from '../ports/disk.ts';
import { faultOfCode, faultOfErrno } from './file-io.ts';
import { allocate, errno } from './libc.ts';

const fstatAsync = promisify(fstat);
const ftruncateAsync = promisify(ftruncate);

/** Of one step: what is reserved for long does not keep a thread from others. */
const ALLOCATION_STEP = 1024 * 1024 * 1024;

/**
 * Gives up what lies behind `from`, and makes the file `length` bytes long: a hole, or reserved space. Durable after the
 * next flush. A file that is shorter than `from` has been cut by somebody else, and is left as it is; after a fault it is
 * as long as before.
 */
export async function lengthenFile(
  fd: number,
  from: number,
  length: number,
  reserve: boolean,
): Promise<Result<void, DiskFault>> {
  try {
    const { size } = await fstatAsync(fd);
    if (size < from) return fail(faultOfCode('end of file', 'write', size));
    if (size > from) await ftruncateAsync(fd, from);
    const reserved = reserve ? await allocateFrom(fd, from, length) : DONE;
    // What was reserved in vain is given back.
    if (!reserved.ok) await ftruncateAsync(fd, from);
    await ftruncateAsync(fd, reserved.ok ? length : size);
    if (!reserved.ok) return reserved;
    return DONE;
  } catch (error) {
    return fail(
      faultOfCode(error instanceof Error && 'code' in error ? String(error.code) : 'EIO', 'write', from),
    );
  }
}

async function allocateFrom(fd: number, from: number, length: number): Promise<Result<void, DiskFault>> {
  for (let done = from; done < length; ) {
    const step = Math.min(ALLOCATION_STEP, length - done);
    // oxlint-disable-next-line no-await-in-loop -- step by step
    const status = await allocate(fd, done, step);
    if (status === -errno.EINTR) continue;
    if (status < 0) return fail(faultOfErrno(-status, 'write', done));
    done += step;
  }
  return DONE;
}
