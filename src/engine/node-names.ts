/** Nodes of a cluster: numbers in the core, names for people. */

import type { ClusterSpec } from './spec.ts';

export function nodeNameOf({ node, nodeName, partners }: ClusterSpec, wanted: number): string {
  if (wanted === node) return nodeName;
  return partners.find((partner) => partner.node === wanted)?.name ?? `node ${wanted}`;
}

/** What the core says of nodes by numbers ("node 2, 3"), as people know them. */
export function withNodeNames(cluster: ClusterSpec, text: string): string {
  return text.replaceAll(/\bnode (\d+(?:, \d+)*)\b/g, (_, numbers: string) => {
    const names = numbers
      .split(', ')
      .map((number) => nodeNameOf(cluster, Number(number)).replace(/^node /, ''));
    return `node ${names.join(', ')}`;
  });
}
