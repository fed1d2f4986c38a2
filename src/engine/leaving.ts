/** Whether a node may be stopped: nobody loses a device that others could have gone on with, and no last copy goes away. */

import { fail, ok, type Result } from '../base/result.ts';
import { isMajority, votersOf } from '../cluster/configuration.ts';
import type { OpenDevice } from './devices.ts';
import type { MirrorHost } from './mirror/mirror-host.ts';
import type { MirrorNode } from './mirror/mirror-node.ts';
import { nodeNameOf } from './node-names.ts';
import type { ClusterSpec } from './spec.ts';

/** The fault is a sentence about the device: why it would be lost to hosts. */
export function mayLeave(
  { spec, mirror }: Pick<OpenDevice, 'spec' | 'mirror'>,
  cluster: ClusterSpec | undefined,
): Result<void, string> {
  if (spec.kind !== 'mirror' || mirror === undefined || cluster === undefined)
    return fail(`Device ${spec.name} is on this node alone.`);
  const { node } = mirror.host;
  // A copy that takes no part is missed by nobody.
  if (node === undefined || node.membership.hasFailed) return ok(undefined);
  const { role, installed, peers, ports, self } = node.membership;
  if (role === 'blocked' || role === 'learning' || role === 'removed') return ok(undefined);
  if (role === 'diverged') return fail(`Device ${spec.name} has a split brain: choose a side first.`);
  const now = ports.clock.now();
  const others = (installed?.members ?? []).filter((member) => member !== self && peers.hears(member, now));
  const { nodes } = node.membership.site;
  if (nodes.length === 1) return fail(`Device ${spec.name} is on this node alone.`);
  if (others.length === 0)
    return fail(`Device ${spec.name} has no other synchronized copy: ${missing(cluster, nodes)}.`);
  return votesWithout(spec.name, node);
}

/** As a witness. */
export function witnessMayLeave(device: string, { node }: Pick<MirrorHost, 'node'>): Result<void, string> {
  return node === undefined ? ok(undefined) : votesWithout(device, node);
}

function votesWithout(device: string, { membership }: MirrorNode): Result<void, string> {
  const { site, peers, ports, self } = membership;
  if (site.strategy.kind !== 'majority') return ok(undefined);
  const now = ports.clock.now();
  const voters = votersOf(site);
  const heard = voters.filter((voter) => voter !== self && peers.hears(voter, now));
  return isMajority(site, (voter) => heard.includes(voter))
    ? ok(undefined)
    : fail(
        `Device ${device} would have no majority without this node: ${heard.length} of ${voters.length} votes are left.`,
      );
}

function missing(cluster: ClusterSpec, nodes: readonly number[]): string {
  const names = nodes.filter((node) => node !== cluster.node).map((node) => nodeNameOf(cluster, node));
  return `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} away or not up to date`;
}
