/** Children of the supervisor: this same program in another role, with a channel that carries sockets. */

import { fork, type ChildProcess, type SendHandle } from 'node:child_process';
import type { Arrival, Child, ChildHandlers } from '../ports/process.ts';
import { HandoverQueue } from './handover-queue.ts';
import { releaseArrival } from './listener.ts';

/** More threads than Node's four: durable and direct I/O is what an engine waits for, and it overlaps. */
const THREADS = '16';

export interface SpawnOptions {
  /** The program, an absolute path. */
  readonly program: string;
  /** Its arguments, which say what role it has. */
  readonly args: readonly string[];
  /** Directory for compiled code, so that the next start is quicker; undefined: none. */
  readonly compileCache: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

export function spawnChild(options: SpawnOptions, handlers: ChildHandlers): Child {
  const child = fork(options.program, options.args, {
    serialization: 'advanced',
    // What children print is for the log; the standard output belongs to the command the user gave.
    stdio: ['ignore', 2, 2, 'ipc'],
    env: {
      ...process.env,
      ...options.environment,
      UV_THREADPOOL_SIZE: process.env['UV_THREADPOOL_SIZE'] ?? THREADS,
      ...(options.compileCache === undefined ? {} : { NODE_COMPILE_CACHE: options.compileCache }),
    },
    // A group of its own: Ctrl+C in a terminal reaches the supervisor alone, which then stops us in order.
    detached: true,
  });
  child.on('message', (message) => handlers.onMessage(message));
  child.on('error', () => undefined); // a failed send or kill; 'exit' tells what matters
  onEnd(child, handlers);
  const handovers = new HandoverQueue();
  // Node forgets what it had queued for a child that is killed (and never says 'disconnect'): the connections would
  // stay open for ever.
  child.once('close', () => handovers.clear());
  return {
    pid: child.pid ?? 0,
    send: (message) => {
      if (child.connected) child.send(message as object, () => undefined);
    },
    handOver: (message, connection) => handOver(child, handovers, message, connection),
    kill: (signal) => {
      child.kill(signal);
    },
  };
}

/** `exit`, or `error` when there never was a process. */
function onEnd(child: ChildProcess, handlers: ChildHandlers): void {
  let ended = false;
  const end = (status: number | undefined, signal: string | undefined): void => {
    if (ended) return;
    ended = true;
    handlers.onExit({ status, signal });
  };
  child.once('exit', (status, signal) => end(status ?? undefined, signal ?? undefined));
  child.once('error', () => {
    if (child.pid === undefined) end(undefined, undefined);
  });
}

function handOver(child: ChildProcess, queue: HandoverQueue, message: unknown, connection: Arrival): void {
  const released = releaseArrival(connection);
  if (released === undefined) return; // closed by the peer meanwhile
  const { handle, sent } = released;
  if (!child.connected) {
    sent();
    return;
  }
  queue.push(connection.remoteHost, {
    send: (done) => child.send(message as object, handle as SendHandle, () => done()),
    release: sent,
  });
}
