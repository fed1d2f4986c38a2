/**
 * One path of an initiator: a link to a node, at most one session on it.
 *
 *   down ──connect──► connecting ──login──► usable ◄──TUR good── failed
 *    ▲                    │                   │  └──unavailable──► ▲
 *    └────────────────────┴──── timeout, closed, no pong ──────────┘
 *
 * When a session is given up, its commands are given back to the initiator at once and it is never used again. That is
 * what an initiator may do; that none of them starts afterwards is the storage's duty.
 */

import type { Clock, Timer } from '../src/ports/clock.ts';
import type { Link } from './link.ts';
import type { Network } from './network.ts';
import type { Answer, Command, Response, Session } from './storage.ts';
import { bytesOf } from './storage.ts';
import type { StreamEnd } from './stream.ts';

export interface PathTimes {
  readonly loginTimeoutMs: number;
  readonly reconnectMs: number;
  readonly pingIntervalMs: number;
  /** Without a sign of life for this long the session is given up. */
  readonly silenceMaxMs: number;
  /** A command without an answer for this long ends the session. */
  readonly commandTimeoutMs: number;
  /** The path checker: TEST UNIT READY on a failed path. */
  readonly checkIntervalMs: number;
}

export interface PathOptions {
  readonly initiator: number;
  readonly node: number;
  readonly link: Link;
  readonly clock: Clock;
  readonly network: Network;
  readonly times: PathTimes;
  /** Ends connections with a reset instead of a FIN that what was sent before may still precede. */
  readonly closesWithReset: boolean;
  /** The path became usable. */
  onUsable(): void;
}

export interface Path {
  readonly node: number;
  readonly state: 'down' | 'connecting' | 'usable' | 'failed';
  readonly commands: number;
  /** Only while usable. `done` once: an answer, or undefined when the session was given up. */
  send(device: number, command: Command, done: (answer: Answer | undefined) => void): void;
}

interface Outstanding {
  readonly device: number;
  readonly done: (answer: Answer | undefined) => void;
  readonly timeout: Timer;
}

export function createPath(options: PathOptions): Path {
  const { clock, times, link, network } = options;
  let state: Path['state'] = 'down';
  let end: StreamEnd | undefined;
  let session: Session | undefined;
  let heardAt = 0;
  /** The one that was unavailable: the path checker asks for it. */
  let checkedDevice = 0;
  let nextTag = 0;
  let outstanding = new Map<number, Outstanding>();
  /** Of the session: login timeout, ping, path check. */
  let timers: Timer[] = [];

  function connect(): void {
    state = 'connecting';
    const attempt: Session = { initiator: options.initiator, node: options.node, abandoned: false };
    session = attempt;
    const mine = (): boolean => session === attempt;
    end = network.connect(link, options.initiator, {
      onOpen: () => mine() && end?.send({ kind: 'login', session: attempt }, bytesOf({ kind: 'ping' })),
      onMessage: (message) => mine() && receive(message as Response),
      onDrained: () => undefined,
      onClosed: () => mine() && giveUp(),
    });
    timers.push(clock.after(times.loginTimeoutMs, () => state === 'connecting' && mine() && giveUp()));
  }

  function receive(response: Response): void {
    heardAt = clock.now();
    if (response.kind === 'loggedIn') {
      become('usable');
      timers.push(clock.after(times.pingIntervalMs, ping), clock.after(times.checkIntervalMs, check));
    } else if (response.kind === 'answer') {
      const command = outstanding.get(response.tag);
      outstanding.delete(response.tag);
      command?.timeout.cancel();
      if (response.answer.status === 'unavailable' && state === 'usable') {
        state = 'failed';
        checkedDevice = command?.device ?? 0;
      }
      command?.done(response.answer);
    }
  }

  function become(next: 'usable' | 'failed'): void {
    const before = state;
    state = next;
    if (next === 'usable' && before !== 'usable') options.onUsable();
  }

  function ping(): void {
    if (clock.now() - heardAt > times.silenceMaxMs) return giveUp();
    end?.send({ kind: 'ping' }, bytesOf({ kind: 'ping' }));
    timers[1] = clock.after(times.pingIntervalMs, ping);
  }

  function check(): void {
    if (state === 'failed')
      put(checkedDevice, { kind: 'testUnitReady' }, (answer) => {
        if (answer?.status === 'good' && state === 'failed') become('usable');
      });
    timers[2] = clock.after(times.checkIntervalMs, check);
  }

  function put(device: number, command: Command, done: (answer: Answer | undefined) => void): void {
    const tag = nextTag++;
    outstanding.set(tag, { device, done, timeout: clock.after(times.commandTimeoutMs, giveUp) });
    const request = { kind: 'command', tag, device, command } as const;
    end?.send(request, bytesOf(request));
  }

  function giveUp(): void {
    if (session === undefined) return;
    session.abandoned = true;
    session = undefined;
    state = 'down';
    if (options.closesWithReset) end?.abort();
    else end?.close();
    for (const timer of timers) timer.cancel();
    timers = [];
    const lost = outstanding;
    outstanding = new Map();
    for (const { timeout } of lost.values()) timeout.cancel();
    clock.after(times.reconnectMs, connect);
    for (const { done } of lost.values()) done(undefined);
  }

  connect();
  return {
    node: options.node,
    get state() {
      return state;
    },
    get commands() {
      return outstanding.size;
    },
    send: put,
  };
}
