/** What one link has carried since the process began, and how long it takes there and back. */

import { ROUND_TRIP_MS_MAX } from '../../ports/partner-network.ts';

/** Of these, connections are only on links for sync; datagrams are on all. */
export interface LinkCounters {
  /** That have been greeted. */
  connections: number;
  /** … and are there now. */
  open: number;
  /** That were ended here, because of what came on them. */
  refused: number;
  bytesSent: number;
  bytesReceived: number;
  framesSent: number;
  framesReceived: number;
  datagramsSent: number;
  /** Could not leave at once. */
  datagramsDropped: number;
  datagramsReceived: number;
  /** Could not be read, or were of somebody else. */
  datagramsRefused: number;
  /** Of heartbeats, smoothed, in milliseconds; undefined before the first. */
  roundTripMs: number | undefined;
  /** Its round trips have become too long for synchronous mirroring, and it was told. */
  isSlow: boolean;
}

/** What was slow has to be clearly faster to count as swift again. */
const SWIFT_AGAIN = 0.8;

/** Weight of a new sample, as TCP has it (RFC 6298 §2). */
const SMOOTHING = 1 / 8;

export function newLinkCounters(): LinkCounters {
  return {
    connections: 0,
    open: 0,
    refused: 0,
    bytesSent: 0,
    bytesReceived: 0,
    framesSent: 0,
    framesReceived: 0,
    datagramsSent: 0,
    datagramsDropped: 0,
    datagramsReceived: 0,
    datagramsRefused: 0,
    roundTripMs: undefined,
    isSlow: false,
  };
}

/** Whether the link has become slow by this, or swift again; undefined: neither. */
export function countRoundTrip(counters: LinkCounters, ms: number): 'slow' | 'swift' | undefined {
  const { roundTripMs, isSlow } = counters;
  const smoothed = roundTripMs === undefined ? ms : roundTripMs + SMOOTHING * (ms - roundTripMs);
  counters.roundTripMs = smoothed;
  if (isSlow ? smoothed > ROUND_TRIP_MS_MAX * SWIFT_AGAIN : smoothed <= ROUND_TRIP_MS_MAX) return undefined;
  counters.isSlow = !isSlow;
  return isSlow ? 'swift' : 'slow';
}
