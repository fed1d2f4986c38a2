/**
 * A ByteStream in memory for tests: what a test feeds arrives at once, what is sent is collected. Bytes are taken when
 * they are collected, or at the next await; while `stalled`, by `take` alone.
 */

import type { ByteStream, ReceivedBytes, StreamHandlers } from '../../ports/byte-stream.ts';

const HIGH_WATER = 1024 * 1024;

export class MemoryStream implements ByteStream {
  readonly localAddress = '127.0.0.1:3260';
  readonly remoteAddress: string;
  backlog = 0;
  /** Nobody takes what is sent. */
  stalled = false;
  paused = false;
  /** How the stream was ended by the product. */
  ended: 'open' | 'closed' | 'aborted' = 'open';
  /** Views of fed buffers that are still retained. */
  retained = 0;
  sends = 0;
  private handlers: StreamHandlers | undefined;
  private sent: Uint8Array[] = [];
  private waiting: { readonly length: number; readonly onTaken: (() => void) | undefined }[] = [];
  private full = false;
  private turnEndRequested = false;

  constructor(remoteAddress = '127.0.0.2:40000') {
    this.remoteAddress = remoteAddress;
  }

  start(handlers: StreamHandlers): void {
    this.handlers = handlers;
  }

  feed(bytes: Uint8Array): void {
    if (this.ended !== 'open') return;
    const buffer = bytes.slice();
    let reading = true;
    const received: ReceivedBytes = {
      buffer,
      view: new DataView(buffer.buffer),
      start: 0,
      end: buffer.length,
      retain: () => void this.retained++,
      release: () => {
        this.retained--;
        // Nobody may look at released bytes: they belong to the next read.
        if (this.retained === 0 && !reading) buffer.fill(0xee);
      },
    };
    this.handlers?.onBytes(received);
    reading = false;
    if (this.retained === 0) buffer.fill(0xee);
  }

  /** The peer closes. */
  hangUp(cause?: string): void {
    if (this.ended === 'open') this.ended = 'closed';
    this.handlers?.onClosed(cause);
  }

  /** Ends the turn of the event loop. */
  endTurn(): void {
    if (!this.turnEndRequested) return;
    this.turnEndRequested = false;
    this.handlers?.onTurnEnd();
  }

  /** All bytes sent since the last call. */
  collect(): Uint8Array {
    if (!this.stalled) this.take();
    const length = this.sent.reduce((sum, bytes) => sum + bytes.length, 0);
    const all = new Uint8Array(length);
    let at = 0;
    for (const bytes of this.sent) {
      all.set(bytes, at);
      at += bytes.length;
    }
    this.sent = [];
    return all;
  }

  /** The kernel takes everything. */
  take(): void {
    const { waiting } = this;
    this.waiting = [];
    this.backlog = 0;
    for (const { onTaken } of waiting) onTaken?.();
    if (!this.full) return;
    this.full = false;
    this.handlers?.onDrained();
  }

  send(segments: readonly Uint8Array[], onTaken?: () => void): boolean {
    this.sends++;
    let length = 0;
    for (const segment of segments) {
      this.sent.push(segment.slice());
      length += segment.length;
    }
    this.backlog += length;
    this.waiting.push({ length, onTaken });
    if (this.backlog > HIGH_WATER) this.full = true;
    const flowing = !this.full;
    if (!this.stalled) void Promise.resolve().then(() => this.take());
    return flowing;
  }

  requestTurnEnd(): void {
    this.turnEndRequested = true;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  close(): void {
    if (this.ended !== 'open') return;
    this.ended = 'closed';
    this.handlers?.onClosed(undefined);
  }

  abort(): void {
    if (this.ended !== 'open') return;
    this.ended = 'aborted';
    this.handlers?.onClosed(undefined);
  }
}
