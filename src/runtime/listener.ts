/**
 * Listening sockets and connections that nobody owns yet (`Listen`, `Arrival`).
 *
 * Every arrival is read through Node's `onread`, which takes bytes only while we say so: after `onBytes` has answered
 * false the kernel keeps what follows, and whoever gets the socket reads on exactly there. An ordinary `data` listener
 * would leave bytes in Node's own buffer, and `pause()` would let one more read happen.
 */

import net from 'node:net';
import { assert } from '../base/assert.ts';
import { fail, ok } from '../base/result.ts';
import type { Arrival, Listen, Listener, ListenFault } from '../ports/process.ts';

/** Connections the kernel holds for us while we are busy. */
const BACKLOG = 1024;
/** All arrivals share one receive buffer: what they read is looked at within the call. */
const receiveBuffer = new Uint8Array(16 * 1024);

/** The libuv handle of a socket. Node has no public way to take it over into another socket or process. */
export type TcpHandle = object;

export const listen: Listen = async (address, onArrival) => {
  const endpoint = parseAddress(address);
  if (endpoint === undefined) {
    return fail({
      reason: 'configuration',
      message: `"${address}" is no address to listen on: write ADDRESS:PORT, for example 127.0.0.1:3260 or [::1]:3260.`,
    });
  }
  const server = net.createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    const arrival = new SocketArrival(socket);
    if (arrival.open) onArrival(arrival);
  });
  const fault = await started(server, endpoint);
  if (fault !== undefined) return fail(fault);
  return ok(listenerOf(server));
};

/** 'address:port' or '[v6]:port'; undefined for anything else. */
export function parseAddress(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const host = match[1] ?? match[2] ?? '';
  const port = Number(match[3]);
  return port <= 0xffff && net.isIP(host.replace(/%.*$/, '')) !== 0 ? { host, port } : undefined;
}

function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function started(
  server: net.Server,
  { host, port }: { host: string; port: number },
): Promise<ListenFault | undefined> {
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve(faultOf(error, formatAddress(host, port))),
    );
    server.listen({ host, port, backlog: BACKLOG }, () => resolve(undefined));
  });
}

function faultOf(error: NodeJS.ErrnoException, address: string): ListenFault {
  const cannot = `Cannot listen on ${address}: `;
  switch (error.code) {
    case 'EADDRINUSE':
      return {
        reason: 'inUse',
        message: `${cannot}another program uses this port; stop it, or choose another port (0 takes a free one).`,
      };
    case 'EADDRNOTAVAIL':
      return { reason: 'system', message: `${cannot}this machine has no such address; see "ip address".` };
    case 'EACCES':
      return {
        reason: 'system',
        message: `${cannot}no permission; ports below 1024 need root, so choose a higher one.`,
      };
    default:
      return { reason: 'system', message: `${cannot}${error.message}.` };
  }
}

function listenerOf(server: net.Server): Listener {
  const bound = server.address();
  assert(bound !== null && typeof bound === 'object', 'listener: a TCP server has an address');
  return {
    address: formatAddress(bound.address, bound.port),
    close: () =>
      new Promise((resolve) => {
        // Arrivals live on without their server, so this does not wait for them.
        server.close(() => resolve());
      }),
  };
}

class SocketArrival implements Arrival {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly remoteHost: string;
  readonly #handle: TcpHandle | undefined;
  #socket: net.Socket | undefined;
  /** From then on the handle belongs to a socket. */
  #isRead = false;

  constructor(accepted: net.Socket) {
    this.localAddress = formatAddress(accepted.localAddress ?? '', accepted.localPort ?? 0);
    this.remoteHost = accepted.remoteAddress ?? '';
    this.remoteAddress = formatAddress(this.remoteHost, accepted.remotePort ?? 0);
    this.#handle = detach(accepted);
  }

  /** False when the peer was gone before we looked. */
  get open(): boolean {
    return this.#handle !== undefined;
  }

  read(onBytes: (bytes: Uint8Array) => boolean, onClosed: () => void): void {
    assert(this.#handle !== undefined && !this.#isRead, 'arrival: read once');
    this.#isRead = true;
    const socket = socketOver(this.#handle, (bytes) => onBytes(bytes));
    this.#socket = socket;
    socket.on('error', () => undefined); // 'close' follows
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      onClosed();
    });
    socket.resume();
  }

  send(bytes: Uint8Array): void {
    this.#socket?.write(Uint8Array.from(bytes));
  }

  drop(): void {
    const socket =
      this.#isRead || this.#handle === undefined ? this.#socket : socketOver(this.#handle, () => false);
    this.#isRead = true;
    this.#socket = undefined;
    socket?.destroy();
  }

  /** For `runtime/child-process.ts`: the handle to send, and what to call when it has been sent. */
  release(): { handle: TcpHandle; sent: () => void } | undefined {
    const socket = this.#socket;
    if (socket === undefined || this.#handle === undefined) return undefined;
    this.#socket = undefined;
    // Closing our descriptor does not shut the connection down: the other process has its own by then.
    return { handle: this.#handle, sent: () => socket.destroy() };
  }
}

/** Takes the handle out of the socket Node made for it; the empty socket's end keeps the server's count right. */
function detach(accepted: net.Socket): TcpHandle | undefined {
  const shell = accepted as unknown as { _handle: TcpHandle | null };
  const handle = shell._handle;
  shell._handle = null;
  accepted.destroy();
  return handle ?? undefined;
}

/** A socket over a handle; `onBytes` decides after each read whether there is another. */
function socketOver(handle: TcpHandle, onBytes: (bytes: Uint8Array) => boolean): net.Socket {
  const options = {
    handle,
    onread: {
      buffer: receiveBuffer,
      callback: (length: number, buffer: Uint8Array) => onBytes(buffer.subarray(0, length)),
    },
  };
  return new net.Socket(options as unknown as net.SocketConstructorOpts);
}

export function releaseArrival(arrival: Arrival): { handle: TcpHandle; sent: () => void } | undefined {
  assert(arrival instanceof SocketArrival, 'arrival: made by this listener');
  return arrival.release();
}
