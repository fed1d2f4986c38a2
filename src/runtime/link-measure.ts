/**
 * How fast a link to a partner is: how long an answer takes, and how much arrives within half a second. One side asks, the
 * other one answers every message when all of it has arrived (docs/FORMATS.md, "Connections between nodes").
 */

import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { fail, ok, type Result } from '../base/result.ts';

export interface LinkSpeed {
  /** There and back, the middle one of several, in milliseconds. */
  readonly roundTripMs: number;
  /** From this node to the partner, encrypted as mirrored data is; undefined: only round trips were measured. */
  readonly bytesPerSecond: number | undefined;
}

const HEADER_LENGTH = 4;
const ECHOES = 21;
const CHUNK_BYTES = 256 * 1024;
/** Chunks under way: enough for any link on which mirroring makes sense. */
const WINDOW = 32;
const FILL_MS = 500;
const SILENCE_MS_MAX = 5000;
/** Nobody is kept busy for longer. */
const ANSWER_MS_MAX = 10_000;
const UNTAKEN_BYTES_MAX = 64 * 1024;

/** Asks on a connection that is proven, and ends it. The fault is a sentence. */
export async function measureLink(
  socket: Socket,
  withThroughput: boolean,
): Promise<Result<LinkSpeed, string>> {
  const asking = new Asking(socket);
  try {
    const times: number[] = [];
    for (let echo = 0; echo < ECHOES; echo++) {
      const before = performance.now();
      // oxlint-disable-next-line no-await-in-loop -- one after the other is what is measured
      await asking.ask(0);
      times.push(performance.now() - before);
    }
    const roundTripMs = times.toSorted((a, b) => a - b)[(ECHOES - 1) / 2]!;
    return ok({ roundTripMs, bytesPerSecond: withThroughput ? await fill(asking) : undefined });
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  } finally {
    socket.destroy();
  }
}

async function fill(asking: Asking): Promise<number> {
  const begun = performance.now();
  let bytes = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() - begun < FILL_MS) {
      // oxlint-disable-next-line no-await-in-loop -- each lane has one chunk under way
      await asking.ask(CHUNK_BYTES);
      bytes += CHUNK_BYTES;
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, lane));
  return (bytes * 1000) / (performance.now() - begun);
}

/** Questions under way; answers come in their order. */
class Asking {
  readonly #socket: Socket;
  readonly #waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  #received = 0;
  #error: Error | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setTimeout(SILENCE_MS_MAX, () => this.#end(new Error('the partner does not answer')));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('the partner has ended the connection')));
    socket.on('data', (bytes: Uint8Array) => {
      this.#received += bytes.length;
      for (; this.#received >= HEADER_LENGTH; this.#received -= HEADER_LENGTH)
        this.#waiting.shift()?.resolve();
    });
  }

  ask(length: number): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      const header = new Uint8Array(HEADER_LENGTH);
      new DataView(header.buffer).setUint32(0, length);
      this.#socket.write(header);
      if (length > 0) this.#socket.write(new Uint8Array(length));
    });
  }

  #end(error: Error): void {
    this.#error ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#error);
  }
}

/** Answers who asks, on a connection that is proven, for a while. */
export function answerMeasurements(socket: Socket): void {
  let header = 0;
  let headerBytes = 0;
  let left = 0;
  const timer = setTimeout(() => socket.destroy(), ANSWER_MS_MAX);
  socket.on('error', () => undefined); // 'close' follows
  socket.on('close', () => clearTimeout(timer));
  socket.on('data', (bytes: Uint8Array) => {
    let at = 0;
    while (at < bytes.length) {
      if (left > 0) {
        const taken = Math.min(left, bytes.length - at);
        at += taken;
        left -= taken;
      } else {
        header = ((header << 8) | bytes[at]!) >>> 0;
        at += 1;
        headerBytes += 1;
        if (headerBytes < HEADER_LENGTH) continue;
        left = header;
      }
      if (left > 0 || headerBytes < HEADER_LENGTH) continue;
      headerBytes = 0;
      socket.write(new Uint8Array(HEADER_LENGTH));
    }
    // Who asks and does not take the answers measures nothing.
    if (socket.writableLength > UNTAKEN_BYTES_MAX) socket.destroy();
  });
  socket.resume();
}
