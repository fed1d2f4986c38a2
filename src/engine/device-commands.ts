/**
 * What an administrator asks of a device, at one node of the cluster, and what nodes ask each other for it. Questions and
 * answers are plain data: they cross processes, and between nodes they are JSON (docs/FORMATS.md, "Connections between nodes").
 */

import { fail, ok, type Result } from '../base/result.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Clock } from '../ports/clock.ts';
import { setCache } from './device-cache.ts';
import { changeSettings, type SettingsChange, type SettingsChanged } from './device-settings.ts';
import type { OpenDevice } from './devices.ts';
import { extendDevice } from './extend.ts';
import { mayLeave } from './leaving.ts';
import { joined, mirrorStatistics } from './mirror-statistics.ts';
import { answerForSide, type OpenKeeper } from './own-side.ts';
import { withNodeNames } from './node-names.ts';
import {
  answerForReplica,
  changeReplicas,
  type ReplicaChange,
  type ReplicaRequest,
  replicasOf,
} from './replicas.ts';
import type { ClusterSpec, MirrorDeviceSpec } from './spec.ts';
import { conflictOf, resolveConflict, type SplitBrainParts, type SplitBrainRequest } from './split-brain.ts';
import type { DeviceStatistics, MirrorStatistics } from './statistics.ts';

export type DeviceCommand =
  /** `DeviceStatistics`, with what the other nodes say of their copies. */
  | { readonly kind: 'show' }
  /** Bytes; as `StorageNode.extend`. */
  | { readonly kind: 'extend'; readonly bytes: number }
  /** `SettingsChanged`. */
  | { readonly kind: 'set'; readonly change: SettingsChange }
  /** Bytes of memory for the cache of what this node has of it, 0 for none; done. Over a restart the supervisor keeps it. */
  | { readonly kind: 'setCache'; readonly bytes: number }
  /** `Conflict`. */
  | { readonly kind: 'conflict' }
  /** `Resolved`; `keep` is the name of a node. */
  | { readonly kind: 'resolve'; readonly keep: string }
  /** Done, or a fault; the name of a node. */
  | { readonly kind: 'replica'; readonly change: ReplicaChange; readonly node: string }
  /** Whether the node may be stopped, as far as this device goes; done, or a fault. */
  | { readonly kind: 'mayLeave' };

/** Of one node to another. */
export type PartnerRequest =
  /** Its `MirrorStatistics`. */
  { readonly kind: 'describe' } | SplitBrainRequest | ReplicaRequest;

/** The fault is a sentence for people. */
export type DeviceAnswer = Result<unknown, string>;

export interface CommandContext {
  readonly cluster: ClusterSpec | undefined;
  /** Another node's answer about a device; the fault is a sentence that names the node. */
  readonly askPartner: AskPartner;
  readonly clock: Clock;
  readonly openKeeper: OpenKeeper;
  readonly statisticsOf: (opened: OpenDevice) => DeviceStatistics;
}

export type AskPartner = (node: number, device: Uuid, request: PartnerRequest) => Promise<DeviceAnswer>;

export function runCommand(
  opened: OpenDevice,
  command: DeviceCommand,
  context: CommandContext,
): Promise<DeviceAnswer> {
  switch (command.kind) {
    case 'show':
      return show(opened, context);
    case 'extend':
      return named(context, extendDevice(opened.spec.name, opened, command.bytes));
    case 'set':
      return set(opened, command.change, context);
    case 'setCache':
      return setCache(opened, command.bytes);
    case 'mayLeave':
      return Promise.resolve(mayLeave(opened, context.cluster));
    case 'conflict':
      return ofSplitBrain(opened, context, conflictOf);
    case 'resolve':
      return ofSplitBrain(opened, context, (parts) => resolveConflict(parts, command.keep));
    case 'replica':
      return changeReplicas(opened, command, context);
  }
}

/** What this node tells another one; `request` came as JSON, perhaps from a later program. */
export async function answerPartner(
  opened: OpenDevice,
  request: PartnerRequest,
  context: CommandContext,
): Promise<DeviceAnswer> {
  const { cluster, openKeeper } = context;
  const { spec, mirror } = opened;
  switch (request.kind) {
    case 'describe':
      return ok(mirrorStatistics(spec as MirrorDeviceSpec, cluster!, mirror!.host));
    case 'side':
    case 'standDown':
    case 'keepSide':
    case 'chooseSide': {
      const { nodeName } = cluster!;
      const { node } = mirror!.host;
      return node === undefined
        ? fail(`The copy of device ${spec.name} on node ${nodeName} is not open.`)
        : answerForSide({ device: spec.name, name: nodeName, node, openKeeper }, request);
    }
    case 'prepareReplica':
    case 'changeReplica':
      return answerForReplica(opened, request, context);
    default:
      return fail('The node does not know what is asked: it runs an older version.');
  }
}

async function set(
  { spec, mirror }: OpenDevice,
  change: SettingsChange,
  { cluster }: CommandContext,
): Promise<Result<SettingsChanged, string>> {
  if (mirror === undefined || cluster === undefined)
    return fail(`Device ${spec.name} is no mirror: what it has is set in the configuration of its node.`);
  const { node } = mirror.host;
  if (node === undefined)
    return fail(`The copy of device ${spec.name} on this node is not open: ask another node.`);
  const changed = await changeSettings(node, change, cluster);
  return changed.ok ? changed : fail(`Device ${spec.name} was not changed: ${changed.fault}.`);
}

async function ofSplitBrain<T>(
  opened: OpenDevice,
  context: CommandContext,
  run: (parts: SplitBrainParts) => Promise<Result<T, string>>,
): Promise<Result<T, string>> {
  const { spec } = opened;
  const { cluster, clock, askPartner } = context;
  if (spec.kind !== 'mirror' || cluster === undefined)
    return fail(`Device ${spec.name} is no mirror: it has one side only.`);
  return run({
    device: spec.name,
    nodes: replicasOf(opened),
    cluster,
    clock,
    ask: (node, request) =>
      node === cluster.node ? answerPartner(opened, request, context) : askPartner(node, spec.id, request),
  });
}

/** The core knows nodes by their numbers. */
async function named(
  { cluster }: CommandContext,
  answer: Promise<Result<unknown, string>>,
): Promise<DeviceAnswer> {
  const answered = await answer;
  return answered.ok || cluster === undefined ? answered : fail(withNodeNames(cluster, answered.fault));
}

async function show(
  opened: OpenDevice,
  { cluster, askPartner, statisticsOf }: CommandContext,
): Promise<Result<DeviceStatistics, string>> {
  const { spec } = opened;
  const own = statisticsOf(opened);
  if (spec.kind !== 'mirror' || own.mirror === undefined) return ok(own);
  // Who is away would only keep people waiting.
  const { peers, ports } = opened.mirror!.host.node?.membership ?? {};
  const isHeard = (node: number): boolean => peers === undefined || peers.hears(node, ports!.clock.now());
  const partners = replicasOf(opened).filter((node) => node !== cluster!.node && isHeard(node));
  const answers = await Promise.all(
    partners.map(async (node) => [node, await askPartner(node, spec.id, { kind: 'describe' })] as const),
  );
  const told = answers.flatMap(([node, answer]) =>
    answer.ok ? [[node, answer.value as MirrorStatistics] as const] : [],
  );
  return ok({ ...own, mirror: joined(own.mirror, new Map(told)) });
}
