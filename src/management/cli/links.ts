/** What `lockstep cluster check` prints. */

import type { Result } from '../../base/result.ts';
import { formatRate } from '../link-advice.ts';
import { table } from './table.ts';

export interface CheckedLink {
  readonly partner: string;
  readonly kind: 'sync' | 'heartbeat';
  /** 'address:port' of the partner. */
  readonly remote: string;
  /** The fault is a sentence. */
  readonly measured: Result<
    { readonly roundTripMs: number; readonly bytesPerSecond: number | undefined },
    string
  >;
}

export interface LinksChecked {
  readonly links: readonly CheckedLink[];
  readonly advice: readonly string[];
}

const HEADINGS = ['Partner', 'Link', 'Address', 'Round trip', 'Carries'];

export function linksText({ links, advice }: LinksChecked): string {
  const lines = table([HEADINGS, ...links.map(cellsOf)]);
  return [...lines, ...advice.map((sentence) => `advice: ${sentence}`)].map((line) => `${line}\n`).join('');
}

/** One line. */
export function linksJson({ links, advice }: LinksChecked): string {
  const plain = links.map(({ measured, ...link }) => ({
    ...link,
    ...(measured.ok ? measured.value : { fault: measured.fault }),
  }));
  return `${JSON.stringify({ links: plain, advice })}\n`;
}

function cellsOf({ partner, kind, remote, measured }: CheckedLink): string[] {
  const cells = [partner, kind, remote];
  if (!measured.ok) return [...cells, '–', measured.fault];
  const { roundTripMs, bytesPerSecond } = measured.value;
  return [
    ...cells,
    `${roundTripMs.toFixed(2)} ms`,
    bytesPerSecond === undefined ? '' : formatRate(bytesPerSecond),
  ];
}
