/**
 * The cluster's part of a configuration: who this node is, its partners, and its part in mirrored devices: a copy, or a
 * vote. What all nodes must say alike is named by what they call each other.
 */

import path from 'node:path';
import type { MirrorDeviceSpec, VoteStoreSpec, WitnessSpec } from '../../engine/spec.ts';
import { type ClusterPlan, identityOf } from '../plan.ts';
import type { ConfigFault } from './load.ts';
import { type ConfigFile, type MirrorTable, NODE_NUMBER_MAX } from './schema.ts';

type Site = MirrorDeviceSpec['site'];
type Strategy = Site['strategy'];

export interface ClusterContext {
  readonly config: ConfigFile;
  readonly nodeName: string;
  readonly directory: string;
  readonly stateDirectory: string;
  /** Of this machine. */
  readonly isVirtualMachine: boolean;
  readonly faults: ConfigFault[];
}

export function clusterOf({
  config,
  nodeName,
  directory,
  isVirtualMachine,
  faults,
}: ClusterContext): ClusterPlan | undefined {
  const { cluster, partner: partners } = config;
  if (cluster === undefined) {
    if (partners.length > 0)
      faults.push({ place: '[[partner]]', message: 'there is no [cluster]: say who this node is' });
    return undefined;
  }
  const names = new Set([nodeName]);
  const numbers = new Set([cluster.node]);
  for (const { name, node } of partners) {
    const place = `[[partner]] "${name}"`;
    if (names.has(name)) faults.push({ place, message: `another node has the name "${name}"` });
    if (numbers.has(node)) faults.push({ place, message: `another node has the number ${node}` });
    names.add(name);
    numbers.add(node);
  }
  return {
    name: cluster.name,
    nodeName,
    node: cluster.node,
    certificates: path.resolve(directory, cluster.certificates),
    listen: cluster.listen,
    confirmsReads: cluster.confirm_reads ?? isVirtualMachine,
    voteStore: voteStoreOf(cluster, directory, faults),
    partners: partners.map(({ name, node, links }) => ({
      name,
      node,
      links: links.map(({ kind, local, remote }) => ({ kind, local, remote })),
    })),
  };
}

function voteStoreOf(
  { share, etcd }: NonNullable<ConfigFile['cluster']>,
  directory: string,
  faults: ConfigFault[],
): VoteStoreSpec | undefined {
  if (share !== undefined && etcd !== undefined)
    faults.push({ place: '[cluster]', message: 'write either share or etcd' });
  if (share !== undefined) return { kind: 'share', path: path.resolve(directory, share) };
  if (etcd === undefined) return undefined;
  const file = (written: string | undefined): string | undefined =>
    written === undefined ? undefined : path.resolve(directory, written);
  const { endpoints, ca, certificate, key } = etcd;
  if ((certificate === undefined) !== (key === undefined))
    faults.push({ place: '[cluster.etcd]', message: 'a certificate and its key come together' });
  return { kind: 'etcd', endpoints, ca: file(ca), certificate: file(certificate), key: file(key) };
}

/** A copy of it; undefined with faults. */
export function mirrorOf(
  table: MirrorTable,
  cluster: ClusterPlan | undefined,
  context: ClusterContext,
): Omit<MirrorDeviceSpec, keyof CommonFields> | undefined {
  const { faults, directory } = context;
  const place = `[[device]] "${table.name}"`;
  const site = siteOf(table, cluster, context, place);
  if (site === undefined) return undefined;
  if (table.path === undefined) {
    faults.push({ place, message: 'this node has a copy of it: write its path' });
    return undefined;
  }
  if (table.write_cache === 'back' && !table.power_protected)
    faults.push({
      place,
      message:
        'write_cache = "back" acknowledges writes that only memory has: with an uninterruptible power supply on every node, confirm that by power_protected = true; otherwise leave it at "through"',
    });
  return {
    kind: 'mirror',
    id: table.id,
    path: path.resolve(directory, table.path),
    length: table.size,
    recordsPath: recordsPathOf(table, context),
    site,
    journal: table.journal,
    cacheMemory: table.cache,
    asksStore: asksStore(site),
  };
}

export function witnessOf(
  table: MirrorTable,
  cluster: ClusterPlan | undefined,
  context: ClusterContext,
): WitnessSpec | undefined {
  const site = siteOf(table, cluster, context, `[[device]] "${table.name}"`);
  if (site === undefined) return undefined;
  return {
    name: table.name,
    id: table.id,
    blockLength: table.sector,
    length: table.size,
    recordsPath: recordsPathOf(table, context),
    site,
  };
}

