/** What one link has carried since the process began, and how long it takes there and back. */

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
}

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
  };
}

export function countRoundTrip(counters: LinkCounters, ms: number): void {
  const { roundTripMs } = counters;
  counters.roundTripMs = roundTripMs === undefined ? ms : roundTripMs + SMOOTHING * (ms - roundTripMs);
}
