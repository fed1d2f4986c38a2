/** Opens the file beneath a device, and makes it where the specification says how long it is to be. */

import { existsSync } from 'node:fs';
import { fail, type Result } from './base/result.ts';
import type { StartFault } from './engine/messages.ts';
import type { FileDeviceSpec } from './engine/spec.ts';
import type { Disk } from './ports/disk.ts';
import { openFileDisk, type OpenFault } from './runtime/file-disk.ts';

export async function openDisk(
  spec: FileDeviceSpec,
  onProgress: (done: number, total: number) => void,
): Promise<Result<Disk, StartFault>> {
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
    missing && length !== undefined ? { create: { length, allocation, onProgress } as const } : {};
  const disk = await openFileDisk(path, { readOnly, ...create });
  return disk.ok ? disk : fail(startFault(disk.fault));
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
