/** What `lockstep device conflict` and `lockstep device resolve` print. */

import { formatSize } from '../../base/units.ts';
import type { Conflict, Resolved, SideView } from '../../engine/split-brain.ts';
import { table } from './table.ts';

const HEADINGS = ['Node', 'State', 'Epoch', 'Together until epoch', 'Changed alone'];

export function conflictText(device: string, { sides, silent }: Conflict): string {
  if (sides.length === 0)
    return linesOf([`Device ${device} has no split brain, as far as its nodes tell.`, ...silent]);
  const rows = sides.map((side) => [
    side.node,
    side.isServing ? 'serves' : 'has stopped',
    String(side.epoch),
    side.since === undefined ? 'unknown' : String(side.since),
    changedText(side),
  ]);
  return linesOf([
    `Device ${device} was changed on several sides that did not hear of each other:`,
    '',
    ...table([HEADINGS, ...rows]),
    '',
    ...silent,
    `Choose the side that stays: lockstep device resolve ${device} --keep NODE`,
  ]);
}

/** What is given up when the side of this node stays, a line for each other one. */
export function lossText(device: string, { sides }: Conflict, keep: string): string {
  const chosen = sides.find(({ node }) => node === keep);
  const lost = sides.filter(({ node, epoch }) => node !== keep && epoch !== chosen?.epoch);
  return linesOf(
    lost.map(
      (side) =>
        `Device ${device}: node ${side.node} gives up what it changed, ${changedText(side)},${side.since === undefined ? '' : ` since epoch ${side.since}`}; it is written into a file on ${side.node} first.`,
    ),
  );
}

export function resolvedText(device: string, { kept, givenUp }: Resolved): string {
  return linesOf([
    `Device ${device} goes on as node ${kept} has it.`,
    ...givenUp.map(
      ({ node, file, chunks }) =>
        `Given up on ${node}: ${formatSize(chunks * CHUNK_BYTES)}, in ${file} (which chunks: ${file}.json)`,
    ),
  ]);
}

const CHUNK_BYTES = 65_536;

/** It is not known how much of each chunk. */
function changedText({ bytes, chunks, full }: SideView): string {
  const unknown = full === undefined ? '' : ', all of it: it is not known which';
  return `up to ${formatSize(bytes)} (${chunks} ${chunks === 1 ? 'chunk' : 'chunks'}${unknown})`;
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
