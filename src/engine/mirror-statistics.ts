/** What one node tells of a mirrored device: how it is, and how each copy is, as far as the node knows. Decides nothing. */

import { type Site, votersOf } from '../cluster/configuration.ts';
import type { Membership } from '../cluster/membership.ts';
import { CHUNK_LENGTH } from '../journal/dirty-map.ts';
import type { JournalStrategy } from '../journal/recovery.ts';
import type { ResyncProgress } from '../replication/resync-source.ts';
import type { MirrorHost } from './mirror/mirror-host.ts';
import type { MirrorNode } from './mirror/mirror-node.ts';
import { nodeNameOf, withNodeNames } from './node-names.ts';
import type { ClusterSpec } from './spec.ts';
import type { Condition, MirrorStatistics, ReplicaStatistics, ResyncStatistics } from './statistics.ts';

/** This node's part, by its specification. */
interface Part {
  readonly site: Site;
  /** Undefined: a witness. */
  readonly journal: JournalStrategy | undefined;
}

type Told = Pick<MirrorHost, 'state' | 'failure' | 'node' | 'links'>;

export function mirrorStatistics(
  { site, journal }: Part,
  cluster: ClusterSpec,
  host: Told,
): MirrorStatistics {
  const { state, failure, node, links } = host;
  const replicas = replicasOf(site, cluster, host);
  return {
    condition: conditionOf(cluster, host, replicas),
    replicas,
    writePolicy: node?.settings.policy ?? 'through',
    writePolicyInForce: node?.writeCache ?? 'through',
    journal,
    strategy: strategyText(site, cluster),
    role: state?.role ?? 'failed',
    isServing: state?.isServing ?? false,
    term: state?.configuration.term ?? 0,
    epochId: state?.configuration.id,
    members: state?.configuration.members ?? [],
    learners: state?.configuration.learners ?? [],
    failure,
    resyncs: node?.replica.source.progress ?? [],
    links: links.filter(({ link }) => isInvolved(node, link.partner)),
  };
}

/** Others of the cluster have nothing to do with the device. */
function isInvolved(node: MirrorNode | undefined, partner: number): boolean {
  if (node === undefined) return true;
  const { site, peers, ports } = node.membership;
  return votersOf(site).includes(partner) || peers.hears(partner, ports.clock.now());
}

/** What several nodes say of one device, put together: each copy by its own node's word, where that answers. */
export function joined(
  own: MirrorStatistics,
  others: ReadonlyMap<number, MirrorStatistics>,
): MirrorStatistics {
  const all = [own, ...others.values()];
  const replicas = own.replicas.map((replica) => {
    const itself = others.get(replica.node)?.replicas.find(({ node }) => node === replica.node);
    const known = all.flatMap(({ replicas: told }) => told.filter(({ node }) => node === replica.node));
    const resync = known.find((told) => told.resync !== undefined)?.resync;
    const lack = known.find((told) => told.lack !== undefined)?.lack;
    return { ...replica, why: itself?.why ?? replica.why, resync, lack };
  });
  return { ...own, replicas };
}

function replicasOf(site: Site, cluster: ClusterSpec, host: Told): ReplicaStatistics[] {
  const { node, state } = host;
  const resyncs = node?.replica.source.progress ?? [];
  return (node?.settings.order ?? site.nodes).map((copy) => {
    const path = state?.paths.find((group) => group.node === copy);
    const progress = resyncs.find(({ learner }) => learner === copy);
    const lack = node?.lackOf(copy);
    const { state: how, why } = copy === cluster.node ? ownState(host) : stateOfOther(node, copy);
    return {
      node: copy,
      name: nodeNameOf(cluster, copy),
      state: how,
      why: why && withNodeNames(cluster, why),
      resync: progress && resyncStatistics(progress),
      lack: lack && { bytes: lack.chunks * CHUNK_LENGTH, percent: lack.percent },
      path: path?.state ?? 'unavailable',
      isPreferred: path?.isPreferred ?? false,
    };
  });
}

function resyncStatistics(progress: ResyncProgress): ResyncStatistics {
  const { total, left, percent, chunksPerSecond, secondsLeft } = progress;
  return {
    percent,
    bytesDone: (total - left) * CHUNK_LENGTH,
    bytesTotal: total * CHUNK_LENGTH,
    bytesPerSecond: Math.round(chunksPerSecond * CHUNK_LENGTH),
    secondsLeft,
  };
}

type Known = Pick<ReplicaStatistics, 'state' | 'why'>;

