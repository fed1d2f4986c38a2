/** The child's end of the channel to the supervisor. When the supervisor is gone, so is the reason to run. */

import net from 'node:net';
import { assert } from '../base/assert.ts';

export interface Parent {
  send(message: unknown): void;
  /** Lets the process end by itself when nothing else keeps it. */
  disconnect(): void;
}

export interface ParentHandlers {
  /** `handle`: the libuv handle of a connection that came with the message. */
  onMessage(message: unknown, handle: object | undefined): void;
  /** The supervisor has ended, however it did. */
  onOrphaned(): void;
}

export function connectParent(handlers: ParentHandlers): Parent {
  assert(process.send !== undefined, 'parent: started by a supervisor');
  let leaving = false;
  process.on('message', (message, handle) => handlers.onMessage(message, handle as object | undefined));
  process.on('disconnect', () => {
    if (!leaving) handlers.onOrphaned();
  });
  return {
    send: (message) => {
      if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
    },
    disconnect: () => {
      leaving = true;
      if (process.connected) process.disconnect();
    },
  };
}

/** An ordinary socket over a handle that came from the supervisor, not yet reading. */
export function socketOf(handle: object): net.Socket {
  const options = { handle, pauseOnCreate: true, readable: true, writable: true };
  const socket = new net.Socket(options as unknown as net.SocketConstructorOpts);
  socket.setNoDelay(true);
  return socket;
}
