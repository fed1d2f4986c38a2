/** What administrators are told of measured links to partners: mirroring is as fast as they are. */

import { formatSize } from '../base/units.ts';
import { ROUND_TRIP_MS_MAX } from '../ports/partner-network.ts';

export interface MeasuredLink {
  readonly partner: string;
  readonly kind: 'sync' | 'heartbeat';
  /** 'address:port' of the partner. */
  readonly remote: string;
  readonly roundTripMs: number;
  /** To the partner; undefined: not measured, which is so for heartbeats. */
  readonly bytesPerSecond: number | undefined;
}

/** One sentence per piece of advice. `clientBytesPerSecond`: of all portals' interfaces together; undefined: unknown. */
export function adviceOnLinks(
  links: readonly MeasuredLink[],
  clientBytesPerSecond: number | undefined,
): readonly string[] {
  const slow = links.flatMap(({ partner, kind, remote, roundTripMs }) =>
    kind === 'sync' && roundTripMs > ROUND_TRIP_MS_MAX
      ? [
          `The sync link to ${partner} (${remote}) answers after ${roundTripMs.toFixed(1)} ms, and every write waits for that: above ${ROUND_TRIP_MS_MAX} ms synchronous mirroring is slow. Use a shorter way, or replicate asynchronously over this distance.`,
        ]
      : [],
  );
  if (clientBytesPerSecond === undefined) return slow;
  const narrow = [...new Set(links.map(({ partner }) => partner))].flatMap((partner) => {
    const sync = links.filter((link) => link.partner === partner && link.bytesPerSecond !== undefined);
    const together = sync.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond!, 0);
    if (sync.length === 0 || together >= clientBytesPerSecond) return [];
    return [
      `The sync links to ${partner} carry ${formatRate(together)} together, and initiators may send ${formatRate(clientBytesPerSecond)} through the portals: writes are as fast as the sync links. Add a link, or a faster one.`,
    ];
  });
  return [...slow, ...narrow];
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatSize(bytesPerSecond)}/s`;
}
