/**
 * A node gets a copy of a mirrored device, or loses it, by an administrator's word. Whichever node is asked finds one that
 * serves, and that one does the work:
 *
 *   add      the new node makes room → all know it → it begins to learn (mirror/replica-change.ts)
 *   remove   the others go on without it
 *
 * What nodes have been asked before the configuration changes leaves everything as it was: a file that is long enough, and
 * links.
 */

import { DONE, fail, ok, type Result } from '../base/result.ts';
import { MEMBERS_MAX } from '../cluster/fields.ts';
import { witnessOf } from '../cluster/configuration.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandContext, DeviceAnswer, DeviceCommand } from './device-commands.ts';
import type { OpenDevice } from './devices.ts';
import type { MirrorHost } from './mirror/mirror-host.ts';
import type { MirrorNode } from './mirror/mirror-node.ts';
import { nodeNameOf, withNodeNames } from './node-names.ts';
import type { ClusterSpec, MirrorDeviceSpec } from './spec.ts';

export type ReplicaChange = 'add' | 'remove';

/** Of one node to another. */
export type ReplicaRequest =
  | PrepareRequest
  /** `ReplicaAnswer`. */
  | { readonly kind: 'changeReplica'; readonly change: ReplicaChange; readonly node: number };

/** `node` is going to get a copy: make room, also of your own records, and keep links to it up. */
interface PrepareRequest {
  readonly kind: 'prepareReplica';
  readonly node: number;
  /** With the new one. */
  readonly replicas: readonly number[];
  readonly blockCount: number;
  readonly blockLength: number;
}

interface ReplicaAnswer {
  /** Else nothing was done. */
  readonly serves: boolean;
  /** A clause; undefined: it is done. */
  readonly why?: string | undefined;
}

interface Place {
  readonly spec: MirrorDeviceSpec;
  readonly host: MirrorHost;
  readonly cluster: ClusterSpec;
  readonly askPartner: CommandContext['askPartner'];
  readonly clock: Clock;
}

/** A change of configuration takes a second or two, in which nobody serves. */
const SERVED_MS_MAX = 10_000;
const LOOK_MS = 500;

/** Nodes that have a copy or are to get one, as this node knows; before anything is known, as the device was made. */
export function replicasOf({ spec, mirror }: Pick<OpenDevice, 'spec' | 'mirror'>): readonly number[] {
  if (spec.kind !== 'mirror') return [];
  return mirror?.host.node?.membership.site.nodes ?? spec.site.nodes;
}

/** `node` is a name. Done when the new copy is being brought up to date, or when the others go on without the old one. */
export async function changeReplicas(
  opened: OpenDevice,
  { change, node }: Extract<DeviceCommand, { kind: 'replica' }>,
  context: CommandContext,
): Promise<Result<void, string>> {
  const { spec } = opened;
  const place = placeOf(opened, context);
  if (place === undefined)
    return fail(
      `Device ${spec.name} is no mirror: only one of kind = "mirror" gets copies, also when it has a single one.`,
    );
  const { cluster } = place;
  const nodes = [cluster.node, ...cluster.partners.map((partner) => partner.node)];
  const wanted = nodes.find((one) => nodeNameOf(cluster, one) === node);
  const why =
    wanted === undefined
      ? `there is no node ${node} in the cluster: there are ${nodes.map((one) => nodeNameOf(cluster, one)).join(', ')}`
      : await changeSomewhere(place, change, wanted);
  return why === undefined ? DONE : fail(`The copies of device ${spec.name} were not changed: ${why}.`);
}

/** What this node does for another that was asked. */
export async function answerForReplica(
  opened: OpenDevice,
  request: ReplicaRequest,
  context: CommandContext,
): Promise<DeviceAnswer> {
  const place = placeOf(opened, context)!;
  const { host, cluster } = place;
  switch (request.kind) {
    case 'prepareReplica': {
      const why = await prepare(place, request);
      return why === undefined ? DONE : fail(`Node ${cluster.nodeName} is not ready for it: ${why}.`);
    }
    case 'changeReplica': {
      const { node } = host;
      const serves = node?.membership.mayServe() === true;
      const why = serves ? await changeHere(place, node, request) : undefined;
      return ok({ serves, why } satisfies ReplicaAnswer);
    }
  }
}

