/**
 * One engine's storage node: opens the devices, puts targets in front of them, takes connections, drains. Production
 * and simulator run this same object; only its ports differ.
 *
 *   openStorageNode → accept* → drain
 */

import { assert } from '../base/assert.ts';
import type { Uuid } from '../base/uuid.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { ByteStream } from '../ports/byte-stream.ts';
import { STALLED_SEND_MS } from '../iscsi/limits.ts';
import { createIscsiNode, type IscsiNode } from '../iscsi/target.ts';
import { createLoginThrottle } from '../iscsi/login/throttle.ts';
import { DEFAULT_LIMITS } from '../iscsi/login/parameters.ts';
import { findAmong } from '../scsi/copy/designator.ts';
import { createTargetDevice } from '../scsi/target-device.ts';
import { cacheStatistics, reportWriteOut, type WriteOutOptions } from './cache-report.ts';
import { openDevice, type OpenDevice, type StorageNodePorts } from './devices.ts';
import { iscsiTarget } from './iscsi-target.ts';
import type { StartFault } from './messages.ts';
import {
  answerPartner,
  type DeviceAnswer,
  type DeviceCommand,
  type PartnerRequest,
  runCommand,
} from './device-commands.ts';
import { witnessMayLeave } from './leaving.ts';
import { type OpenMirror, openWitness } from './mirrors.ts';
import type { ClusterSpec, EngineSpec, TargetSpec, WitnessSpec } from './spec.ts';
import { mirrorStatistics } from './mirror-statistics.ts';
import type { DeviceStatistics, EngineStatistics } from './statistics.ts';

/** What initiators get to log out by themselves on a stop. */
const LOGOUT_MS_MAX = 3000;

/** Bytes that are left, and the milliseconds that they will take, as far as is known. */
export type OnWritingOut = WriteOutOptions['tell'];

export interface StorageNode {
  /** `answered`: Login Responses that were sent on it before (login-peek.ts). */
  accept(stream: ByteStream, answered: number): void;
  /**
   * Ends the sessions in order, finishes what runs, flushes. Sessions get `withinMs` at most; what caches have to write out
   * takes as long as it takes, and `onWritingOut` is told of it every second.
   */
  drain(withinMs: number, onWritingOut: OnWritingOut): Promise<void>;
  statistics(): Omit<EngineStatistics, 'pid'>;
  /** What an administrator asks of a device, by its name. */
  command(device: string, command: DeviceCommand): Promise<DeviceAnswer>;
  /** What another node asks about a mirrored device, by its id. */
  answerPartner(device: Uuid, request: PartnerRequest): Promise<DeviceAnswer>;
}

export async function openStorageNode(
  spec: EngineSpec,
  ports: StorageNodePorts,
  onProgress: (device: string, done: number, total: number) => void,
): Promise<Result<StorageNode, StartFault>> {
  const front: Front = {};
  const opened = await openDevices(spec, ports, front, onProgress);
  if (!opened.ok) return opened;
  const devices = opened.value;
  const witnesses = await openWitnesses(spec, ports);
  if (!witnesses.ok) {
    await closeAll(devices, new Map());
    return witnesses;
  }
  const iscsi = createIscsi(spec, devices, ports);
  const { askPartner, clock, openKeeper } = ports;
  const describe = (device: OpenDevice): DeviceStatistics => statisticsOf(device, spec.cluster);
  const context = { cluster: spec.cluster, askPartner, clock, openKeeper, statisticsOf: describe };
  front.sessions = sessionsOf(spec, iscsi);
  return ok({
    accept: (stream, answered) => iscsi.accept(stream, { answered }),
    drain: (withinMs, onWritingOut) =>
      drain(iscsi, devices, witnesses.value, ports, { withinMs, onWritingOut }),
    command: async (name, command) => {
      const device = devices.get(name);
      const witness = witnesses.value.get(name);
      if (witness !== undefined) return askedOfWitness(name, witness, command);
      if (device === undefined) return fail(`There is no device ${name} here: see lockstep device list.`);
      return runCommand(device, command, context);
    },
    answerPartner: async (id, request) => {
      const device = Array.from(devices.values()).find(
        (one) => one.spec.kind === 'mirror' && one.spec.id === id,
      );
      if (device === undefined || spec.cluster === undefined)
        return fail(`Node ${spec.cluster?.nodeName ?? ''} has no configuration for a copy of it.`);
      return answerPartner(device, request, context);
    },
    statistics: () => ({
      engine: spec.engine,
      sessions: iscsi.sessions().map((session) => ({
        initiatorName: session.initiatorName,
        targetName: session.targetName,
        path: `${session.initiatorAddress} → ${session.portalAddress}`,
        commands: session.commands,
      })),
      devices: Array.from(devices.values(), describe),
      witnessed: Array.from(witnesses.value, ([name, { host }]) => ({
        name,
        mirror: mirrorStatistics({ ...witnessedAs(spec, name), journal: undefined }, spec.cluster!, host),
      })),
    }),
  });
}

