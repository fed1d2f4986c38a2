/** A few memberships that hear each other over links that can be cut one by one; time moves when told. */

import type { Clock, Timer } from '../../ports/clock.ts';
import { type Configuration, type IsolationPolicy, type Site, votersOf } from '../configuration.ts';
import { Membership, type MembershipPorts, type Standing } from '../membership.ts';
import type { Beat, BeatAnswer, Control } from '../messages.ts';
import { BEAT_MS } from '../times.ts';

const LINK_MS = 1;
const SAVE_MS = 1;
/** Promises that one action may settle one after the other. */
const TURNS = 20;
const FIRST: Configuration = { term: 1, id: 'f'.repeat(32), members: [1, 2], learners: [] };

export type LinkKind = 'sync' | 'heartbeat';

/** Time that moves when told, and what an action led to comes before the next one. */
class SteppedClock implements Clock {
  #time = 0;
  #timers: { readonly at: number; readonly action: () => void }[] = [];

  now(): number {
    return this.#time;
  }

  after(delayMs: number, action: () => void): Timer {
    const timer = { at: this.#time + Math.max(0, delayMs), action };
    this.#timers.push(timer);
    return { cancel: () => void (this.#timers = this.#timers.filter((other) => other !== timer)) };
  }

  async advance(ms: number): Promise<void> {
    const until = this.#time + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#time = due.at;
      due.action();
      // oxlint-disable-next-line no-await-in-loop -- what it led to comes before the next action
      for (let turn = 0; turn < TURNS; turn++) await Promise.resolve();
    }
    this.#time = until;
  }
}

/** What outlives a process of one node. */
interface Machine {
  standing: Standing;
  canSave: boolean;
  membership: Membership<string>;
  incarnation: number;
}

export class SmallCluster {
  readonly clock = new SteppedClock();
  readonly site: Site;
  /** Who stood back, and why. */
  readonly stoodBack: (readonly [node: number, reason: string])[] = [];
  readonly #machines = new Map<number, Machine>();
  readonly #cut = new Set<string>();
  #arbiter: { readonly term: number; readonly members: readonly number[] } = FIRST;

  constructor(strategy: IsolationPolicy | 'majority' | 'witness', count = 2) {
    const nodes = Array.from({ length: count }, (_, at) => at + 1);
    const witness = strategy === 'witness' ? count + 1 : undefined;
    this.site = {
      nodes,
      strategy:
        strategy === 'majority' || strategy === 'witness'
          ? { kind: 'majority', witness }
          : { kind: 'heartbeat', policy: strategy },
    };
    const first = { ...FIRST, members: nodes };
    this.#arbiter = first;
    const standing = { promised: 1, accepted: first, bound: nodes, isOut: false, isDiverged: false };
    for (const node of votersOf(this.site)) {
      const machine = { standing, canSave: true, incarnation: 1 };
      this.#machines.set(node, { ...machine, membership: this.#newMembership(node, standing, 1) });
    }
    this.#tick();
  }

  /** Nodes that may serve now. */
  get serving(): number[] {
    return [...this.#machines].flatMap(([node, { membership }]) => (membership.mayServe() ? [node] : []));
  }

  of(node: number): Membership<string> {
    return this.#machines.get(node)!.membership;
  }

  /** Both ways between two nodes. */
  cut(a: number, b: number, ...kinds: LinkKind[]): void {
    for (const kind of kinds)
      for (const [from, to] of [
        [a, b],
        [b, a],
      ])
        this.#cut.add(`${kind} ${from} ${to}`); // prettier-ignore
  }

  mend(): void {
    this.#cut.clear();
  }

  /** Its records can (not) be written any more. */
  setSaving(node: number, canSave: boolean): void {
    this.#machines.get(node)!.canSave = canSave;
  }

  /** The process ends and another one begins, with what was durable. */
  restart(node: number): void {
    const machine = this.#machines.get(node)!;
    machine.incarnation += 1;
    machine.canSave = true;
    machine.membership = this.#newMembership(node, machine.standing, machine.incarnation);
  }

  #tick(): void {
    for (const { membership } of this.#machines.values()) membership.tick();
    this.clock.after(BEAT_MS, () => this.#tick());
  }

  #newMembership(self: number, standing: Standing, incarnation: number): Membership<string> {
    const ports = this.#portsOf(self, incarnation);
    return new Membership({ self, site: this.site, incarnation, writesBack: false, ports, standing });
  }

  #portsOf(self: number, incarnation: number): MembershipPorts<string> {
    const save = (standing: Standing): Promise<boolean> => this.#save(self, incarnation, standing);
    const hasData = this.site.nodes.includes(self);
    let ids = 0;
    return {
      clock: this.clock,
      trace: () => undefined,
      random: () => 0.5,
      newId: () => `${self}${incarnation}${ids++}`.padStart(32, '0'),
      sendBeat: (to, beat) => this.#sendBeat(self, to, beat),
      send: (to, message, onSync) => this.#send(self, to, message, onSync),
      seal: () => undefined,
      save,
      report: (withHandover) => ({
        wasStopped: false,
        isBlank: false,
        hasKept: false,
        history: [],
        handover: withHandover && hasData ? 'data' : undefined,
      }),
      merge: () => 'data',
      accept: (_proposal, standing) => save(standing),
      install: (_configuration, standing) => save(standing).then(() => undefined),
      standBack: (reason) => this.stoodBack.push([self, reason]),
      claim: (_base, members, term) => Promise.resolve(this.#claim(self, members, term)),
      readyLearners: () => [],
      slowNodes: () => new Set(),
    };
  }

  #save(node: number, incarnation: number, standing: Standing): Promise<boolean> {
    return new Promise((resolve) => {
      this.clock.after(SAVE_MS, () => {
        const machine = this.#machines.get(node)!;
        const saved = machine.canSave && machine.incarnation === incarnation;
        if (saved) machine.standing = standing;
        resolve(saved);
      });
    });
  }

  #claim(by: number, members: readonly number[], term: number): boolean {
    const last = this.#arbiter;
    if (term === last.term) return members.join() === last.members.join();
    if (term < last.term || !last.members.includes(by)) return false;
    this.#arbiter = { term, members };
    return true;
  }

  #sendBeat(from: number, to: number, beat: Beat): void {
    this.#deliver(from, to, ['sync', 'heartbeat'], (membership, kind) => {
      const answer = membership.onBeat(from, beat, kind === 'sync');
      if (answer !== undefined) this.#answer(to, from, kind, answer);
    });
  }

  #answer(from: number, to: number, kind: LinkKind, answer: BeatAnswer): void {
    this.#deliver(from, to, [kind], (membership) => membership.onBeatAnswer(from, answer));
  }

  #send(from: number, to: number, message: Control<string>, onSync: boolean): void {
    const kinds: readonly LinkKind[] = onSync ? ['sync'] : ['sync', 'heartbeat'];
    this.#deliver(from, to, kinds, (membership) => membership.onControl(from, message));
  }

  #deliver(
    from: number,
    to: number,
    kinds: readonly LinkKind[],
    receive: (membership: Membership<string>, kind: LinkKind) => void,
  ): void {
    for (const kind of kinds)
      this.clock.after(LINK_MS, () => {
        if (!this.#cut.has(`${kind} ${from} ${to}`)) receive(this.of(to), kind);
      });
  }
}
