/**
 * The control process's answer to `lockstep status`: a Unix socket (mode 0600) that says the node's status as one line
 * of JSON to whoever connects. Reads nothing from its clients, so there is nothing to get wrong.
 */

import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { Trace } from '../../ports/trace.ts';
import { type NodeStatus, SOCKET_NAME } from './status.ts';

const CLIENTS_MAX = 16;
/** A client that does not take its line is dropped. */
const ANSWER_MS_MAX = 5000;

export interface StatusServer {
  /** The socket takes clients from now on, or there is none and the log says why. */
  readonly ready: Promise<void>;
  close(): void;
}

export function serveStatus(directory: string, status: () => NodeStatus, trace: Trace): StatusServer {
  const file = path.join(directory, SOCKET_NAME);
  const server = net.createServer((client) => {
    client.on('error', () => client.destroy());
    client.setTimeout(ANSWER_MS_MAX, () => client.destroy());
    client.end(`${JSON.stringify(status())}\n`);
  });
  server.maxConnections = CLIENTS_MAX;
  const ready = new Promise<void>((resolve) => {
    const failed = (error: unknown): void => {
      const cause = error instanceof Error ? error.message : String(error);
      trace('warn', 'control.noSocket', { file, cause });
      resolve();
    };
    server.on('error', failed);
    server.on('listening', resolve);
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      rmSync(file, { force: true }); // left by one that was killed
      const mask = process.umask(0o177);
      server.listen(file, () => chmodSync(file, 0o600));
      process.umask(mask);
    } catch (error) {
      failed(error);
    }
  });
  return {
    ready,
    close: () => {
      server.close();
      rmSync(file, { force: true });
    },
  };
}
