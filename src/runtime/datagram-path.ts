/**
 * Datagrams over a connection of their own (docs/FORMATS.md): each with its length before it. They are dropped rather than
 * queued. A path on which nothing is heard though we speak is cut off and made anew, so that after a short break nobody waits
 * for TCP's ever longer pauses.
 */

import type { Socket } from 'node:net';
import type { Clock } from '../ports/clock.ts';
import { abort } from './tcp-options.ts';

const DATAGRAM_BYTES_MAX = 2048;
/** Nothing heard for so long, though we have spoken. */
const SILENCE_MS = 1000;
const LENGTH_BYTES = 2;

export interface DatagramPathOptions {
  readonly clock: Clock;
  onDatagram(datagram: Uint8Array): void;
  /** Once for each socket: it is over; `cause` for people. */
  onOver(cause: string): void;
}

interface Attached {
  readonly socket: Socket;
  readonly raw: Socket;
  /** Since when we have spoken without hearing anything. */
  unheardSince: number | undefined;
  rest: Uint8Array;
}

export class DatagramPath {
  readonly #options: DatagramPathOptions;
  #attached: Attached | undefined;

  constructor(options: DatagramPathOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#attached !== undefined;
  }

  /** Takes the place of a former one, which is dead: who has connected anew has given it up. */
  attach(socket: Socket, raw: Socket): void {
    this.#cut('replaced');
    const attached: Attached = { socket, raw, unheardSince: undefined, rest: new Uint8Array(0) };
    this.#attached = attached;
    let cause = 'the other side ended the connection';
    const onError = (error: Error): void => void (cause = error.message);
    socket.on('error', onError);
    raw.on('error', onError);
    socket.on('close', () => {
      if (this.#attached === attached) this.#cut(cause);
    });
    socket.on('data', (bytes: Uint8Array) => {
      if (this.#attached === attached) this.#onBytes(attached, bytes);
    });
    socket.resume();
  }

  /** False: dropped. */
  send(datagram: Uint8Array): boolean {
    const attached = this.#attached;
    if (attached === undefined) return false;
    const now = this.#options.clock.now();
    attached.unheardSince ??= now;
    if (now - attached.unheardSince > SILENCE_MS) {
      this.#cut('nothing was heard');
      return false;
    }
    const { socket } = attached;
    if (!socket.writable || socket.writableLength > 0) return false;
    const frame = new Uint8Array(LENGTH_BYTES + datagram.length);
    new DataView(frame.buffer).setUint16(0, datagram.length);
    frame.set(datagram, LENGTH_BYTES);
    socket.write(frame);
    return true;
  }

  close(): void {
    this.#cut('closed');
  }

  #cut(cause: string): void {
    const attached = this.#attached;
    if (attached === undefined) return;
    this.#attached = undefined;
    abort(attached.socket, attached.raw);
    this.#options.onOver(cause);
  }

  #onBytes(attached: Attached, bytes: Uint8Array): void {
    attached.unheardSince = undefined;
    let all = bytes;
    if (attached.rest.length > 0) {
      all = new Uint8Array(attached.rest.length + bytes.length);
      all.set(attached.rest);
      all.set(bytes, attached.rest.length);
    }
    let at = 0;
    while (all.length - at >= LENGTH_BYTES) {
      const length = (all[at]! << 8) | all[at + 1]!;
      if (length === 0 || length > DATAGRAM_BYTES_MAX) return this.#cut('what came is no datagram');
      const end = at + LENGTH_BYTES + length;
      if (end > all.length) break;
      this.#options.onDatagram(all.subarray(at + LENGTH_BYTES, end));
      if (this.#attached !== attached) return;
      at = end;
    }
    attached.rest = all.subarray(at);
  }
}