function askedOfWitness(name: string, { host }: OpenMirror, command: DeviceCommand): DeviceAnswer {
  return command.kind === 'mayLeave'
    ? witnessMayLeave(name, host)
    : fail(`This node has no copy of device ${name}, only a vote about it: ask one of the others.`);
}

/** Who initiators are connected through, once there is somebody. */
interface Front {
  sessions?: DeviceSessions;
}

async function openDevices(
  spec: EngineSpec,
  ports: StorageNodePorts,
  front: Front,
  onProgress: (device: string, done: number, total: number) => void,
): Promise<Result<Map<string, OpenDevice>, StartFault>> {
  const devices = new Map<string, OpenDevice>();
  for (const device of spec.devices) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const opened = await openDevice(device, {
      incarnation: spec.incarnation,
      durable: spec.stateDirectory !== undefined,
      cluster: spec.cluster,
      dropSessions: (name, reason) => front.sessions?.drop(name, reason),
      ports,
      onProgress: (done, total) => onProgress(device.name, done, total),
    });
    if (!opened.ok) {
      // oxlint-disable-next-line no-await-in-loop -- the last thing done
      await closeAll(devices, new Map());
      return opened;
    }
    devices.set(device.name, opened.value);
    ports.trace('info', 'device.opened', { device: device.name, naa: opened.value.identity.naa });
  }
  return ok(devices);
}

function createIscsi(
  spec: EngineSpec,
  devices: ReadonlyMap<string, OpenDevice>,
  ports: StorageNodePorts,
): IscsiNode {
  const { clock, crypto, crc32c, trace } = ports;
  const iscsi = createIscsiNode({
    clock,
    crypto,
    crc32c,
    trace,
    // Which targets there are is told to those whom their rules name; each target then asks for proof itself.
    discovery: { allowNone: true, chap: undefined },
    discoveryLimits: DEFAULT_LIMITS,
    sendTargetsAllInNormalSession: spec.targets.some((target) => target.sendTargetsInNormalSession),
    throttle: createLoginThrottle(),
    keepAlive: {
      pingAfterSilentMs: spec.keepAlive.pingAfterSeconds * 1000,
      deadAfterPingMs: spec.keepAlive.deadAfterSeconds * 1000,
      stalledSendMs: STALLED_SEND_MS,
    },
  });
  for (const target of spec.targets) {
    const units = target.luns.map(({ lun, device }) => {
      const opened = devices.get(device);
      assert(opened !== undefined, 'a LUN names a device of the engine');
      return [lun, opened.unit] as const;
    });
    const scsi = createTargetDevice({
      targetName: target.name,
      portalGroupTag: target.portalGroupTag,
      relativeTargetPort: target.relativeTargetPort,
      units: new Map(units),
      // Copies between devices of one node, whichever target each stands behind.
      findUnit: (designator) =>
        findAmong(
          Array.from(devices.values(), ({ unit }) => unit),
          designator,
        ),
      trace,
    });
    iscsi.addTarget(iscsiTarget(target, scsi, stoodStillOf(target, devices)));
  }
  for (const target of spec.announced) iscsi.addTarget(iscsiTarget(target, undefined));
  return iscsi;
}

