/** What Node.js does not offer for a TCP connection, and what all connections between nodes have. */

import type { Socket } from 'node:net';
import { setResetOnClose, setUserTimeout } from './libc.ts';

/** What was sent and not acknowledged for so long is on a dead connection. */
const UNACKNOWLEDGED_MS = 2000;
const KEEP_ALIVE_MS = 1000;

/** A connection that is open, before anything is sent. */
export function prepare(raw: Socket): void {
  raw.setNoDelay(true);
  raw.setKeepAlive(true, KEEP_ALIVE_MS);
  const fd = descriptorOf(raw);
  if (fd >= 0) setUserTimeout(fd, UNACKNOWLEDGED_MS);
}

/**
 * Ends `socket`, which is `raw` or lies over it: what is queued is lost, the other side gets a reset. Not by Node.js's own
 * `resetAndDestroy`: beneath a TLS socket that pulls the handle away from under it, and the process dies.
 */
export function abort(socket: Socket, raw: Socket): void {
  const fd = descriptorOf(raw);
  if (fd >= 0) setResetOnClose(fd);
  socket.destroy();
}

function descriptorOf(raw: Socket): number {
  return (raw as unknown as { readonly _handle: { readonly fd: number } | null })._handle?.fd ?? -1;
}
