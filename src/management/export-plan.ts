/** The plan behind `lockstep export`: disks given on the command line, one target, served now. */

import { existsSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { fail, ok, type Result } from '../base/result.ts';
import type { BlockLength, WriteCache } from '../ports/block-device.ts';
import type { ChapSpec, DeviceSpec, DigestPolicy, Provisioning } from '../engine/spec.ts';
import { formatSize } from '../base/units.ts';
import { faultOfCaches } from './cache-budget.ts';
import { faultOfName, hostName, nameFromAlias, normalizeName } from './config/names.ts';
import { faultOfSecret, mutualFaults, readSecret } from './config/resolve.ts';
import { DEFAULT_KEEP_ALIVE, identityOf, type NodePlan, PORTAL_GROUP_TAG } from './plan.ts';

export interface ExportOptions {
  readonly ram?: readonly number[];
  readonly size?: number;
  readonly sector: BlockLength;
  readonly physicalSector?: BlockLength;
  readonly portal?: readonly string[];
  readonly announce?: readonly string[];
  readonly name?: string;
  readonly readOnly?: boolean;
  readonly removable?: boolean;
  readonly provisioning: Provisioning;
  readonly writeCache: WriteCache;
  /** Bytes of memory for the cache of each FILE. */
  readonly cache?: number;
  readonly powerProtected?: boolean;
  readonly chap?: readonly string[];
  readonly chapFile?: string;
  readonly mutualChap?: string;
  readonly allow?: readonly string[];
  readonly digests: DigestPolicy;
  readonly sendTargetsInNormalSession?: boolean;
  readonly engines: number;
}

export interface ExportContext {
  readonly directory: string;
  readonly stateDirectory: string;
  readonly nodeId: string;
  readonly startId: string;
  /** Bytes that all programs on this machine together may use. */
  readonly memory: number;
}

export const DEFAULT_PORTAL = '127.0.0.1:3260';

export function planExport(
  files: readonly string[],
  options: ExportOptions,
  context: ExportContext,
): Result<NodePlan, string> {
  const devices: DeviceSpec[] = [];
  for (const file of files) {
    const device = fileDevice(file, options, context);
    if (!device.ok) return device;
    devices.push(device.value);
  }
  for (const [index, length] of (options.ram ?? []).entries()) {
    devices.push(ramDevice(index, length, options, context));
  }
  const unfit = faultOfCaches(devices, context.memory);
  if (unfit !== undefined) return fail(`--cache ${formatSize(options.cache ?? 0)} is too much: ${unfit}.`);
  if (options.cache !== undefined && options.writeCache === 'back' && options.powerProtected !== true) {
    return fail(
      '--write-cache back with --cache acknowledges writes that only memory has: with an uninterruptible power supply, confirm that by --power-protected; otherwise use --write-cache through.',
    );
  }
  if (devices.length === 0) {
    return fail('Nothing to export: name at least one FILE, or --ram SIZE.');
  }
  if (new Set(devices.map((device) => device.name)).size < devices.length) {
    return fail('The same file is named twice; every LUN needs a disk of its own.');
  }
  const name = normalizeName(options.name ?? nameFromAlias(aliasOf(files), hostName()));
  const bad = faultOfName(name);
  if (bad !== undefined) return fail(`--name "${name}" cannot be used: ${bad}.`);
  const chap = chapOf(options);
  if (!chap.ok) return chap;
  const allow = allowOf(options);
  if (!allow.ok) return allow;
  const portals = [...new Set(options.portal ?? [DEFAULT_PORTAL])];
  const announce = options.announce;
  return ok({
    name: hostName(),
    stateDirectory: context.stateDirectory,
    portals: portals.map((address, index) => ({
      address,
      // What is announced stands for all portals together, so one of them carries it.
      announce: announce === undefined ? undefined : index === 0 ? announce : [],
    })),
    engines: options.engines,
    keepAlive: DEFAULT_KEEP_ALIVE,
    cluster: undefined,
    memory: context.memory,
    devices,
    witnessed: [],
    targets: [
      {
        name,
        alias: aliasOf(files),
        portals,
        portalGroupTag: PORTAL_GROUP_TAG,
        relativeTargetPort: 1,
        luns: devices.map((device, lun) => ({ lun, device: device.name })),
        allow: allow.value,
        chap: chap.value,
        digests: options.digests,
        sendTargetsInNormalSession: options.sendTargetsInNormalSession ?? false,
      },
    ],
  });
}

function fileDevice(
  file: string,
  options: ExportOptions,
  context: ExportContext,
): Result<DeviceSpec, string> {
  const full = path.resolve(context.directory, file);
  if (!existsSync(full)) {
    if (options.size === undefined) {
      return fail(`There is no file ${file}: check the name, or give --size SIZE to create it.`);
    }
    if (options.readOnly === true) {
      return fail(`There is no file ${file}, and --read-only does not create one: leave one of them away.`);
    }
    if (!existsSync(path.dirname(full))) {
      return fail(
        `There is no directory ${path.dirname(full)} to create ${path.basename(full)} in: make it first.`,
      );
    }
  } else if (statSync(full).isDirectory()) {
    return fail(`${file} is a directory; name an image file or a block device in it.`);
  }
  // One disk by whatever name: its identity must not depend on how it was spelt.
  const real = existsSync(full)
    ? realpathSync(full)
    : path.join(realpathSync(path.dirname(full)), path.basename(full));
  return ok({
    ...commonOf(options),
    kind: 'file',
    name: real,
    path: real,
    length: options.size,
    cacheMemory: options.cache ?? 0,
    isPowerProtected: options.powerProtected === true,
    identity: identityOf([context.nodeId, real], undefined),
  });
}

function ramDevice(
  index: number,
  length: number,
  options: ExportOptions,
  context: ExportContext,
): DeviceSpec {
  const name = `ram${index}`;
  // Empty at each start, so another disk each time: an initiator must not take it for the one it knew.
  const identity = identityOf([context.nodeId, name, context.startId], undefined);
  return { ...commonOf(options), kind: 'ram', name, length, identity };
}

function commonOf(options: ExportOptions) {
  return {
    blockLength: options.sector,
    physicalBlockExponent:
      options.physicalSector === undefined
        ? undefined
        : Math.max(0, Math.log2(options.physicalSector / options.sector)),
    provisioning: options.provisioning,
    readOnly: options.readOnly ?? false,
    writeCache: options.writeCache,
    removable: options.removable ?? false,
  };
}

function aliasOf(files: readonly string[]): string {
  const [first] = files;
  return first === undefined ? 'ram' : path.basename(first).replace(/\.(img|raw|iso)$/i, '');
}

function chapOf(options: ExportOptions): Result<ChapSpec | undefined, string> {
  const written = [...(options.chap ?? [])];
  if (options.chapFile !== undefined) {
    const line = readSecret(options.chapFile);
    if (!line.ok) return fail(`--chap-file: ${line.fault}.`);
    written.push(line.value);
  }
  const users = [];
  for (const text of written) {
    const user = credentialsOf(text, '--chap');
    if (!user.ok) return user;
    users.push(user.value);
  }
  const mutual =
    options.mutualChap === undefined ? undefined : credentialsOf(options.mutualChap, '--mutual-chap');
  if (mutual?.ok === false) return mutual;
  if (users.length === 0) {
    return mutual === undefined ? ok(undefined) : fail('--mutual-chap needs --chap USER:SECRET as well.');
  }
  const [same] = mutualFaults(users, mutual?.value);
  if (same !== undefined) return fail(`--mutual-chap: ${same}.`);
  return ok({ users, mutual: mutual?.value, algorithms: ['sha3-256', 'sha256', 'sha1', 'md5'] });
}

function credentialsOf(text: string, option: string): Result<{ user: string; secret: string }, string> {
  const colon = text.indexOf(':');
  if (colon < 1) return fail(`${option} needs USER:SECRET, a name, a colon and a secret.`);
  const secret = text.slice(colon + 1);
  const bad = faultOfSecret(secret);
  return bad === undefined ? ok({ user: text.slice(0, colon), secret }) : fail(`${option}: ${bad}.`);
}

function allowOf(options: ExportOptions): Result<readonly string[] | undefined, string> {
  if (options.allow === undefined) return ok(undefined);
  const names = options.allow.map(normalizeName);
  const bad = names.find((name) => faultOfName(name) !== undefined);
  return bad === undefined ? ok(names) : fail(`--allow "${bad}": ${faultOfName(bad)}.`);
}
