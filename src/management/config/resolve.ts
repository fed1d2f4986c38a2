/**
 * From tables to a plan: what needs several fields at once is checked here (names that must differ, references, LUNs,
 * secrets), defaults that depend on others are decided, and files named by the configuration are looked up.
 */

import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fail, ok, type Result } from '../../base/result.ts';
import type { ChapSpec, Credentials, DeviceSpec, LunSpec, TargetSpec } from '../../engine/spec.ts';
import { faultOfCaches, largestCache } from '../cache-budget.ts';
import { type ClusterPlan, identityOf, type NodePlan, PORTAL_GROUP_TAG } from '../plan.ts';
import { type ConfigFault, reasonOf } from './load.ts';
import { hostName, nameFromAlias } from './names.ts';
import {
  type ClusterContext,
  clusterOf,
  isWitnessed,
  mirrorIdentity,
  mirrorOf,
  witnessOf,
} from './resolve-cluster.ts';
import {
  CACHE_AS_LARGE_AS_POSSIBLE,
  CACHE_BYTES_MIN,
  type ConfigFile,
  type CredentialsTable,
  type DeviceTable,
  LUN_NUMBER_MAX,
  NODE_NUMBER_MAX,
  SECRET_BYTES_MAX,
  SECRET_BYTES_MIN,
  type TargetTable,
} from './schema.ts';

export interface ResolveOptions {
  /** Directory that relative paths start from. */
  readonly directory: string;
  readonly stateDirectory: string;
  /** Identifies this installation: devices of two nodes never get the same names. */
  readonly nodeId: string;
  /** The host of this machine may stop it, clock and all. */
  readonly isVirtualMachine: boolean;
  /** Bytes that all programs on this machine together may use. */
  readonly memory: number;
  /** Different with each start: a RAM disk that is empty again is another disk. */
  readonly startId: string;
}

export function resolveConfig(
  config: ConfigFile,
  options: ResolveOptions,
): Result<NodePlan, readonly ConfigFault[]> {
  const faults: ConfigFault[] = [];
  const node = config.node.name ?? hostName();
  const portals = config.portal.map((portal) => portal.address);
  unique(portals, '[[portal]] address', faults);
  unique(
    config.device.map((device) => device.name),
    '[[device]] name',
    faults,
  );
  const witnessed = config.device.filter((table) => isWitnessed(table, node));
  const served = sized(
    config.device.filter((table) => !isWitnessed(table, node)),
    options.memory,
  );
  const isWitness = witnessed.length > 0 && served.length === 0;
  if (portals.length === 0 && !isWitness) {
    faults.push({ place: '', message: 'there is no [[portal]]: write one with address = "ADDRESS:3260"' });
  }
  if (config.target.length === 0 && !isWitness) {
    faults.push({ place: '', message: 'there is no [[target]]: nothing would be served' });
  }
  const targets = config.target.map((table, index) => {
    const place = `[[target]] ${index + 1}${table.alias === undefined ? '' : ` "${table.alias}"`}`;
    return targetOf(table, { index, place, node, portals, config, directory: options.directory, faults });
  });
  unique(
    targets.map((target) => target.name),
    '[[target]] name',
    faults,
  );
  uniquePaths(config.device, options.directory, faults);
  const context = { ...options, config, nodeName: node, faults };
  const cluster = clusterOf(context);
  const devices = served.flatMap((table) => deviceOf(table, options, cluster, context) ?? []);
  const witnesses = witnessed.flatMap((table) => witnessOf(table, cluster, context) ?? []);
  mirroredTargets(config, faults);
  const unfit = faultOfCaches(devices, options.memory);
  if (unfit !== undefined) faults.push({ place: '[[device]] cache', message: unfit });
  if (faults.length > 0) return fail(faults);
  return ok({
    name: node,
    stateDirectory: options.stateDirectory,
    portals: config.portal,
    engines: config.node.engines,
    keepAlive: {
      pingAfterSeconds: config.node.ping_after_seconds,
      deadAfterSeconds: config.node.dead_after_seconds,
    },
    cluster,
    memory: options.memory,
    devices,
    witnessed: witnesses,
    targets,
  });
}

/** With sizes for caches that are to be as large as possible: what is left, in equal parts. */
function sized(tables: readonly DeviceTable[], memory: number): DeviceTable[] {
  const taken = tables.map((table) => ({ bytes: table.kind === 'ram' ? table.size : table.cache }));
  // Too much for a machine that has nothing left, which is then told.
  const cache = Math.max(CACHE_BYTES_MIN, largestCache(taken, memory));
  return tables.map((table) =>
    table.kind !== 'ram' && table.cache === CACHE_AS_LARGE_AS_POSSIBLE ? { ...table, cache } : table,
  );
}

