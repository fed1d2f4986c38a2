/**
 * `lockstep mirror create`: this node's copy of a new mirrored device, or its vote. Run once on each node before it serves
 * the device; a node on which it was not run gets its copy from the others.
 */

import { existsSync, rmSync } from 'node:fs';
import { fail, ok, type Result } from './base/result.ts';
import { createRecords, firstRegister, recordsLength } from './engine/mirrors.ts';
import type { ClusterSpec, MirrorDeviceSpec, WitnessSpec } from './engine/spec.ts';
import { openDisk, openRecords } from './main-disk.ts';
import { openStore } from './main-votes.ts';
import type { Initialization } from './management/cli/cluster-commands.ts';
import type { NodePlan } from './management/plan.ts';
import { systemClock } from './runtime/clock.ts';
import { platformCrypto } from './runtime/crypto.ts';

export interface CreateOptions {
  readonly init: Initialization;
  readonly onProgress: (device: string, done: number, total: number) => void;
}

/** What was done, as a sentence. */
export async function createMirror(
  plan: NodePlan,
  name: string,
  { init, onProgress }: CreateOptions,
): Promise<Result<string, string>> {
  const { cluster } = plan;
  const copy = plan.devices.find((device) => device.name === name);
  const vote = plan.witnessed.find((witnessed) => witnessed.name === name);
  if (cluster === undefined || (copy?.kind !== 'mirror' && vote === undefined))
    return fail(`There is no mirrored device "${name}" in this configuration.`);
  const { node } = cluster;
  const { nodes } = (vote ?? (copy as MirrorDeviceSpec)).site;
  const source =
    init.kind === 'existing' ? nodes.find((one) => nodeOf(cluster, one) === init.node) : undefined;
  if (init.kind === 'existing' && source === undefined)
    return fail(
      `No node "${init.node}" has a copy of ${name}: there are ${nodes.map((one) => nodeOf(cluster, one)).join(', ')}.`,
    );
  const members = source === undefined ? nodes : [source];
  if (vote !== undefined)
    return withRecords(vote, cluster, members, `The vote of this node about ${name} is made.`);
  const spec = copy as MirrorDeviceSpec;
  if (!nodes.includes(node))
    return ok(
      `Nothing is to be made on this node: it has no copy of ${name} until lockstep replica add gives it one.`,
    );
  if (source !== undefined && source !== node) return followsFrom(spec, nodeOf(cluster, source));
  const opened = await openCopy(spec, init, onProgress);
  if (!opened.ok) return opened;
  const { fresh } = opened.value;
  const made = await withVotesAndRecords(cluster, spec, members);
  if (!made.ok && fresh) rmSync(spec.path, { force: true });
  return made;
}

function nodeOf({ node, nodeName, partners }: ClusterSpec, wanted: number): string | undefined {
  return wanted === node ? nodeName : partners.find((partner) => partner.node === wanted)?.name;
}

/** What lies here already would be overwritten. */
function followsFrom(
  { name, path, recordsPath }: MirrorDeviceSpec,
  from: string | undefined,
): Result<string, string> {
  const found = [path, recordsPath].find((file) => existsSync(file));
  return found === undefined
    ? ok(`Nothing is to be made on this node: it gets its copy of ${name} from ${from} when it is served.`)
    : fail(`${found} is there already, and would be replaced by what ${from} has: remove it first.`);
}

/** Makes the file, or finds that it is as it has to be. */
async function openCopy(
  spec: MirrorDeviceSpec,
  init: Initialization,
  onProgress: CreateOptions['onProgress'],
): Promise<Result<{ readonly fresh: boolean }, string>> {
  const isNew = init.kind === 'clear';
  const { signal } = new AbortController();
  const disk = await openDisk(
    { ...spec, kind: 'file', length: isNew ? spec.length : undefined },
    (done, total) => onProgress(spec.name, done, total),
    signal,
  );
  if (!disk.ok) return fail(disk.fault.message);
  const { fresh } = disk.value;
  const found = disk.value.disk.length;
  await disk.value.disk.close();
  if (!fresh && isNew)
    return fail(
      `${spec.path} is there already: remove it, or say with --init what its content is to the device.`,
    );
  if (found !== spec.length)
    return fail(`${spec.path} has ${found} bytes and the device ${spec.length}: correct the size.`);
  return ok({ fresh });
}

async function withVotesAndRecords(
  cluster: ClusterSpec,
  spec: MirrorDeviceSpec,
  members: readonly number[],
): Promise<Result<string, string>> {
  const voted = await withVotes(cluster, spec, members);
  if (!voted.ok) return voted;
  return withRecords(spec, cluster, members, `The copy of ${spec.name} on this node is made: ${spec.path}.`);
}

/** Whichever node comes first writes it. */
async function withVotes(
  cluster: ClusterSpec,
  spec: MirrorDeviceSpec,
  members: readonly number[],
): Promise<Result<void, string>> {
  const store = spec.asksStore ? openStore(cluster) : undefined;
  if (store === undefined) return ok(undefined);
  const votes = store.votes(spec.id);
  const prepared = await store.prepare(spec.id);
  const written = prepared.ok ? await votes.write(firstRegister(spec, members, platformCrypto), 0) : prepared;
  return written.ok
    ? ok(undefined)
    : fail(`The cluster's votes in ${votes.name} cannot be written: ${written.fault.cause}.`);
}

async function withRecords(
  spec: MirrorDeviceSpec | WitnessSpec,
  cluster: ClusterSpec,
  members: readonly number[],
  done: string,
): Promise<Result<string, string>> {
  const opened = await openRecords(
    spec.recordsPath,
    recordsLength(spec, cluster),
    new AbortController().signal,
  );
  if (!opened.ok) return fail(opened.fault.message);
  const { disk } = opened.value;
  const ports = { crypto: platformCrypto, clock: systemClock };
  const created = await createRecords(spec, cluster.node, members, disk, ports);
  await disk.close();
  if (!created.ok) return fail(`The records in ${spec.recordsPath} cannot be made: ${created.fault}.`);
  if (created.value) return ok(done);
  return fail(
    `${spec.recordsPath} has records of a device already: nothing was changed. Where the device is to be made anew, remove that file and the copy on all nodes.`,
  );
}
