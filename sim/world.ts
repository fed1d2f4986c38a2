/**
 * One run: nodes, initiators, links and faults on one scheduler, from one seed.
 *
 *   0 ──── safety phase ────► faults end ──── liveness phase ────► workload ends ──► quiet ──► checkers
 *
 * Endpoints are numbered: the nodes first, then the initiators.
 */

import { setImmediate } from 'node:timers/promises';
import type { Prng } from '../src/base/prng.ts';
import { createPrng } from '../src/base/prng.ts';
import { watchForBugs } from './bugs.ts';
import type { FaultKind } from './faults.ts';
import type { Observation } from './checkers/observations.ts';
import { createObservationChecker } from './checkers/observations.ts';
import { createHistory } from './history.ts';
import type { Host } from './host.ts';
import { CLOCK_DRIFT_MAX, createHost } from './host.ts';
import { createInitiator, drawPathTimes } from './initiator.ts';
import type { Violation } from './judge.ts';
import { judge } from './judge.ts';
import type { DelayShape, Link, LinkKind } from './link.ts';
import type { Plan } from './nemesis.ts';
import { startNemesis } from './nemesis.ts';
import type { Network } from './network.ts';
import { createNetwork } from './network.ts';
import { acceptPath } from './portal.ts';
import { createRhythm } from './rhythm.ts';
import type { Scheduler } from './scheduler.ts';
import { createScheduler } from './scheduler.ts';
import type { StorageFront } from './storage.ts';
import type { Trace } from './trace.ts';
import { createTrace } from './trace.ts';
import { drawShape, startWorkload } from './workload.ts';
import type { WorkloadShape } from './worker.ts';

/** What a front is made of. */
export interface FrontParts {
  readonly scheduler: Scheduler;
  readonly random: Prng;
  readonly network: Network;
  /** Of the nodes. */
  readonly hosts: readonly Host[];
  readonly trace: Trace;
  readonly shape: WorkloadShape;
  readonly observe: (observation: Observation) => void;
  /** Something changes in the storage: a good moment for commands (rhythm.ts). */
  readonly stir: () => void;
  /** What is to be wrong with the front on purpose (flaws.ts). */
  readonly flaw: string | undefined;
  /** What will go wrong around it, and whether the last complete copy is spared: for what may be drawn at all. */
  readonly kinds: ReadonlySet<FaultKind>;
  readonly budget: boolean;
  /** What goes wrong, goes wrong one after the other; the front is set up to bear that. */
  readonly oneByOne: boolean;
}

export interface RunOptions {
  readonly seed: number;
  readonly plan: Plan;
  createFront(parts: FrontParts): StorageFront;
  readonly flaw?: string | undefined;
  /** Harmful faults spare the last complete copy. */
  readonly budget: boolean;
  /** Blocks of a lock, 2 unless told otherwise. A write of several can be torn where power may fail everywhere at once. */
  readonly lockBlocksMax?: number | undefined;
  /** Faults come one by one, each when the front is whole, and every command is answered within this time, always. */
  readonly answerBoundMs?: number | undefined;
  /** 'safety': nothing wrong may be seen, but it is no fault if not all converges or is answered. */
  readonly judged: 'safety' | 'everything';
  /** Lines of the trace to keep for a report. */
  readonly traceLines?: number;
}

export interface RunResult {
  readonly violation: Violation | undefined;
  /** Objects of which the checkers could not say whether they are right. */
  readonly undecided: number;
  /** Equal runs have equal hashes. */
  readonly traceHash: string;
  readonly events: number;
  readonly simulatedMs: number;
  readonly commands: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly forbidden: number;
  readonly lines: readonly string[];
}

/** After the workload has ended, for what is still on its way. */
const QUIET_MS_MAX = 60_000;
const QUIET_STEP_MS = 500;
/** After this much the event loop turns once, which is when Node.js tells of promises that nobody caught. */
const TURN_MS = 10_000;
const NODE_LINK_DELAY_MEANS: readonly number[] = [0.05, 0.3, 2];

