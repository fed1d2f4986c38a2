/**
 * Which nodes have a copy, as administrators change it: in the end all that have one agree on who does, nobody does who was
 * never asked for, and a change that was acknowledged holds unless another one of the same node came after it.
 */

export interface ReplicaAttempt {
  readonly kind: 'add' | 'remove';
  readonly node: number;
  readonly invokedAt: number;
  /** Infinity: not answered well. */
  readonly returnedAt: number;
}

export interface ReplicasAtEnd {
  /** When the device was made. */
  readonly first: readonly number[];
  readonly attempts: readonly ReplicaAttempt[];
  /** As each node that serves it says, ascending. */
  readonly held: readonly { readonly node: number; readonly replicas: readonly number[] }[];
}

export interface ReplicaViolation {
  readonly rule: 'replicasDiffer' | 'replicaFromNowhere' | 'replicaChangeLost';
  readonly explanation: string;
}

export function checkReplicas({ first, attempts, held }: ReplicasAtEnd): ReplicaViolation | undefined {
  const [one, ...others] = held;
  if (one === undefined) return undefined;
  const other = others.find(({ replicas }) => replicas.join() !== one.replicas.join());
  if (other !== undefined)
    return { rule: 'replicasDiffer', explanation: `${JSON.stringify(one)}, ${JSON.stringify(other)}` };
  const nodes = new Set([...first, ...one.replicas, ...attempts.map(({ node }) => node)]);
  for (const node of nodes) {
    const own = attempts.filter((attempt) => attempt.node === node);
    const violation = checkNode(node, first.includes(node), one.replicas.includes(node), own);
    if (violation !== undefined) return violation;
  }
  return undefined;
}

function checkNode(
  node: number,
  wasOne: boolean,
  isOne: boolean,
  attempts: readonly ReplicaAttempt[],
): ReplicaViolation | undefined {
  const wanted = isOne ? 'add' : 'remove';
  if (isOne !== wasOne && !attempts.some(({ kind }) => kind === wanted))
    return {
      rule: 'replicaFromNowhere',
      explanation: `node ${node} ${isOne ? 'has' : 'lost'} a copy unasked`,
    };
  const acknowledged = attempts.filter(({ returnedAt }) => returnedAt < Infinity);
  const last = acknowledged.toSorted((a, b) => b.invokedAt - a.invokedAt)[0];
  if (last === undefined || last.kind === wanted) return undefined;
  // Another attempt, answered or not, may have come after it.
  const isOvertaken = attempts.some(({ kind, returnedAt }) => kind === wanted && returnedAt > last.invokedAt);
  if (isOvertaken) return undefined;
  return {
    rule: 'replicaChangeLost',
    explanation: `${last.kind} of node ${node} was acknowledged at ${last.returnedAt}`,
  };
}
