/** Opens what a device's specification says: the medium, the store on it, the logical unit in front of it. */

import { assert } from '../base/assert.ts';
import { DONE, fail, ok, type Result } from '../base/result.ts';
import type { GrowableDevice } from '../ports/block-device.ts';
import type { Crypto } from '../ports/crypto.ts';
import type { RecordFault, RecordFile } from '../ports/record-file.ts';
import type { Trace } from '../ports/trace.ts';
import { createLogicalUnit, type LogicalUnit } from '../scsi/logical-unit.ts';
import { encodeRecord } from '../scsi/reservations/record.ts';
import { NOTHING_RESERVED } from '../scsi/reservations/state.ts';
import type { UnitReservations } from '../scsi/reservations/held.ts';
import { openReservations } from '../scsi/reservations/reservations.ts';
import { createRamStore } from '../store/ram-store.ts';
import type { AskPartner } from './device-commands.ts';
import type { OpenKeeper } from './own-side.ts';
import type { Cache } from '../cache/cache.ts';
import { openCachedStore } from './cached-store.ts';
import { hexBytes, hexText } from './hex.ts';
import { type ServedDevice, servedDevice } from './served-device.ts';
import type { StartFault } from './messages.ts';
import type { MirrorDevice } from './mirror/mirror-device.ts';
import type { MirrorEvents } from './mirror/mirror-host.ts';
import { MirrorUnit } from './mirror/mirror-unit.ts';
import { type MirrorsPorts, type OpenMirror, openMirror } from './mirrors.ts';
import type { ClusterSpec, DeviceSpec, FileDeviceSpec, Identity, MirrorDeviceSpec } from './spec.ts';

/** The doors of one storage node to the world. */
export interface StorageNodePorts extends MirrorsPorts {
  /** A durable record of this name; undefined where nothing can be kept. */
  openRecord(name: string): RecordFile | undefined;
  readonly askPartner: AskPartner;
  readonly openKeeper: OpenKeeper;
}

/** A device of this engine while it is served. */
export interface OpenDevice {
  readonly spec: DeviceSpec;
  readonly identity: Identity;
  readonly device: ServedDevice;
  readonly unit: LogicalUnit;
  /** What lies beneath, where that is this node's alone. */
  readonly store: GrowableDevice | undefined;
  /** The cache of what this node has of it; undefined: a disk in memory, which can have none. */
  readonly cache: Cache | undefined;
  /** This node's part in it, where partners have others. */
  readonly mirror: OpenMirror | undefined;
}

const PRODUCT = 'VIRTUAL DISK';
const REVISION = '0001';
/** Most media have 4096-byte physical sectors now; initiators align to what we say. */
const PHYSICAL_BLOCK_LENGTH = 4096;

export async function openDevice(
  spec: DeviceSpec,
  options: {
    readonly incarnation: number;
    readonly durable: boolean;
    readonly cluster: ClusterSpec | undefined;
    /** Ends every session that uses the device. */
    dropSessions(device: string, reason: string): void;
    readonly ports: StorageNodePorts;
    readonly onProgress: (done: number, total: number) => void;
  },
): Promise<Result<OpenDevice, StartFault>> {
  const { ports, incarnation } = options;
  if (spec.kind === 'mirror') return openMirrored(spec, options);
  const store = spec.kind === 'ram' ? await openRam(spec) : await openFile(spec, ports, options.onProgress);
  if (!store.ok) return store;
  const identity = spec.kind === 'ram' ? renewed(spec.identity, incarnation, ports.crypto) : spec.identity;
  // What protects the content must live as long as the content, and no longer.
  const record = spec.kind === 'file' && options.durable ? ports.openRecord(identity.naa) : undefined;
  const reservations = await reservationsOf(record, store.value.fresh, ports.trace);
  if (!reservations.ok) {
    await store.value.device.close();
    const { name, cause } = reservations.fault;
    const remedy = 'restore that file, or remove it to give all reservations up';
    return fail(system(spec, `its persistent reservations in ${name} cannot be read (${cause}): ${remedy}`));
  }
  const device = servedDevice(store.value.device, spec.physicalBlockExponent);
  const unit = createLogicalUnit({
    device,
    identity: { product: PRODUCT, revision: REVISION, serial: identity.serial, naa: hexBytes(identity.naa) },
    removable: spec.removable,
    clock: ports.clock,
    crypto: ports.crypto,
    reservations: reservations.value,
    isWriteCacheFixed: () => isUnprotected(spec, store.value.cache),
  });
  return ok({
    spec,
    identity,
    device,
    unit,
    store: store.value.device,
    cache: store.value.cache,
    mirror: undefined,
  });
}

/** Initiators would have memory hold writes back that no power supply keeps. */
function isUnprotected(spec: DeviceSpec, cache: Cache | undefined): boolean {
  return spec.kind === 'file' && !spec.isPowerProtected && cache !== undefined && cache.mode !== 'none';
}

