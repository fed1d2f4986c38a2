/**
 * Goal: what dies is restarted with growing delays, a start that cannot be says why, and a stop takes the portals away
 * before the engines. Method: children, listeners and a clock made here; every step is written down.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail, ok } from '../base/result.ts';
import type { LoginRouterOptions } from '../engine/login-router.ts';
import type { Clock } from '../ports/clock.ts';
import type { Arrival, Child, ChildHandlers, Listen } from '../ports/process.ts';
import { backoffMs } from './keeper.ts';
import { planExport } from './export-plan.ts';
import { CONTROL_START_MS_MAX, createSupervisor, STOP_MS_MAX, type Supervisor } from './supervisor.ts';
import { WAIT_MS_MAX } from './waiting-logins.ts';

interface FakeChild extends Child {
  readonly role: string;
  readonly handlers: ChildHandlers;
  readonly received: { kind: string; [key: string]: unknown }[];
  readonly handed: Arrival[];
}

interface World {
  readonly supervisor: Supervisor;
  readonly steps: string[];
  readonly children: FakeChild[];
  readonly router: () => LoginRouterOptions;
  readonly advance: (ms: number) => void;
}

/** `behave`: what a child does when it is told something. */
function world(behave: (child: FakeChild, kind: string) => void, listen?: Listen): World {
  const steps: string[] = [];
  const children: FakeChild[] = [];
  const timers = new Set<{ at: number; action: () => void }>();
  let now = 0;
  let router: LoginRouterOptions | undefined;
  const clock: Clock = {
    now: () => now,
    after: (delayMs, action) => {
      const timer = { at: now + delayMs, action };
      timers.add(timer);
      return { cancel: () => timers.delete(timer) };
    },
  };
  const plan = planExport(
    [],
    {
      ram: [2 ** 20],
      sector: 512,
      provisioning: 'thin',
      writeCache: 'through',
      digests: 'optional',
      engines: 2,
    },
    { directory: '/', stateDirectory: '/state', nodeId: 'node', startId: 'start', memory: 2 ** 30 },
  );
  assert.ok(plan.ok);
  const supervisor = createSupervisor({
    plan: plan.value,
    clock,
    trace: () => undefined,
    spawn: (role, index, handlers) => {
      const child: FakeChild = {
        role: role === 'engine' ? `engine ${index}` : role,
        pid: 1000 + children.length,
        handlers,
        received: [],
        handed: [],
        send: (message) => {
          const { kind } = message as { kind: string };
          child.received.push(message as { kind: string });
          steps.push(`${child.role}: ${kind}`);
          queueMicrotask(() => behave(child, kind));
        },
        handOver: (_message, arrival) => child.handed.push(arrival),
        kill: (signal) => {
          steps.push(`${child.role}: ${signal}`);
          queueMicrotask(() => handlers.onExit({ status: undefined, signal }));
        },
      };
      children.push(child);
      return child;
    },
    listen:
      listen ??
      (() =>
        Promise.resolve(
          ok({
            address: '127.0.0.1:3260',
            close: () => {
              steps.push('portal closed');
              return Promise.resolve();
            },
          }),
        )),
    createPartnerRouter: () => ({
      waiting: 0,
      arrive: () => undefined,
      stop: () => steps.push('partner router stopped'),
    }),
    createRouter: (options) => {
      router = options;
      return { halfOpen: 0, arrive: () => undefined, stop: () => steps.push('router stopped') };
    },
    cacheRecord: undefined,
    onProgress: () => undefined,
    onWritingOut: (bytes) => steps.push(`${bytes} left`),
  });
  return {
    supervisor,
    steps,
    children,
    router: () => router!,
    advance: (ms) => {
      now += ms;
      for (const timer of timers) {
        if (timer.at > now) continue;
        timers.delete(timer);
        timer.action();
      }
    },
  };
}

function obedient(child: FakeChild, kind: string): void {
  if (kind === 'start') child.handlers.onMessage({ kind: 'ready' });
  if (kind === 'drain' || kind === 'stop') child.handlers.onExit({ status: 0, signal: undefined });
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a node is ready when all its engines are', async () => {
  const { supervisor, children } = world(obedient);
  const started = await supervisor.start();
  assert.ok(started.ok);
  assert.deepEqual(started.value.portals, ['127.0.0.1:3260']);
  assert.deepEqual(
    started.value.pids,
    children.map((child) => child.pid),
  );
  assert.deepEqual(
    children.map((child) => child.role),
    ['control', 'engine 0', 'engine 1'],
  );
});

test('a start waits for control, too, but neither for one that dies nor for ever', async () => {
  for (const [behave, ms] of [
    ['is silent', CONTROL_START_MS_MAX],
    ['dies', 0],
  ] as const) {
    const { supervisor, children, advance } = world((child, kind) => {
      if (child.role !== 'control') obedient(child, kind);
      else if (behave === 'dies') child.handlers.onExit({ status: 1, signal: undefined });
    });
    let started = false;
    const starting = supervisor.start().then((result) => (started = result.ok));
    await settled();
    assert.equal(started, ms === 0, behave);
    if (ms > 0) assert.equal(children.length, 3);
    advance(ms);
    assert.equal(await starting, true);
  }
});