function deviceOf(
  table: DeviceTable,
  options: ResolveOptions,
  cluster: ClusterPlan | undefined,
  context: ClusterContext,
): DeviceSpec | undefined {
  if (table.kind === 'mirror') {
    const mirror = mirrorOf(table, cluster, context);
    return mirror && { ...commonOf(table, mirrorIdentity(table)), ...mirror };
  }
  const seed = table.serial === undefined ? [options.nodeId, table.name] : ['serial', table.serial];
  const volatile = table.kind === 'ram' && table.serial === undefined ? [options.startId] : [];
  const common = commonOf(table, identityOf([...seed, ...volatile], table.serial));
  if (table.kind === 'ram') return { ...common, kind: 'ram', length: table.size };
  if (table.cache > 0 && table.write_cache === 'back' && !table.power_protected)
    context.faults.push({
      place: `[[device]] "${table.name}"`,
      message:
        'write_cache = "back" with a cache acknowledges writes that only memory has: with an uninterruptible power supply, confirm that by power_protected = true; otherwise leave it at "through"',
    });
  return {
    ...common,
    kind: 'file',
    path: path.resolve(options.directory, table.path),
    length: table.size,
    cacheMemory: table.cache,
    isPowerProtected: table.power_protected,
  };
}

function commonOf(table: DeviceTable, identity: DeviceSpec['identity']) {
  return {
    name: table.name,
    blockLength: table.sector,
    physicalBlockExponent:
      table.physical_sector === undefined
        ? undefined
        : Math.max(0, Math.log2(table.physical_sector / table.sector)),
    provisioning: table.provisioning,
    readOnly: table.read_only,
    writeCache: table.write_cache,
    removable: table.removable,
    identity,
  };
}

interface TargetContext {
  readonly index: number;
  readonly place: string;
  readonly node: string;
  readonly portals: readonly string[];
  readonly config: ConfigFile;
  readonly directory: string;
  readonly faults: ConfigFault[];
}

function targetOf(table: TargetTable, context: TargetContext): TargetSpec {
  const { place, faults } = context;
  if (table.name === undefined && table.alias === undefined) {
    faults.push({ place, message: 'write an alias, from which the iSCSI name is made, or a name' });
  }
  if (table.allow === undefined && table.chap === undefined) {
    faults.push({
      place,
      message:
        'nobody could log in: write allow = ["iqn…"] with the initiators that may, allow = ["*"] for all, or chap',
    });
  }
  const portals = table.portals ?? context.portals;
  for (const portal of portals) {
    if (context.portals.includes(portal)) continue;
    faults.push({ place: `${place}: portals`, message: `"${portal}" is no [[portal]]; add it there first` });
  }
  return {
    name: table.name ?? nameFromAlias(table.alias ?? '', context.node),
    alias: table.alias,
    portals,
    portalGroupTag: PORTAL_GROUP_TAG,
    relativeTargetPort: portOf(table, context),
    luns: lunsOf(table, context),
    allow: table.allow === undefined || table.allow.includes('*') ? undefined : table.allow,
    chap: table.chap === undefined ? undefined : chapOf(table.chap, context),
    digests: table.digests,
    sendTargetsInNormalSession: table.send_targets_in_normal_session,
  };
}

/**
 * A mirrored device is behind one target on each of its nodes, whose port has the node's number: so all nodes know all
 * ports. In a cluster other targets have numbers beyond those.
 */
function portOf(table: TargetTable, { config, index }: TargetContext): number {
  if (config.cluster === undefined) return index + 1;
  return isMirrored(table, config) ? config.cluster.node : NODE_NUMBER_MAX + 1 + index;
}

function isMirrored({ luns }: TargetTable, { device: devices }: ConfigFile): boolean {
  return luns.some(({ device }) => devices.some(({ name, kind }) => name === device && kind === 'mirror'));
}

/** What their ports are numbered by. */
function mirroredTargets(config: ConfigFile, faults: ConfigFault[]): void {
  for (const { name, kind } of config.device) {
    if (kind !== 'mirror') continue;
    const targets = config.target.filter(({ luns }) => luns.some(({ device }) => device === name));
    if (targets.length > 1)
      faults.push({
        place: `[[device]] "${name}"`,
        message: 'a mirrored device is behind one target on each node, and here it is behind several',
      });
  }
}