function ownState({ node, state, failure }: Told): Known {
  if (failure !== undefined || node === undefined || state === undefined)
    return { state: 'failed', why: failure ?? 'it is not open' };
  switch (state.role) {
    case 'serving':
      return { state: 'synchronized', why: undefined };
    case 'learning':
      return { state: 'resynchronizing', why: undefined };
    case 'failed':
      return { state: 'failed', why: undefined };
    case 'diverged':
      return { state: 'diverged', why: 'it went on and was written without the others, and they without it' };
    case 'stopping':
      return { state: 'away', why: 'the node stops' };
    default:
      return { state: 'waiting', why: waitsFor(node.membership) };
  }
}

function stateOfOther(node: MirrorNode | undefined, copy: number): Known {
  if (node === undefined) return { state: 'away', why: 'the copy of the node that was asked is not open' };
  const { membership } = node;
  const { installed, peers } = membership;
  const now = membership.ports.clock.now();
  if (installed?.members.includes(copy) === true) return { state: 'synchronized', why: undefined };
  if (installed?.learners.includes(copy) === true) return { state: 'resynchronizing', why: undefined };
  const beat = peers.hears(copy, now) ? peers.beatOf(copy) : undefined;
  if (beat === undefined) return { state: 'away', why: 'nothing is heard of the node on any link' };
  switch (beat.role) {
    case 'diverged':
      return { state: 'diverged', why: 'it went on and was written without the others, and they without it' };
    case 'failed':
      return { state: 'failed', why: 'its medium or its records have failed' };
    case 'serving':
      return installed === undefined
        ? { state: 'synchronized', why: undefined }
        : { state: 'behind', why: 'it serves without the node that was asked' };
    case 'stopping':
      return { state: 'away', why: 'the node stops' };
    default:
      if (installed === undefined) return { state: 'waiting', why: undefined };
      return peers.isJoined(copy, now)
        ? { state: 'behind', why: 'it is going to be taken in' }
        : { state: 'behind', why: 'no sync link to it works' };
  }
}

function waitsFor({ proposer, role, standing }: Membership<unknown>): string {
  if (proposer.waitsFor !== undefined) return proposer.waitsFor;
  if (standing.isOut) return 'another node goes on without this one, until it is taken in again';
  return role === 'sealed' ? 'another configuration is being agreed on' : 'it waits for the others';
}

function conditionOf(
  cluster: ClusterSpec,
  { failure, node, state }: Told,
  replicas: readonly ReplicaStatistics[],
): Condition {
  const told = (which: readonly ReplicaStatistics[]): string =>
    which
      .map(({ name, state: how, why }) => `${name} is ${STATES[how]}${why === undefined ? '' : ` (${why})`}`)
      .join('; ');
  const diverged = replicas.filter(({ state: how }) => how === 'diverged');
  if (diverged.length > 0) return { word: 'diverged', why: told(diverged) };
  if (node === undefined || state === undefined || failure !== undefined)
    return { word: 'failed', why: failure ?? 'the copy of this node is not open' };
  if (state.role !== 'serving' && state.role !== 'learning') {
    const own = replicas.find((replica) => replica.node === cluster.node);
    const others = replicas.map(({ name }) => name).join(', ');
    const why =
      state.role === 'removed' ? `this node has no copy of it: ${others} had when it last heard` : own?.why;
    return { word: 'notServed', why };
  }
  if (state.role === 'serving' && !state.isServing)
    return { word: 'notServed', why: 'the others do not let this node serve at this moment' };
  const missing = replicas.filter(({ state: how }) => how !== 'synchronized');
  if (missing.length === 0) return { word: 'synchronized', why: undefined };
  const isLearning = missing.every(({ state: how }) => how === 'resynchronizing');
  return { word: isLearning ? 'resynchronizing' : 'degraded', why: told(missing) };
}

const STATES: Readonly<Record<ReplicaStatistics['state'], string>> = {
  synchronized: 'synchronized',
  resynchronizing: 'brought up to date',
  waiting: 'waiting',
  behind: 'not up to date',
  away: 'away',
  diverged: 'diverged',
  failed: 'out of order',
};

function strategyText({ strategy }: Site, cluster: ClusterSpec): string {
  if (strategy.kind === 'heartbeat') return `heartbeat, ${strategy.policy} when every link is silent`;
  const { witness } = strategy;
  if (witness === undefined) return 'majority';
  const store = cluster.voteStore?.kind;
  const isNode = [cluster.node, ...cluster.partners.map(({ node }) => node)].includes(witness);
  return `majority, witness ${isNode ? nodeNameOf(cluster, witness) : (store ?? witness)}`;
}