async function drain(
  iscsi: IscsiNode,
  devices: ReadonlyMap<string, OpenDevice>,
  witnesses: ReadonlyMap<string, OpenMirror>,
  ports: StorageNodePorts,
  { withinMs, onWritingOut }: { readonly withinMs: number; readonly onWritingOut: OnWritingOut },
): Promise<void> {
  ports.trace('info', 'engine.draining', { sessions: iscsi.sessions().length });
  // The rest is for tasks that run and for the flush.
  await iscsi.stop(true, Math.min(LOGOUT_MS_MAX, withinMs / 2));
  const caches = new Map(
    Array.from(devices.values()).flatMap(({ spec, cache }) => (cache ? [[spec.name, cache] as const] : [])),
  );
  const end = reportWriteOut({ ...ports, caches, tell: onWritingOut });
  await closeAll(devices, witnesses);
  end();
}

async function openWitnesses(
  spec: EngineSpec,
  ports: StorageNodePorts,
): Promise<Result<ReadonlyMap<string, OpenMirror>, StartFault>> {
  const witnesses = new Map<string, OpenMirror>();
  for (const witnessed of spec.witnessed) {
    assert(spec.cluster !== undefined, 'a witness is one in a cluster');
    const opened = await openWitness(witnessed, spec.cluster, ports);
    if (!opened.ok) {
      await closeAll(new Map(), witnesses);
      return opened;
    }
    witnesses.set(witnessed.name, opened.value);
  }
  return ok(witnesses);
}

async function closeAll(
  devices: ReadonlyMap<string, OpenDevice>,
  witnesses: ReadonlyMap<string, OpenMirror>,
): Promise<void> {
  const close = async (mirror: OpenMirror): Promise<void> => {
    await mirror.host.stop();
    await mirror.close();
  };
  await Promise.all([
    ...Array.from(devices.values(), ({ device, mirror }) =>
      mirror === undefined ? device.close() : close(mirror),
    ),
    ...Array.from(witnesses.values(), close),
  ]);
}

/** Of a target with mirrored devices: whether this process stood still for so long that others may have gone on. */
function stoodStillOf(
  { luns }: TargetSpec,
  devices: ReadonlyMap<string, OpenDevice>,
): (() => boolean) | undefined {
  const mirrors = luns.flatMap(({ device }) => devices.get(device)?.mirror ?? []);
  if (mirrors.length === 0) return undefined;
  return () => mirrors.some(({ host }) => host.node?.stoodStill === true);
}

/** Sessions by what they use. */
interface DeviceSessions {
  drop(device: string, reason: string): void;
}

function sessionsOf({ targets }: EngineSpec, iscsi: IscsiNode): DeviceSessions {
  return {
    drop(device, reason) {
      for (const { name, luns } of targets)
        if (luns.some((lun) => lun.device === device)) iscsi.dropSessions(name, reason);
    },
  };
}

function witnessedAs({ witnessed }: EngineSpec, name: string): WitnessSpec {
  return witnessed.find((witness) => witness.name === name)!;
}

function statisticsOf(
  { spec, identity, device, cache, mirror }: OpenDevice,
  cluster: ClusterSpec | undefined,
): DeviceStatistics {
  const { geometry, counts } = device;
  return {
    name: spec.name,
    kind: spec.kind,
    bytes: geometry.blockCount * geometry.blockLength,
    blockLength: geometry.blockLength,
    writeCache: device.writeCache,
    readOnly: geometry.readOnly,
    naa: identity.naa,
    reads: counts.reads,
    writes: counts.writes,
    bytesRead: counts.blocksRead * geometry.blockLength,
    bytesWritten: counts.blocksWritten * geometry.blockLength,
    cache: cache && cache.mode !== 'none' ? cacheStatistics(cache, device.writeCache) : undefined,
    mirror: spec.kind === 'mirror' ? mirrorStatistics(spec, cluster!, mirror!.host) : undefined,
  };
}
