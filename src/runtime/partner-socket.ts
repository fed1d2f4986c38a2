/** A connection between nodes over a socket that has been proven (ports/partner-network.ts). */

import type { Socket } from 'node:net';
import type { ConnectionHandlers, PartnerConnection } from '../ports/partner-network.ts';
import { abort } from './tcp-options.ts';

/** Above this backlog `send` says that it is full, until it is below the low mark. */
const BACKLOG_BYTES_HIGH = 1024 * 1024;
const BACKLOG_BYTES_LOW = 256 * 1024;
/** A partner gets this long to take what is queued. */
const LINGER_MS = 5000;

export class PartnerSocket implements PartnerConnection {
  readonly #socket: Socket;
  /** The TCP connection beneath. */
  readonly #raw: Socket;
  #handlers: ConnectionHandlers | undefined;
  #cause = 'the other side ended the connection';
  #isCorked = false;
  #isFull = false;
  #isOver = false;

  constructor(socket: Socket, raw: Socket) {
    this.#socket = socket;
    this.#raw = raw;
    raw.on('error', this.#onError);
    socket.on('error', this.#onError);
    socket.on('close', () => this.#onClose());
  }

  /** Bytes flow from here on. */
  start(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
    this.#socket.on('data', (bytes: Uint8Array) => {
      if (!this.#isOver) handlers.onBytes(bytes);
    });
    this.#socket.resume();
  }

  send(segments: readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    if (this.#isOver || !socket.writable) return true;
    if (!this.#isCorked) {
      // What is sent in one turn of the event loop leaves in one system call.
      this.#isCorked = true;
      socket.cork();
      setImmediate(this.#uncork);
    }
    const last = segments.length - 1;
    for (let at = 0; at < last; at++) socket.write(segments[at]!);
    socket.write(segments[last]!, this.#onTaken);
    if (socket.writableLength > BACKLOG_BYTES_HIGH) this.#isFull = true;
    return !this.#isFull;
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#uncork();
    this.#socket.end();
    const linger = setTimeout(() => this.#socket.destroy(), LINGER_MS);
    this.#socket.once('close', () => clearTimeout(linger));
    // Its end is waited for; what comes before is nobody's.
    this.#socket.resume();
  }

  abort(): void {
    this.#isOver = true;
    abort(this.#socket, this.#raw);
  }

  readonly #uncork = (): void => {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.#socket.uncork();
  };

  readonly #onTaken = (): void => {
    if (!this.#isFull || this.#isOver || this.#socket.writableLength > BACKLOG_BYTES_LOW) return;
    this.#isFull = false;
    this.#handlers?.onDrained();
  };

  readonly #onError = (error: Error): void => {
    this.#cause = error.message;
  };

  #onClose(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#handlers?.onClosed(this.#cause);
  }
}
