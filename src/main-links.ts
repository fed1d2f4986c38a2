/** `lockstep cluster check`: every link of this node to its partners, as the network and the certificates have it now. */

import net from 'node:net';
import { encodePreamble } from './base/partner-preamble.ts';
import { nodeNameIn } from './base/node-name.ts';
import { fail, ok, type Result } from './base/result.ts';
import type { ClusterSpec, PartnerSpec } from './engine/spec.ts';
import { proofOf } from './main-partners.ts';
import type { CheckedLink, LinksChecked } from './management/cli/links.ts';
import { adviceOnLinks, type MeasuredLink } from './management/link-advice.ts';
import type { NodePlan } from './management/plan.ts';
import { interfaceSpeed } from './runtime/interfaces.ts';
import { type LinkSpeed, measureLink } from './runtime/link-measure.ts';
import { parseAddress } from './runtime/listener.ts';
import type { Proof } from './runtime/partner-tls.ts';
import { prepare } from './runtime/tcp-options.ts';

const CONNECT_MS = 3000;
const NO_DEVICE = '0'.repeat(32);

/**
 * One link after the other, so that none disturbs another. `partners`: their numbers; undefined: all. The fault is a clause for
 * people.
 */
export async function checkLinks(
  { cluster, portals }: NodePlan & { readonly cluster: ClusterSpec },
  partners?: readonly number[],
): Promise<Result<LinksChecked, string>> {
  const proof = proofOf(cluster);
  if (!proof.ok) return proof;
  const links: CheckedLink[] = [];
  for (const partner of cluster.partners) {
    if (partners?.includes(partner.node) === false) continue;
    // oxlint-disable-next-line no-await-in-loop -- as above
    for (const [at, { kind, remote }] of partner.links.entries())
      links.push({
        partner: partner.name,
        kind,
        remote,
        measured: await check(cluster, partner, at, proof.value),
      });
  }
  const measured = links.flatMap(({ measured: result, ...link }): MeasuredLink[] =>
    result.ok ? [{ ...link, ...result.value }] : [],
  );
  return ok({ links, advice: adviceOnLinks(measured, clientSpeed(portals.map(({ address }) => address))) });
}

async function check(
  cluster: ClusterSpec,
  partner: PartnerSpec,
  at: number,
  proof: Proof,
): Promise<Result<LinkSpeed, string>> {
  const { local, remote, kind } = partner.links[at]!;
  const raw = net.connect({
    ...parseAddress(remote)!,
    ...(local === undefined ? {} : { localAddress: local }),
  });
  const connected = await new Promise<string | undefined>((resolve) => {
    raw.setTimeout(CONNECT_MS, () => raw.destroy(new Error(`no answer within ${CONNECT_MS / 1000} s`)));
    raw.on('error', (error) => resolve(error.message));
    raw.once('connect', () => resolve(undefined));
  });
  if (connected !== undefined) return fail(`it cannot be reached: ${connected}`);
  raw.setTimeout(0);
  prepare(raw);
  raw.write(encodePreamble({ kind: 'measure', device: NO_DEVICE, link: at + 1 }));
  const proven = await proof.connect(raw, nodeNameIn(cluster.name, partner.name));
  if (!proven.ok) return fail(`nothing was proven: ${proven.fault.detail}`);
  return measureLink(proven.value.socket, kind === 'sync');
}

/** Of all portals' interfaces together; undefined where one of them does not tell. */
function clientSpeed(portals: readonly string[]): number | undefined {
  const interfaces = new Map<string, number | undefined>();
  for (const portal of portals) {
    const found = interfaceSpeed(parseAddress(portal)?.host ?? '');
    if (found === undefined) return undefined;
    interfaces.set(found.name, found.bytesPerSecond);
  }
  const speeds = [...interfaces.values()];
  if (speeds.length === 0 || speeds.includes(undefined)) return undefined;
  return speeds.reduce((sum: number, speed) => sum + speed!, 0);
}