/** Whether this node has only a vote. */
export function isWitnessed(table: ConfigFile['device'][number], nodeName: string): table is MirrorTable {
  return table.kind === 'mirror' && table.witness === nodeName;
}

export function mirrorIdentity(table: MirrorTable): MirrorDeviceSpec['identity'] {
  return identityOf(
    table.serial === undefined ? ['mirror', table.id] : ['serial', table.serial],
    table.serial,
  );
}

function asksStore({ strategy }: Site): boolean {
  return strategy.kind === 'majority' ? strategy.witness === STORE_NUMBER : strategy.policy === 'arbitrate';
}

type CommonFields = Pick<
  MirrorDeviceSpec,
  | 'name'
  | 'blockLength'
  | 'physicalBlockExponent'
  | 'provisioning'
  | 'readOnly'
  | 'writeCache'
  | 'removable'
  | 'identity'
>;

function recordsPathOf(table: MirrorTable, { directory, stateDirectory }: ClusterContext): string {
  return table.records === undefined
    ? path.join(stateDirectory, 'mirrors', `${table.id}.records`)
    : path.resolve(directory, table.records);
}

function siteOf(
  table: MirrorTable,
  cluster: ClusterPlan | undefined,
  { faults }: ClusterContext,
  place: string,
): Site | undefined {
  const before = faults.length;
  if (cluster === undefined) {
    faults.push({ place, message: 'a mirror needs partners: write [cluster] and [[partner]] tables' });
    return undefined;
  }
  const numbers = new Map([
    [cluster.nodeName, cluster.node],
    ...cluster.partners.map(({ name, node }) => [name, node] as const),
  ]);
  const numberOf = (name: string): number => {
    const number = numbers.get(name);
    if (number === undefined)
      faults.push({ place, message: `there is no node "${name}": it is neither this one nor a [[partner]]` });
    return number ?? 0;
  };
  const nodes = table.nodes.map((name) => numberOf(name));
  if (new Set(nodes).size < nodes.length) faults.push({ place, message: 'a node stands here twice' });
  const strategy = strategyOf(table, { cluster, numberOf, faults, place });
  const isCandidate = table.path !== undefined;
  if (!table.nodes.includes(cluster.nodeName) && table.witness !== cluster.nodeName && !isCandidate)
    faults.push({
      place,
      message: `this node, "${cluster.nodeName}", has no part in it: it is neither in nodes nor the witness, and has no path for a copy that it could be given`,
    });
  if (table.size % table.sector !== 0)
    faults.push({ place, message: `its size is no multiple of the sector length ${table.sector}` });
  return faults.length === before ? { nodes, strategy } : undefined;
}

function strategyOf(
  { strategy, witness, isolation, nodes }: MirrorTable,
  { cluster, numberOf, faults, place }: StrategyContext,
): Strategy {
  const { voteStore } = cluster;
  if (strategy === 'heartbeat') {
    if (witness !== undefined)
      faults.push({ place, message: 'a witness is asked with strategy = "majority" only' });
    if (isolation === 'arbitrate' && voteStore === undefined)
      faults.push({
        place,
        message:
          'there is nothing that could arbitrate: write share or etcd in [cluster], which every node reaches',
      });
    const usual = voteStore === undefined ? 'suspend-low' : 'arbitrate';
    return { kind: 'heartbeat', policy: POLICIES[isolation ?? usual] };
  }
  if (isolation !== undefined)
    faults.push({ place, message: 'isolation is for strategy = "heartbeat"; a majority needs no such rule' });
  if (witness !== undefined && nodes.includes(witness))
    faults.push({ place, message: `"${witness}" has a copy: the witness is another node` });
  if (witness === undefined && nodes.length === 2)
    faults.push({
      place,
      message: 'two nodes have no majority without each other: name a witness, or use strategy = "heartbeat"',
    });
  if (witness === 'share' || witness === 'etcd') {
    if (voteStore?.kind !== witness)
      faults.push({ place, message: `there is no ${witness} in [cluster] that could be the witness` });
    return { kind: 'majority', witness: STORE_NUMBER };
  }
  return { kind: 'majority', witness: witness === undefined ? undefined : numberOf(witness) };
}

const POLICIES = { arbitrate: 'arbitrate', 'suspend-low': 'suspendLow', continue: 'continue' } as const;

interface StrategyContext {
  readonly cluster: ClusterPlan;
  readonly numberOf: (name: string) => number;
  readonly faults: ConfigFault[];
  readonly place: string;
}

/** Of a witness that is a register in a store. */
const STORE_NUMBER = NODE_NUMBER_MAX;
