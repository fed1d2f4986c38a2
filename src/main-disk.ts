/** Opens the file beneath a device, and makes it where the specification says how long it is to be. */

import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { fail, ok, type Result } from './base/result.ts';
import type { OpenedDisk, RecordsLength } from './engine/mirrors.ts';
import type { StartFault } from './engine/messages.ts';
import type { MediumSpec } from './engine/spec.ts';
import { openFileDisk, type OpenFault } from './runtime/file-disk.ts';

export async function openDisk(
  spec: MediumSpec,
  onProgress: (done: number, total: number) => void,
  signal: AbortSignal,
): Promise<Result<OpenedDisk, StartFault>> {
  const { path, length, readOnly } = spec;
  const missing = !existsSync(path);
  if (missing && length === undefined) {
    return fail({
      reason: 'configuration',
      message: `There is no file ${path} for device ${spec.name}: check the path, or give a size to create it.`,
    });
  }
  const allocation = spec.provisioning === 'thick' ? 'thick' : 'sparse';
  const create =
    missing && length !== undefined ? { create: { length, allocation, onProgress, signal } as const } : {};
  const disk = await openFileDisk(path, { readOnly, ...create });
  if (!disk.ok) return fail(startFault(disk.fault));
  // It may have grown since it was made.
  if (length === undefined || disk.value.length >= length) {
    return ok({ disk: disk.value, fresh: missing });
  }
  await disk.value.close();
  return fail({
    reason: 'configuration',
    message:
      `${path} is there already and has ${disk.value.length} bytes, less than ${length}: ` +
      'leave the size away, or name another file.',
  });
}

/** Superblock and journal of a mirrored device. */
export async function openRecords(
  file: string,
  { made, least }: RecordsLength,
  signal: AbortSignal,
): Promise<Result<OpenedDisk, StartFault>> {
  const fresh = !existsSync(file);
  if (fresh) mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const create = fresh ? { create: { length: made, allocation: 'thick', signal } as const } : {};
  const disk = await openFileDisk(file, { readOnly: false, ...create });
  if (!disk.ok) return fail(startFault(disk.fault));
  if (disk.value.length >= least) return ok({ disk: disk.value, fresh });
  await disk.value.close();
  return fail({
    reason: 'configuration',
    message: `${file} has ${disk.value.length} bytes and should have ${least} at least: it belongs to another device, or the size of its device was changed.`,
  });
}

function startFault(fault: OpenFault): StartFault {
  const { path } = fault;
  switch (fault.kind) {
    case 'locked':
      return {
        reason: 'inUse',
        message: `${path} is in use by another program: stop that one, or choose another file.`,
      };
    case 'notPermitted':
      return {
        reason: 'system',
        message: `${path} cannot be opened, no permission: run as its owner, or chmod it.`,
      };
    case 'noSpace':
      return {
        reason: 'system',
        message: `There is no room for ${path}: free some, choose a smaller size, or make it sparse (thin).`,
      };
    default:
      return { reason: 'system', message: `${fault.message}.` };
  }
}
