/** A few memberships that hear each other over links that can be cut one by one; time moves when told. */

import {
  type Configuration,
  type IsolationPolicy,
  type Site,
  votersOf,
  witnessOf,
} from '../configuration.ts';
import { Membership } from '../membership.ts';
import { type MembershipPorts, NO_STANDING, type Standing } from '../ports.ts';
import type { Beat, BeatAnswer, Control } from '../messages.ts';
import { CLAIM, encodeRegister, VOTE } from '../registers.ts';
import { StoredClaims } from '../stored-claims.ts';
import { StoredVoter } from '../stored-voter.ts';
import { BEAT_MS } from '../times.ts';
import { MemoryVotes } from './memory-votes.ts';
import { SteppedClock } from './stepped-clock.ts';

const LINK_MS = 1;
const SAVE_MS = 1;
const FIRST: Configuration = { term: 1, id: 'f'.repeat(32), members: [1, 2], learners: [] };

const DEVICE = 'd'.repeat(32);

export type LinkKind = 'sync' | 'heartbeat';
/** `stored`: majority with a witness whose vote lies in a store. */
export type SmallStrategy = IsolationPolicy | 'majority' | 'witness' | 'stored';

/** What outlives a process of one node. */
interface Machine {
  standing: Standing;
  canSave: boolean;
  membership: Membership<string>;
  incarnation: number;
  voter: StoredVoter<string> | undefined;
}

export class SmallCluster {
  readonly clock = new SteppedClock();
  readonly site: Site;
  /** Their copies fail when they are to accept a configuration. */
  readonly failing = new Set<number>();
  /** How long their records take to be written, in milliseconds, if not as long as those of all others. */
  readonly saveMs = new Map<number, number>();
  /** Who stood back, and why. */
  readonly stoodBack: (readonly [node: number, reason: string])[] = [];
  readonly #machines = new Map<number, Machine>();
  readonly #cut = new Set<string>();
  /** The vote of a stored witness, or what the arbiter knows. */
  readonly votes = new MemoryVotes();
  readonly #storedWitness: number | undefined;

  constructor(strategy: SmallStrategy, count = 2) {
    const nodes = Array.from({ length: count }, (_, at) => at + 1);
    const witness = strategy === 'witness' || strategy === 'stored' ? count + 1 : undefined;
    this.#storedWitness = strategy === 'stored' ? witness : undefined;
    this.site = {
      nodes,
      strategy:
        strategy === 'majority' || strategy === 'witness' || strategy === 'stored'
          ? { kind: 'majority', witness }
          : { kind: 'heartbeat', policy: strategy },
    };
    const first = { ...FIRST, members: nodes };
    this.votes.replace(
      this.site.strategy.kind === 'majority'
        ? encodeRegister(VOTE, DEVICE, { promised: first.term, accepted: first })
        : encodeRegister(CLAIM, DEVICE, { term: first.term, members: nodes }),
    );
    const standing = { promised: 1, accepted: first, bound: nodes, isOut: false, isDiverged: false };
    for (const node of votersOf(this.site)) {
      if (node === this.#storedWitness) continue;
      const machine = { standing, canSave: true, incarnation: 1, voter: this.#newVoter(node, 1) };
      this.#machines.set(node, { ...machine, membership: this.#newMembership(node, standing, 1) });
    }
    this.#tick();
  }

  /** Nodes that may serve now. */
  get serving(): number[] {
    return [...this.#machines].flatMap(([node, { membership }]) => (membership.mayServe() ? [node] : []));
  }

  /** A node that has no copy yet, and runs. */
  addNode(node: number): void {
    const machine = { standing: NO_STANDING, canSave: true, incarnation: 1, voter: this.#newVoter(node, 1) };
    this.#machines.set(node, { ...machine, membership: this.#newMembership(node, NO_STANDING, 1) });
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
    machine.voter?.close();
    machine.voter = this.#newVoter(node, machine.incarnation);
  }

  #tick(): void {
    for (const { membership } of this.#machines.values()) membership.tick();
    this.clock.after(BEAT_MS, () => this.#tick());
  }

  #newVoter(self: number, incarnation: number): StoredVoter<string> | undefined {
    const witness = this.#storedWitness;
    if (witness === undefined) return undefined;
    return new StoredVoter<string>({
      store: this.votes.of(self),
      device: DEVICE,
      self,
      incarnation,
      nodes: this.site.nodes,
      clock: this.clock,
      onBeat: (beat) => void this.of(self).onBeat(witness, beat, false),
      onBeatAnswer: (answer) => this.of(self).onBeatAnswer(witness, answer),
      onControl: (message) => this.of(self).onControl(witness, message),
    });
  }

  #newMembership(self: number, standing: Standing, incarnation: number): Membership<string> {
    const ports = this.#portsOf(self, incarnation);
    const { nodes } = this.site;
    const isNew = self !== witnessOf(this.site) && !nodes.includes(self);
    const site = isNew ? { ...this.site, nodes: [...nodes, self] } : this.site;
    return new Membership({ self, site, incarnation, ports, standing });
  }

  #portsOf(self: number, incarnation: number): MembershipPorts<string> {
    const save = (standing: Standing): Promise<boolean> => this.#save(self, incarnation, standing);
    const hasData = self !== witnessOf(this.site);
    const claims = new StoredClaims({
      store: this.votes.of(self),
      device: DEVICE,
      self,
      clock: this.clock,
    });
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
        wasWrittenOut: false,
        isBlank: this.of(self).standing.accepted.term === 0,
        hasKept: false,
        history: [],
        handover: withHandover && hasData ? 'data' : undefined,
      }),
      merge: () => 'data',
      accept: (_proposal, standing) => {
        if (!this.failing.has(self)) return save(standing);
        this.of(self).fail('test');
        return Promise.resolve(false);
      },
      install: (_configuration, standing) => save(standing).then(() => undefined),
      standBack: (reason) => this.stoodBack.push([self, reason]),
      claim: (base, members, term) => claims.claim(base, members, term),
      writesBack: () => false,
      firsts: () => this.site.nodes.slice(0, 1),
      readyLearners: () => [],
      slowNodes: () => new Set(),
    };
  }

  #save(node: number, incarnation: number, standing: Standing): Promise<boolean> {
    return new Promise((resolve) => {
      this.clock.after(this.saveMs.get(node) ?? SAVE_MS, () => {
        const machine = this.#machines.get(node)!;
        const saved = machine.canSave && machine.incarnation === incarnation;
        if (saved) machine.standing = standing;
        resolve(saved);
      });
    });
  }

  #sendBeat(from: number, to: number, beat: Beat): void {
    if (to === this.#storedWitness) return this.#machines.get(from)!.voter!.onBeat(beat);
    this.#deliver(from, to, ['sync', 'heartbeat'], (membership, kind) => {
      const answer = membership.onBeat(from, beat, kind === 'sync');
      if (answer !== undefined) this.#answer(to, from, kind, answer);
    });
  }

  #answer(from: number, to: number, kind: LinkKind, answer: BeatAnswer): void {
    this.#deliver(from, to, [kind], (membership) => membership.onBeatAnswer(from, answer));
  }

  #send(from: number, to: number, message: Control<string>, onSync: boolean): void {
    if (to === this.#storedWitness) return this.#machines.get(from)!.voter!.onControl(message);
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
