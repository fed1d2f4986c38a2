/** `lockstep cluster check`: every link of this node to its partners, as the network and the certificates have it now. */

import { ok, type Result } from './base/result.ts';
import type { ClusterSpec, PartnerSpec } from './engine/spec.ts';
import { proofOf, visitPartner } from './main-partners.ts';
import type { CheckedLink, LinksChecked } from './management/cli/links.ts';
import { adviceOnLinks, type MeasuredLink } from './management/link-advice.ts';
import type { NodePlan } from './management/plan.ts';
import { interfaceSpeed } from './runtime/interfaces.ts';
import { type LinkSpeed, measureLink } from './runtime/link-measure.ts';
import { parseAddress } from './runtime/listener.ts';
import type { Proof } from './runtime/partner-tls.ts';

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
  const visit = await visitPartner(cluster, { partner, at, proof, kind: 'measure', device: NO_DEVICE });
  if (!visit.ok) return visit;
  return measureLink(visit.value, partner.links[at]!.kind === 'sync');
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