function placeOf(
  { spec, mirror }: OpenDevice,
  { cluster, askPartner, clock }: CommandContext,
): Place | undefined {
  if (spec.kind !== 'mirror' || mirror === undefined || cluster === undefined) return undefined;
  return { spec, host: mirror.host, cluster, askPartner, clock };
}

/** At the first node that serves the device; else a clause. */
async function changeSomewhere(
  place: Place,
  change: ReplicaChange,
  node: number,
): Promise<string | undefined> {
  const { clock } = place;
  const until = clock.now() + SERVED_MS_MAX;
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- until somebody serves
    const { serves, why } = await tryEverywhere(place, change, node);
    if (serves) return why;
    if (clock.now() > until) return 'no node that is reached serves it now: try again later';
    // oxlint-disable-next-line no-await-in-loop
    await new Promise<void>((resolve) => clock.after(LOOK_MS, () => resolve()));
  }
}

async function tryEverywhere(place: Place, change: ReplicaChange, node: number): Promise<ReplicaAnswer> {
  const { spec, host, cluster, askPartner } = place;
  const own = host.node;
  if (own?.membership.mayServe() === true)
    return { serves: true, why: await changeHere(place, own, { change, node }) };
  // Who has no copy may have heard of others long ago.
  for (const partner of cluster.partners) {
    // oxlint-disable-next-line no-await-in-loop -- the first that serves does it
    const answer = await askPartner(partner.node, spec.id, { kind: 'changeReplica', change, node });
    if (answer.ok && (answer.value as ReplicaAnswer).serves) return answer.value as ReplicaAnswer;
  }
  return { serves: false };
}

/** This node serves the device. Undefined: done; else a clause. */
async function changeHere(
  place: Place,
  own: MirrorNode,
  { change, node }: { readonly change: ReplicaChange; readonly node: number },
): Promise<string | undefined> {
  const { cluster } = place;
  const { site } = own.membership;
  const name = nodeNameOf(cluster, node);
  const has = site.nodes.includes(node);
  if (change === 'remove') {
    if (!has) return `node ${name} has no copy of it`;
    return named(cluster, await own.removeReplica(node));
  }
  if (has) return `node ${name} has a copy already`;
  if (witnessOf(site) === node) return `node ${name} is its witness`;
  if (site.nodes.length >= MEMBERS_MAX) return `a device has ${MEMBERS_MAX} copies and no more`;
  const prepared = await prepareAll(place, own, node);
  return prepared.ok ? named(cluster, await own.addReplica(node)) : clause(prepared.fault);
}

/** The new node first: the others have nothing to do where it cannot. */
async function prepareAll(place: Place, own: MirrorNode, node: number): Promise<DeviceAnswer> {
  const { spec, askPartner } = place;
  const { membership, geometry } = own;
  const { blockCount, blockLength } = geometry;
  const replicas = [...membership.site.nodes, node];
  const request = { kind: 'prepareReplica', node, replicas, blockCount, blockLength } as const;
  const prepared = await askPartner(node, spec.id, request);
  if (!prepared.ok) return prepared;
  const why = await prepare(place, request);
  if (why !== undefined) return fail(`Node ${place.cluster.nodeName} is not ready for it: ${why}.`);
  const { installed, self } = membership;
  const others = (installed?.members ?? []).filter((member) => member !== self);
  const answers = await Promise.all(others.map((other) => askPartner(other, spec.id, request)));
  return answers.find((answer) => !answer.ok) ?? DONE;
}

/** A clause: why this node cannot follow. */
async function prepare(
  { spec, host, cluster }: Place,
  { node, replicas, blockCount, blockLength }: PrepareRequest,
): Promise<string | undefined> {
  const own = host.node;
  if (own === undefined || own.membership.hasFailed)
    return `its copy is not open${host.failure === undefined ? '' : ` (${host.failure})`}`;
  if (spec.blockLength !== blockLength)
    return `its configuration says sector = ${spec.blockLength}, and the device has sectors of ${blockLength} bytes`;
  if (node !== cluster.node) host.meet(node);
  return own.makeRoom(blockCount, replicas);
}

function named(cluster: ClusterSpec, changed: Result<void, string>): string | undefined {
  return changed.ok ? undefined : withNodeNames(cluster, changed.fault);
}

/** What another node says as a sentence, within one. */
function clause(sentence: string): string {
  return sentence.replace(/^Node /, 'node ').replace(/\.$/, '');
}
