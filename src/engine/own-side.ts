/** This node's part when an administrator chooses between the sides of a split brain (split-brain.ts). */

import { fail, ok, type Result } from '../base/result.ts';
import type { Keeper } from './mirror/divergence.ts';
import type { MirrorNode } from './mirror/mirror-node.ts';
import type { KeptSide, SplitBrainRequest } from './split-brain.ts';

/** What would be lost goes into a file of this node. */
export interface FileKeeper extends Keeper {
  readonly file: string;
  /** Why it could not keep or finish; a clause. */
  readonly fault: string | undefined;
}

/** A new file for a device of so many bytes; the fault is a clause. */
export type OpenKeeper = (name: string, bytes: number) => Promise<Result<FileKeeper, string>>;

export interface OwnSide {
  readonly device: string;
  /** Name of this node. */
  readonly name: string;
  readonly node: MirrorNode;
  readonly openKeeper: OpenKeeper;
}

/** The fault is a sentence. */
export async function answerForSide(
  own: OwnSide,
  request: SplitBrainRequest,
): Promise<Result<unknown, string>> {
  const { device, name, node } = own;
  switch (request.kind) {
    case 'side':
      return ok(node.divergence.side);
    case 'standDown':
      return node.membership.standDown()
        ? ok(undefined)
        : fail(`Node ${name} hears of no other side of device ${device}.`);
    case 'keepSide':
      return keepSide(own);
    case 'chooseSide':
      node.membership.proposer.resolve(node.membership.self);
      return ok(undefined);
  }
}

async function keepSide({ device, name, node, openKeeper }: OwnSide): Promise<Result<KeptSide, string>> {
  const { blockCount, blockLength } = node.geometry;
  const epoch = node.divergence.side.history.at(-1)?.term ?? 0;
  const keeper = await openKeeper(`${device}-epoch-${epoch}`, blockCount * blockLength);
  const notKept = (why: string): Result<KeptSide, string> =>
    fail(
      `What only node ${name} holds of device ${device} could not be kept: ${why}. Nothing was overwritten; make room or mend that, and try again.`,
    );
  if (!keeper.ok) return notKept(keeper.fault);
  const chunks = await node.divergence.keep(keeper.value);
  if (chunks !== undefined) return ok({ file: keeper.value.file, chunks: chunks.length });
  return notKept(keeper.value.fault ?? 'it does not stand by any more, or its copy could not be read');
}