/** Those without a number get the lowest that is free: the first is LUN 0, the next LUN 1. */
function lunsOf(table: TargetTable, { place, config, faults }: TargetContext): LunSpec[] {
  const taken = new Set<number>();
  const devices = new Set<string>();
  for (const { lun, device } of table.luns) {
    if (!config.device.some((known) => known.name === device)) {
      faults.push({ place: `${place}: luns`, message: `there is no [[device]] named "${device}"` });
    }
    if (devices.has(device)) {
      faults.push({ place: `${place}: luns`, message: `device "${device}" stands here twice` });
    }
    if (lun !== undefined && taken.has(lun)) {
      faults.push({ place: `${place}: luns`, message: `LUN ${lun} is given twice; each has its own number` });
    }
    devices.add(device);
    if (lun !== undefined) taken.add(lun);
  }
  return table.luns.map(({ lun, device }) => {
    const number = lun ?? lowestFree(taken);
    taken.add(number);
    return { lun: number, device };
  });
}

function lowestFree(taken: ReadonlySet<number>): number {
  let lun = 0;
  while (lun < LUN_NUMBER_MAX && taken.has(lun)) lun += 1;
  return lun;
}

function chapOf(table: NonNullable<TargetTable['chap']>, context: TargetContext): ChapSpec {
  const place = `${context.place}: chap`;
  const users = table.users.map((user) => credentialsOf(user, place, context));
  const mutual = table.mutual === undefined ? undefined : credentialsOf(table.mutual, place, context);
  unique(
    users.map((user) => user.user),
    `${place}.users`,
    context.faults,
  );
  context.faults.push(...mutualFaults(users, mutual).map((message) => ({ place, message })));
  return { users, mutual, algorithms: table.algorithms };
}

function credentialsOf(table: CredentialsTable, place: string, context: TargetContext): Credentials {
  const { user, secret: written, secret_file: file } = table;
  const at = `${place}: user "${user}"`;
  const fault = (message: string): Credentials => {
    context.faults.push({ place: at, message });
    return { user, secret: '' };
  };
  if ((written === undefined) === (file === undefined)) return fault('write either secret or secret_file');
  let secret = written ?? '';
  if (file !== undefined) {
    const read = readSecret(path.resolve(context.directory, file));
    if (!read.ok) return fault(read.fault);
    secret = read.value;
  }
  const bad = faultOfSecret(secret);
  return bad === undefined ? { user, secret } : fault(bad);
}

/** Why this is no CHAP secret; undefined when it is one. */
export function faultOfSecret(secret: string): string | undefined {
  const bytes = Buffer.byteLength(secret);
  if (bytes < SECRET_BYTES_MIN) {
    return `the secret has ${bytes} bytes, fewer than ${SECRET_BYTES_MIN} (RFC 7143 §9.2.1); choose a longer one`;
  }
  return bytes > SECRET_BYTES_MAX ? `the secret has more than ${SECRET_BYTES_MAX} bytes` : undefined;
}

/** RFC 7143 §9.2.1: the same secret in both directions lets an attacker reflect the challenge. */
export function mutualFaults(users: readonly Credentials[], mutual: Credentials | undefined): string[] {
  if (mutual === undefined || !users.some((user) => user.secret === mutual.secret)) return [];
  return ['the target proves itself with the same secret as an initiator; choose another for mutual'];
}

/** First line of a file that only its owner and group may read. */
export function readSecret(file: string): Result<string, string> {
  try {
    if ((statSync(file).mode & 0o007) !== 0) {
      return fail(`${file} can be read by every user; chmod 600 it`);
    }
    return ok(readFileSync(file, 'utf8').split(/\r?\n/)[0]!);
  } catch (error) {
    return fail(`${file}: ${reasonOf(error)}`);
  }
}

function unique(values: readonly string[], place: string, faults: ConfigFault[]): void {
  const seen = new Set<string>();
  for (const value of values) {
    if (seen.has(value)) faults.push({ place, message: `"${value}" stands here twice` });
    seen.add(value);
  }
}

function uniquePaths(devices: readonly DeviceTable[], directory: string, faults: ConfigFault[]): void {
  const paths = devices.flatMap((device) =>
    device.kind === 'ram' || device.path === undefined ? [] : [path.resolve(directory, device.path)],
  );
  unique(paths, '[[device]] path', faults);
}
