/**
 * A device that grows: nobody is told less than was seen or acknowledged before, nobody more than was asked for until then,
 * and in the end all copies are equally large.
 */

/** What a command has shown of the size, in new blocks: at least and at most so many. */
export interface SizeSeen {
  readonly least: number;
  readonly most: number;
  readonly invokedAt: number;
  readonly returnedAt: number;
}

export interface GrowthAttempt {
  /** New blocks that a device of this size has. */
  readonly blocks: number;
  readonly invokedAt: number;
  /** Infinity: not answered well. */
  readonly returnedAt: number;
}

export interface GrowthAtEnd {
  readonly attempts: readonly GrowthAttempt[];
  /** `blockCount`: all blocks of the device, as this copy has recorded. */
  readonly held: readonly { readonly node: number; readonly blockCount: number; readonly blocks: number }[];
}

export interface GrowthViolation {
  readonly rule: 'deviceShrank' | 'sizeFromNowhere' | 'growthLost' | 'sizesDiffer';
  readonly explanation: string;
}

/** While the run lasted. */
export function checkSizes(
  seen: readonly SizeSeen[],
  attempts: readonly GrowthAttempt[],
): GrowthViolation | undefined {
  const acknowledged = attempts.map(({ blocks, ...times }) => ({ ...times, least: blocks, most: Infinity }));
  const all = [...seen, ...acknowledged];
  const ends = all.toSorted((a, b) => a.returnedAt - b.returnedAt);
  let [largest, next]: [SizeSeen | undefined, number] = [undefined, 0];
  for (const one of all.toSorted((a, b) => a.invokedAt - b.invokedAt)) {
    for (; next < ends.length && ends[next]!.returnedAt < one.invokedAt; next++)
      if (ends[next]!.least > (largest?.least ?? 0)) largest = ends[next];
    if (largest !== undefined && one.most < largest.least)
      return {
        rule: 'deviceShrank',
        explanation: `${one.most} new blocks at most at ${one.invokedAt}–${one.returnedAt}, ${largest.least} at least at ${largest.returnedAt}`,
      };
  }
  for (const { least, returnedAt } of seen) {
    const asked = attempts.some((attempt) => attempt.blocks >= least && attempt.invokedAt <= returnedAt);
    if (least > 0 && !asked)
      return {
        rule: 'sizeFromNowhere',
        explanation: `${least} new blocks at ${returnedAt}, which nobody asked for`,
      };
  }
  return undefined;
}

/** Once all is quiet. */
export function checkGrowth(
  seen: readonly SizeSeen[],
  { attempts, held }: GrowthAtEnd,
): GrowthViolation | undefined {
  const [first, ...others] = held;
  const other = others.find(({ blockCount }) => blockCount !== first!.blockCount);
  if (other !== undefined)
    return { rule: 'sizesDiffer', explanation: `${JSON.stringify(first)}, ${JSON.stringify(other)}` };
  const known = [
    ...seen.map(({ least }) => least),
    ...attempts.flatMap(({ blocks, returnedAt }) => (returnedAt < Infinity ? [blocks] : [])),
  ];
  const least = Math.max(0, ...known);
  if (first === undefined || first.blocks >= least) return undefined;
  return { rule: 'growthLost', explanation: `${least} new blocks were there, and ${first.blocks} are` };
}
