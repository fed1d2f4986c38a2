/** Nodes of a cluster: numbers in the core, names for people. */

import type { ClusterSpec } from './spec.ts';

export function nodeNameOf({ node, nodeName, partners }: ClusterSpec, wanted: number): string {
  if (wanted === node) return nodeName;
  return partners.find((partner) => partner.node === wanted)?.name ?? `node ${wanted}`;
}