test('a portal in use is told, and nothing is started', async () => {
  const fault = { reason: 'inUse', message: 'Cannot listen.' } as const;
  const { supervisor, children } = world(obedient, () => Promise.resolve(fail(fault)));
  const started = await supervisor.start();
  assert.deepEqual(started, { ok: false, fault });
  assert.equal(children.length, 0);
});

test('an engine that refuses to start, or dies starting, is the reason given', async () => {
  const fault = { reason: 'inUse', message: 'The file is in use.' };
  const refusing = world((child, kind) => {
    if (child.role === 'engine 1' && kind === 'start') child.handlers.onMessage({ kind: 'refused', fault });
  });
  assert.deepEqual(await refusing.supervisor.start(), { ok: false, fault });
  const dying = world((child) => {
    if (child.role === 'engine 0') child.handlers.onExit({ status: 70, signal: undefined });
  });
  assert.match(JSON.stringify(await dying.supervisor.start()), /Engine 0 ended \(status 70\)/);
});

test('a killed engine is started again, with a higher incarnation, and gets the connections that came meanwhile', async () => {
  const { supervisor, children, advance, router } = world(obedient);
  await supervisor.start();
  const login = loginAt(router);
  children[1]!.handlers.onExit({ status: undefined, signal: 'SIGKILL' });
  const first = login();
  assert.equal(children.length, 3);
  advance(backoffMs(1));
  await settled();
  assert.equal(children.length, 4);
  assert.equal(
    (children[3]!.received[0] as unknown as { spec: { incarnation: number } }).spec.incarnation,
    1,
  );
  login();
  assert.equal(children[3]!.handed.length, 2);
  assert.equal(first.dropped, false);
});

test('logins wait while the engines start, and are closed when that takes too long', async () => {
  const held: FakeChild[] = [];
  const { supervisor, advance, router } = world((child, kind) => {
    if (child.role === 'engine 0' && kind === 'start') held.push(child);
    else obedient(child, kind);
  });
  const started = supervisor.start();
  await settled();
  const login = loginAt(router);
  const late = login();
  advance(WAIT_MS_MAX);
  assert.equal(late.dropped, true);
  const inTime = login();
  held[0]!.handlers.onMessage({ kind: 'ready' });
  assert.equal((await started).ok, true);
  assert.deepEqual([held[0]!.handed.length, inTime.dropped], [1, false]);
});

/** A connection whose first Login Request has come, for engine 0. */
function loginAt(router: () => LoginRouterOptions): () => { readonly dropped: boolean } {
  return () => {
    const login = { dropped: false };
    const arrival = { drop: () => void (login.dropped = true), remoteAddress: '' };
    router().handOver(0, arrival as unknown as Arrival, new Uint8Array(0), 0);
    return login;
  };
}

test('the delay between restarts doubles to a limit', () => {
  assert.deepEqual([1, 2, 3, 4].map(backoffMs), [100, 200, 400, 800]);
  assert.equal(backoffMs(50), 30_000);
});

test('a stop takes the portals away first, then drains engines, then ends control', async () => {
  const { supervisor, steps } = world(obedient);
  await supervisor.start();
  steps.length = 0;
  assert.equal(await supervisor.stop(), true);
  const orders = steps.filter((step) => !step.endsWith('engineEnded'));
  assert.deepEqual(orders, [
    'portal closed',
    'router stopped',
    'engine 0: drain',
    'engine 1: drain',
    'control: stop',
  ]);
});

test('an engine that does not drain in time is killed, and the stop says so', async () => {
  const { supervisor, steps, advance } = world((child, kind) => {
    if (child.role !== 'engine 1' || kind !== 'drain') obedient(child, kind);
  });
  await supervisor.start();
  const stopped = supervisor.stop();
  await settled();
  advance(STOP_MS_MAX);
  assert.equal(await stopped, false);
  assert.ok(steps.includes('engine 1: SIGKILL'));
  assert.ok(!steps.includes('engine 0: SIGKILL'));
});

test('a stop goes on for as long as caches become emptier, and no longer', async () => {
  const { supervisor, steps, children, advance } = world((child, kind) => {
    if (child.role !== 'engine 1' || kind !== 'drain') obedient(child, kind);
  });
  await supervisor.start();
  const stopped = supervisor.stop();
  await settled();
  const engine = children.find(({ role }) => role === 'engine 1')!;
  for (const bytes of [9000, 6000, 3000]) {
    advance(STOP_MS_MAX - 1);
    engine.handlers.onMessage({ kind: 'writingOut', bytes, forecastMs: undefined });
  }
  assert.deepEqual(steps.slice(-3), ['9000 left', '6000 left', '3000 left']);
  advance(STOP_MS_MAX - 1);
  engine.handlers.onMessage({ kind: 'writingOut', bytes: 3000, forecastMs: undefined });
  assert.ok(!steps.includes('engine 1: SIGKILL'));
  advance(1);
  assert.equal(await stopped, false);
  assert.ok(steps.includes('engine 1: SIGKILL'));
});
