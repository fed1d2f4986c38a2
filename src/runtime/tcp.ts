/**
 * ByteStream over a TCP socket (ports/byte-stream.ts). Knows nothing of iSCSI.
 *
 * Node offers reading into one's own buffers (`onread`) only to sockets it connects itself; an accepted socket's
 * handle is therefore moved into a socket made with that option. Against 'data' events this saves an allocation of
 * 64 KiB and a stream's bookkeeping for each read.
 */

import { Socket, type SocketConstructorOpts } from 'node:net';
import type { ByteStream, StreamHandlers } from '../ports/byte-stream.ts';
import { ReceiveBuffers, ReceiveSlab } from './receive-buffers.ts';

/** Above this backlog `send` asks to stop producing, until it is below the low mark. */
const BACKLOG_BYTES_HIGH = 4 * 1024 * 1024;
const BACKLOG_BYTES_LOW = 1024 * 1024;
/** A peer that has ended its side gets this long to take what is queued. */
const END_LINGER_MS = 5000;

/** `head`: bytes that somebody has read from the socket before; they come first. */
export function streamOver(socket: Socket, head?: Uint8Array): ByteStream {
  return new TcpStream(socket, head);
}

type Phase = 'new' | 'open' | 'ended' | 'closed';

class TcpStream implements ByteStream {
  readonly localAddress: string;
  readonly remoteAddress: string;
  private readonly accepted: Socket;
  private readonly socket: Socket;
  private readonly receive = new ReceiveBuffers();
  private handlers: StreamHandlers | undefined;
  private phase: Phase = 'new';
  private head: Uint8Array | undefined;
  private cause: string | undefined;
  private aboveHighWater = false;
  private paused = false;
  private turnEndRequested = false;
  private linger: NodeJS.Timeout | undefined;

  constructor(accepted: Socket, head: Uint8Array | undefined) {
    this.accepted = accepted;
    this.head = head;
    this.localAddress = address(accepted.localAddress, accepted.localPort);
    this.remoteAddress = address(accepted.remoteAddress, accepted.remotePort);
    accepted.removeAllListeners();
    accepted.on('error', (error) => (this.cause ??= error.message));
    this.socket = takeOver(
      accepted,
      () => this.receive.next(),
      (length) => this.onRead(length),
    );
    this.socket.setNoDelay(true);
    this.socket.on('error', (error) => (this.cause ??= error.message));
    this.socket.on('end', () => this.onEnd());
    this.socket.on('close', () => this.onClose());
  }

  get backlog(): number {
    return this.socket.writableLength;
  }

  start(handlers: StreamHandlers): void {
    this.handlers = handlers;
    if (this.phase === 'closed') {
      process.nextTick(() => handlers.onClosed(this.cause));
      return;
    }
    this.phase = 'open';
    if (this.head !== undefined) this.feedHead(this.head);
    if (this.open && !this.paused) this.socket.resume();
  }

  send(segments: readonly Uint8Array[], onTaken?: () => void): boolean {
    const { socket } = this;
    if (!this.open || !socket.writable) {
      if (onTaken !== undefined) process.nextTick(onTaken);
      return true;
    }
    const last = segments.length - 1;
    const taken = (): void => {
      onTaken?.();
      this.checkDrained();
    };
    if (last === 0) {
      socket.write(segments[0]!, taken);
    } else {
      socket.cork();
      for (let index = 0; index < last; index++) socket.write(segments[index]!);
      socket.write(segments[last]!, taken);
      socket.uncork();
    }
    if (socket.writableLength > BACKLOG_BYTES_HIGH) this.aboveHighWater = true;
    return !this.aboveHighWater;
  }

  requestTurnEnd(): void {
    if (this.turnEndRequested) return;
    this.turnEndRequested = true;
    setImmediate(() => {
      this.turnEndRequested = false;
      if (this.open) this.handlers?.onTurnEnd();
    });
  }

  pause(): void {
    this.paused = true;
    this.socket.pause();
    // A resume earlier in this turn takes effect behind our back, on the next tick: undo it there.
    process.nextTick(() => {
      if (this.paused && this.open) this.socket.pause();
    });
  }

  resume(): void {
    this.paused = false;
    if (this.open) this.socket.resume();
  }

  close(lingerMs: number): void {
    if (this.phase === 'closed' || this.linger !== undefined) return;
    this.linger = setTimeout(() => this.socket.destroy(), lingerMs);
    this.socket.end(() => this.endWhenBothEnded());
    // Destroying a socket with unread bytes resets it, and the peer may lose what was just sent: wait for its end.
    this.resume();
  }

  abort(): void {
    this.socket.resetAndDestroy();
  }

  private get open(): boolean {
    return this.phase === 'open' || this.phase === 'ended';
  }

  /** In memory of its own: the kernel already knows where the first read goes, and that is the slab's beginning. */
  /** In a slab of its own: the first read already has its place in the stream's. */
  private feedHead(head: Uint8Array): void {
    this.head = undefined;
    const slab = new ReceiveSlab(Uint8Array.from(head).buffer);
    slab.end = head.length;
    this.handlers?.onBytes(slab);
    slab.retire();
  }

  /** Always goes on reading: back-pressure is `pause`. */
  private onRead(length: number): boolean {
    if (this.phase === 'open') this.handlers?.onBytes(this.receive.filled(length));
    return true;
  }

  /** The peer sends no more: what is queued still leaves, then the stream is over. */
  private onEnd(): void {
    if (this.phase === 'open') this.phase = 'ended';
    this.close(END_LINGER_MS);
    this.endWhenBothEnded();
  }

  private endWhenBothEnded(): void {
    if (this.phase === 'ended' && this.socket.writableFinished) this.socket.destroy();
  }

  private onClose(): void {
    if (this.phase === 'closed') return;
    this.phase = 'closed';
    clearTimeout(this.linger);
    this.receive.close();
    // The accepted socket has no handle any more; destroying it tells its server that the connection is gone.
    this.accepted.destroy();
    this.handlers?.onClosed(this.cause);
  }

  private checkDrained(): void {
    if (!this.aboveHighWater || this.socket.writableLength > BACKLOG_BYTES_LOW) return;
    this.aboveHighWater = false;
    if (this.open) this.handlers?.onDrained();
  }
}

interface WithHandle {
  _handle: unknown;
}

function takeOver(
  accepted: Socket,
  buffer: () => Uint8Array<ArrayBuffer>,
  callback: (length: number) => boolean,
): Socket {
  const donor = accepted as unknown as WithHandle;
  const handle = donor._handle;
  const options = {
    handle,
    onread: { buffer, callback },
    allowHalfOpen: true,
    pauseOnCreate: true,
    readable: true,
    writable: true,
  };
  donor._handle = null;
  return new Socket(options as unknown as SocketConstructorOpts);
}

function address(host: string | undefined, port: number | undefined): string {
  const plain = (host ?? '').replace(/^::ffff:(?=\d+\.)/, '');
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}