export async function run(options: RunOptions): Promise<RunResult> {
  const { seed, plan } = options;
  const random = createPrng(seed);
  const scheduler = createScheduler();
  const trace = createTrace(() => scheduler.now(), options.traceLines);
  const network = createNetwork({ scheduler, random: random.fork('network'), trace });
  const observations = createObservationChecker();
  const shape = drawShape(random.fork('shape'), plan.initiators, options.lockBlocksMax ?? 2);
  const history = createHistory();
  using bugs = watchForBugs();

  const hosts = Array.from({ length: plan.nodes + plan.initiators }, (_, id) => {
    const own = random.fork(`host ${id}`);
    return createHost({ id, scheduler, random: own, drift: (own.next() * 2 - 1) * CLOCK_DRIFT_MAX });
  });
  const nodes = hosts.slice(0, plan.nodes);
  const paths = addLinks(network, plan, random.fork('links'));
  const rhythm = createRhythm({
    shape: shape.rhythm,
    scheduler,
    random: random.fork('rhythm'),
    moments: plan.faults.flatMap(({ atMs, durationMs }) => [atMs, atMs + durationMs]),
  });
  const front = options.createFront({
    scheduler,
    random: random.fork('front'),
    network,
    hosts: nodes,
    trace,
    shape,
    observe(observation) {
      observations.observe(observation, scheduler.now());
      if (observations.violation !== undefined) scheduler.halt();
    },
    stir: () => rhythm.stir(),
    flaw: options.flaw,
    kinds: new Set(plan.faults.map(({ kind }) => kind)),
    budget: options.budget,
    oneByOne: options.answerBoundMs !== undefined,
  });
  attach(network, hosts, plan.nodes, front);

  let stopped = false;
  const initiators = hosts.slice(plan.nodes).map((host) => {
    const own = random.fork(`initiator ${host.id}`);
    const links = paths.filter(({ initiator }) => initiator === host.id);
    const { id, clock } = host;
    const initiator = createInitiator({ id, clock, random: own, network, links, times: drawPathTimes(own) });
    const now = (): number => scheduler.now();
    const grows = front.growth !== undefined;
    startWorkload({
      shape,
      rhythm,
      random: own,
      history,
      now,
      clock,
      initiator,
      grows,
      stopped: () => stopped,
    });
    return initiator;
  });

  const nemesis = startNemesis({
    plan,
    trace,
    targets: faultTargets(scheduler, network, nodes, front),
    completeCopies: options.budget ? () => front.completeCopies() : undefined,
    isWhole: options.answerBoundMs === undefined ? undefined : () => front.isWhole?.() ?? true,
  });
  const broken = (): boolean => observations.violation !== undefined || bugs.first !== undefined;
  async function pass(ms: number): Promise<void> {
    const end = scheduler.now() + ms;
    while (!broken() && scheduler.now() < end) {
      await bugs.catch(() => scheduler.runSettled(Math.min(end, scheduler.now() + TURN_MS)));
      await setImmediate();
    }
  }
  await pass(plan.safetyMs);
  bugs.guard(() => nemesis.calm());
  const calmSince = scheduler.now();
  await pass(plan.livenessMs);
  stopped = true;
  const ended = (): boolean => initiators.every((initiator) => initiator.unfinished === 0) && front.isQuiet();
  const latest = scheduler.now() + QUIET_MS_MAX;
  while (!broken() && !ended() && scheduler.now() < latest) await pass(QUIET_STEP_MS);

  const endedAt = scheduler.now();
  const judgement = bugs.guard(() => {
    const { judged, answerBoundMs } = options;
    const wasQuiet = ended();
    return judge({ history, front, shape, calmSince, endedAt, wasQuiet, judged, answerBoundMs });
  });
  return {
    violation: bugs.violation ?? observations.violation ?? judgement?.violation,
    undecided: judgement?.undecided ?? 0,
    traceHash: trace.hash,
    events: scheduler.executed,
    simulatedMs: endedAt,
    commands: history.commands.length,
    faults: nemesis.applied,
    forbidden: nemesis.forbidden,
    lines: trace.lines,
  };
}

function addLinks(
  network: Network,
  plan: Plan,
  random: Prng,
): { initiator: number; node: number; link: Link }[] {
  const add = (kind: LinkKind, index: number, ends: readonly [number, number], delay: DelayShape): Link =>
    network.addLink({ kind, index, ends, delay, bytesPerMs: random.pick([Infinity, 1_000_000, 100_000]) });
  const paths: { initiator: number; node: number; link: Link }[] = [];
  const meanMs = random.pick(NODE_LINK_DELAY_MEANS);
  const delay = { minMs: 0.02, meanMs, spikeChance: random.pick([0, 0.001, 0.01]), spikeMeanMs: 50 };
  for (let a = 0; a < plan.nodes; a++) {
    for (let b = a + 1; b < plan.nodes; b++) {
      for (let i = 0; i < plan.syncLinks; i++) add('sync', i, [a, b], delay);
      for (let i = 0; i < plan.heartbeatLinks; i++) add('heartbeat', i, [a, b], delay);
    }
    for (let i = 0; i < plan.initiators; i++) {
      const initiator = plan.nodes + i;
      paths.push({ initiator, node: a, link: add('path', 0, [initiator, a], delay) });
    }
  }
  return paths;
}

function attach(network: Network, hosts: readonly Host[], nodes: number, front: StorageFront): void {
  for (const host of hosts) {
    network.attach(host, {
      onConnection: (end) => {
        if (host.id >= nodes) return undefined;
        return end.link.kind === 'path' ? acceptPath(front, end) : front.onConnection?.(host.id, end);
      },
      onDatagram: (link, from, message) => front.onDatagram?.(host.id, link, from, message),
    });
  }
}

function faultTargets(
  scheduler: Scheduler,
  network: Network,
  hosts: readonly Host[],
  front: StorageFront,
): Parameters<typeof startNemesis>[0]['targets'] {
  return {
    scheduler,
    network,
    hosts,
    disksOf: (node) => front.disksOf(node),
    operate: (draw) => front.operate(draw),
    crash(node, how) {
      hosts[node]!.crash();
      network.hostDown(node, how);
      front.crash(node, how);
    },
    restart(node) {
      hosts[node]!.restart();
      network.hostUp(node);
      front.restart(node);
    },
  };
}
