/**
 * Draws what goes wrong, and lets it happen. Swarm testing: each seed picks the kinds of faults it uses and how often they
 * come, so that rare combinations get a run of their own instead of drowning in the mean.
 *
 *   safety phase     faults begin and end; nothing wrong may ever be seen
 *   liveness phase   no fault any more, everything is put right: all must converge
 */

import type { Prng } from '../src/base/prng.ts';
import { createPrng } from '../src/base/prng.ts';
import type { Fault, FaultKind, FaultTargets } from './faults.ts';
import { FAULTS, HARMFUL, SILENT } from './faults.ts';
import type { Trace } from './trace.ts';

export interface Plan {
  readonly nodes: number;
  readonly initiators: number;
  readonly syncLinks: number;
  readonly heartbeatLinks: number;
  readonly safetyMs: number;
  readonly livenessMs: number;
  readonly faults: readonly Fault[];
}

/** How often and how long: each seed takes one of each. */
export interface Pace {
  /** Share of the kinds that a seed uses. */
  readonly shares: readonly number[];
  /** Mean time between two faults. */
  readonly gapsMs: readonly number[];
  /** Mean length of a fault. */
  readonly durationsMs: readonly number[];
}

export interface Mix {
  readonly nodes: readonly number[];
  readonly safetyMs: number;
  readonly livenessMs: number;
  /** Of these each seed takes some. */
  readonly kinds: readonly FaultKind[];
  /** The next one comes when all that the last one did has been put right. */
  readonly oneByOne?: boolean | undefined;
  readonly pace?: Pace;
}

export interface NemesisOptions {
  readonly plan: Plan;
  readonly targets: FaultTargets;
  readonly trace: Trace;
  /**
   * Fault budget: nodes that hold a complete copy at this moment. A harmful fault that might hit the last one is left
   * out. Undefined: no budget, only safety is judged.
   */
  readonly completeCopies: (() => readonly number[]) | undefined;
  /** A fault begins only while this holds. */
  readonly isWhole: (() => boolean) | undefined;
}

export interface Nemesis {
  /** Ends all faults now; nothing begins any more. */
  calm(): void;
  /** How often each kind did something, and how often the budget forbade it. */
  readonly applied: ReadonlyMap<FaultKind, number>;
  readonly forbidden: number;
}

/** Until all nodes serve. */
const SERIES_START_MS = 8000;
const SERIES_CALM_MS = 8000;
const AFTERMATH_MS = 1000;

export const ALL_KINDS = Object.keys(FAULTS) as FaultKind[];
export const LOUD_KINDS: readonly FaultKind[] = ALL_KINDS.filter((kind) => !SILENT.has(kind));

const SWARM: Pace = { shares: [0.15, 0.4, 0.8], gapsMs: [200, 1000, 4000], durationsMs: [100, 1000, 4000] };

export function drawPlan(seed: number, mix: Mix): Plan {
  const random = createPrng(seed).fork('plan');
  const pace = mix.pace ?? SWARM;
  const share = random.pick(pace.shares);
  const kinds = mix.kinds.filter(() => random.chance(share));
  return {
    nodes: random.pick(mix.nodes),
    initiators: random.integer(1, 4),
    syncLinks: random.integer(1, 3),
    heartbeatLinks: random.integer(0, 2),
    safetyMs: mix.safetyMs,
    livenessMs: mix.livenessMs,
    faults:
      kinds.length === 0
        ? []
        : mix.oneByOne === true
          ? drawSeries(random, kinds, mix.safetyMs)
          : drawFaults(random, kinds, pace, mix.safetyMs),
  };
}

function drawFaults(
  random: Prng,
  kinds: readonly FaultKind[],
  { gapsMs, durationsMs }: Pace,
  safetyMs: number,
): Fault[] {
  const faults: Fault[] = [];
  const gapMs = random.pick(gapsMs);
  const durationMs = random.pick(durationsMs);
  for (let at = random.exponential(gapMs); at < safetyMs; at += random.exponential(gapMs)) {
    const kind = random.pick(kinds);
    const [target, peer, draw] = [random.next(), random.next(), random.next()];
    const lasts = Math.min(random.exponential(durationMs), safetyMs - at);
    faults.push({ kind, atMs: toMicroseconds(at), durationMs: toMicroseconds(lasts), target, peer, draw });
  }
  return faults;
}

/** Each is over, and its traces are gone, before the next one begins. */
function drawSeries(random: Prng, kinds: readonly FaultKind[], safetyMs: number): Fault[] {
  const faults: Fault[] = [];
  const durationMs = random.pick([300, 3000, 10_000]);
  for (let at = SERIES_START_MS; at < safetyMs; ) {
    const [target, peer, draw] = [random.next(), random.next(), random.next()];
    const lasts = toMicroseconds(random.exponential(durationMs));
    faults.push({
      kind: random.pick(kinds),
      atMs: toMicroseconds(at),
      durationMs: lasts,
      target,
      peer,
      draw,
    });
    at += lasts + SERIES_CALM_MS + random.exponential(SERIES_CALM_MS / 2);
  }
  return faults;
}

export function startNemesis(options: NemesisOptions): Nemesis {
  const { plan, targets, trace, completeCopies, isWhole } = options;
  const { scheduler, hosts } = targets;
  const applied = new Map<FaultKind, number>();
  const active = new Set<() => void>();
  /** What a disk was asked for while it failed may still come back. */
  const harmedUntil = new Map<number, number>();
  let [forbidden, over] = [0, false];

  /** Whether the budget lets the fault happen. */
  function allows({ kind, target }: Fault): boolean {
    if (isWhole?.() === false) return false;
    if (completeCopies === undefined) return true;
    const complete = completeCopies();
    if (kind === 'blackout') return false;
    if (!HARMFUL.has(kind)) return true;
    const node = nodeOf(target);
    const now = scheduler.now();
    return complete.some((other) => other !== node && now >= (harmedUntil.get(other) ?? 0));
  }

  function nodeOf(target: number): number {
    return Math.floor(target * hosts.length);
  }

  function begin(fault: Fault): void {
    if (over) return;
    if (!allows(fault)) {
      forbidden++;
      return;
    }
    const end = FAULTS[fault.kind](targets, fault);
    if (end === undefined) return;
    trace.note(`fault.${fault.kind}`, fault.target, fault.peer, fault.draw);
    applied.set(fault.kind, (applied.get(fault.kind) ?? 0) + 1);
    if (HARMFUL.has(fault.kind))
      harmedUntil.set(nodeOf(fault.target), scheduler.now() + fault.durationMs + AFTERMATH_MS);
    active.add(end);
    scheduler.after(fault.durationMs, () => {
      if (active.delete(end)) end();
    });
  }

  /** What an old disk will hold is copied some time before. */
  function keepCopies({ target }: Fault): void {
    for (const disk of targets.disksOf(Math.floor(target * hosts.length))) disk.keepCopy();
  }

  for (const fault of plan.faults) {
    const inMs = fault.atMs - scheduler.now();
    if (fault.kind === 'oldDisk') scheduler.after(inMs * fault.draw, () => keepCopies(fault));
    scheduler.after(inMs, () => begin(fault));
  }
  return {
    applied,
    get forbidden() {
      return forbidden;
    },
    calm() {
      over = true;
      for (const end of active) end();
      active.clear();
    },
  };
}

function toMicroseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
