/** What a node is called in its certificate: the one name it has, and by which its partners know it. */

/** A DNS name below a domain of nobody's; labels are letters in lower case, digits and hyphens. */
export function nodeNameIn(cluster: string, node: string): string {
  return `${node}.${cluster}.lockstep`;
}
