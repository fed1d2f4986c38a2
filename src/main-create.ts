/**
 * `lockstep mirror create`: this node's copy of a new mirrored device, or its vote. Run once on each node before it serves
 * the device; a node on which it was not run gets its copy from the others.
 */

import { rmSync } from 'node:fs';
import { fail, ok, type Result } from './base/result.ts';
import { createRecords, firstRegister, recordsLength } from './engine/mirrors.ts';
import type { ClusterSpec, MirrorDeviceSpec, WitnessSpec } from './engine/spec.ts';
import { openDisk, openRecords } from './main-disk.ts';
import { openStore } from './main-votes.ts';
import type { NodePlan } from './management/plan.ts';
import { systemClock } from './runtime/clock.ts';
import { platformCrypto } from './runtime/crypto.ts';

export interface CreateOptions {
  /** This node's file is the device's content; the others get theirs from it. */
  readonly fromExisting: boolean;
  readonly onProgress: (device: string, done: number, total: number) => void;
}

/** What was done, as a sentence. */
export async function createMirror(
  plan: NodePlan,
  name: string,
  options: CreateOptions,
): Promise<Result<string, string>> {
  const node = plan.cluster?.node;
  const copy = plan.devices.find((device) => device.name === name);
  const vote = plan.witnessed.find((witnessed) => witnessed.name === name);
  if (node === undefined || (copy?.kind !== 'mirror' && vote === undefined))
    return fail(`There is no mirrored device "${name}" in this configuration.`);
  const members = options.fromExisting ? [node] : (vote ?? (copy as MirrorDeviceSpec)).site.nodes;
  if (vote !== undefined)
    return options.fromExisting
      ? fail(`This node has only a vote about ${name}: use --from-existing where the content is.`)
      : await withRecords(vote, node, members, `The vote of this node about ${name} is made.`);
  const spec = copy as MirrorDeviceSpec;
  const length = options.fromExisting ? undefined : spec.length;
  const { signal } = new AbortController();
  const disk = await openDisk(
    { ...spec, kind: 'file', length },
    (done, total) => options.onProgress(name, done, total),
    signal,
  );
  if (!disk.ok) return fail(disk.fault.message);
  const { fresh } = disk.value;
  const found = disk.value.disk.length;
  await disk.value.disk.close();
  if (!fresh && !options.fromExisting)
    return fail(
      `${spec.path} is there already: remove it, or say --from-existing if its content is to become that of the device.`,
    );
  if (found !== spec.length)
    return fail(`${spec.path} has ${found} bytes and the device ${spec.length}: correct the size.`);
  const voted = await withVotes(plan.cluster!, spec, members);
  if (!voted.ok) {
    if (fresh) rmSync(spec.path, { force: true });
    return voted;
  }
  const made = await withRecords(
    spec,
    node,
    members,
    `The copy of ${name} on this node is made: ${spec.path}.`,
  );
  if (!made.ok && fresh) rmSync(spec.path, { force: true });
  return made;
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
  node: number,
  members: readonly number[],
  done: string,
): Promise<Result<string, string>> {
  const opened = await openRecords(spec.recordsPath, recordsLength(spec), new AbortController().signal);
  if (!opened.ok) return fail(opened.fault.message);
  const { disk } = opened.value;
  const ports = { crypto: platformCrypto, clock: systemClock };
  const created = await createRecords(spec, node, members, disk, ports);
  await disk.close();
  if (!created.ok) return fail(`The records in ${spec.recordsPath} cannot be made: ${created.fault}.`);
  if (created.value) return ok(done);
  return fail(
    `${spec.recordsPath} has records of a device already: nothing was changed. Where the device is to be made anew, remove that file and the copy on all nodes.`,
  );
}
