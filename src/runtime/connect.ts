/** Connections that this program opens to others, as byte streams. */

import net from 'node:net';
import { fail, ok, type Result } from '../base/result.ts';
import type { ByteStream } from '../ports/byte-stream.ts';
import { parseAddress } from './listener.ts';
import { streamOver } from './tcp.ts';

/** `address`: 'address:port'. The fault is a sentence. */
export function connect(address: string, withinMs: number): Promise<Result<ByteStream, string>> {
  const endpoint = parseAddress(address);
  if (endpoint === undefined) return Promise.resolve(fail(`"${address}" is no address and port`));
  return new Promise((resolve) => {
    const socket = net.connect(endpoint);
    // Nothing may be read before the stream has taken the socket over.
    socket.pause();
    const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), withinMs);
    const onError = (error: Error): void => {
      clearTimeout(timer);
      resolve(fail(error.message));
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', onError);
      resolve(ok(streamOver(socket)));
    });
  });
}