async function openMirrored(
  spec: MirrorDeviceSpec,
  options: Parameters<typeof openDevice>[1],
): Promise<Result<OpenDevice, StartFault>> {
  const { ports, cluster } = options;
  assert(cluster !== undefined, 'a mirrored device has a cluster');
  const { identity } = spec;
  let served: { readonly device: ServedDevice; readonly front: MirrorUnit } | undefined;
  const createEvents = (mirrored: MirrorDevice): MirrorEvents => {
    const device = servedDevice(mirrored, spec.physicalBlockExponent);
    const front = new MirrorUnit({
      self: cluster.node,
      nodes: spec.site.nodes,
      device,
      identity: {
        product: PRODUCT,
        revision: REVISION,
        serial: identity.serial,
        naa: hexBytes(identity.naa),
      },
      clock: ports.clock,
      trace: (level, event, fields) => ports.trace(level, event, { device: spec.name, ...fields }),
    });
    served = { device, front };
    return {
      attached: (node) => front.attach(node),
      detached: () => front.detach(),
      dropSessions: (reason) => options.dropSessions(spec.name, reason),
      onChanged: () => front.onChanged(),
      onDocument: (name, bytes) => front.onDocument(name, bytes),
    };
  };
  const opened = await openMirror(spec, cluster, ports, createEvents, options.onProgress);
  if (!opened.ok) return opened;
  assert(served !== undefined, 'events are made before a mirror is opened');
  const { device, front } = served as { readonly device: ServedDevice; readonly front: MirrorUnit };
  return ok({
    spec,
    identity,
    device,
    unit: front.unit,
    store: undefined,
    cache: opened.value.cache,
    mirror: opened.value,
  });
}

async function reservationsOf(
  record: RecordFile | undefined,
  fresh: boolean,
  trace: Trace,
): Promise<Result<UnitReservations, RecordFault>> {
  if (record === undefined) return openReservations({ trace });
  if (fresh) {
    const former = await record.load();
    const clean = former.ok && former.value === undefined;
    const saved = clean ? DONE : await record.save(encodeRecord(NOTHING_RESERVED));
    if (!saved.ok) return saved;
  }
  return openReservations({ record, trace });
}

interface OpenedStore {
  readonly device: GrowableDevice;
  readonly cache: Cache | undefined;
  readonly fresh: boolean;
}

async function openRam(spec: Extract<DeviceSpec, { kind: 'ram' }>): Promise<Result<OpenedStore, StartFault>> {
  const { blockLength, length } = spec;
  if (length % blockLength !== 0) {
    return fail(configuration(spec, `its size is no multiple of the sector length ${blockLength}`));
  }
  const store = createRamStore({
    blockLength,
    blockCount: length / blockLength,
    physicalBlockExponent: spec.physicalBlockExponent ?? Math.log2(PHYSICAL_BLOCK_LENGTH / blockLength),
    thin: spec.provisioning === 'thin',
    readOnly: spec.readOnly,
  });
  await store.setWriteCache(spec.writeCache);
  return ok({ device: store, cache: undefined, fresh: true });
}

async function openFile(
  spec: FileDeviceSpec,
  ports: StorageNodePorts,
  onProgress: (done: number, total: number) => void,
): Promise<Result<OpenedStore, StartFault>> {
  const opened = await ports.openDisk(spec, onProgress);
  if (!opened.ok) return opened;
  const { disk, fresh } = opened.value;
  const store = openCachedStore({
    disk,
    blockLength: spec.blockLength,
    writeCache: spec.writeCache,
    cacheMemory: spec.cacheMemory,
    isPowerProtected: spec.isPowerProtected,
    clock: ports.clock,
    // Whether holes can be made in a read-only file cannot be tried; the same disk must look the same either way.
    ...(spec.provisioning === 'thick' ? { thin: false } : spec.readOnly ? { thin: true } : {}),
  });
  if (store.ok) return ok({ device: store.value.device, cache: store.value.cache, fresh });
  await disk.close();
  const remedy = 'enlarge it, or choose the other sector length';
  return fail(configuration(spec, `${store.fault.message}; ${remedy}`));
}

/** What was in memory is gone after a restart: an initiator must not take the empty disk for the one it knew. */
function renewed(identity: Identity, incarnation: number, crypto: Crypto): Identity {
  if (incarnation === 0) return identity;
  const parts = [hexBytes(identity.naa), Uint8Array.of(incarnation & 0xff, (incarnation >> 8) & 0xff)];
  const hash = hexText(crypto.digest('sha256', parts));
  return { naa: identity.naa.slice(0, 7) + hash.slice(0, 25), serial: hash.slice(0, 16).toUpperCase() };
}

function configuration(spec: DeviceSpec, why: string): StartFault {
  return { reason: 'configuration', message: `Device ${spec.name} cannot be served: ${why}.` };
}

function system(spec: DeviceSpec, why: string): StartFault {
  return { reason: 'system', message: `Device ${spec.name} cannot be served: ${why}.` };
}
