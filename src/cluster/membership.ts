/**
 * Who may serve one device, as one node sees it: promises, accepts, proposes. The same object in a witness, which has
 * no copy and only votes.
 *
 *   waiting ──promise──► sealed ──accept──► sealed ──install──► serving | learning
 *   serving, learning ──promise for a newer term──► sealed         any ──copy fails──► failed
 *   sealed ──stands back (heartbeat), or is left out──► blocked
 *   serving ──others have gone on, too (split brain)──► diverged ──someone chooses──► serving | learning
 *   any ──others go on, and this node is no replica of theirs──► removed ──it is made one again──► learning
 *
 * Invariants
 *  1. Nothing is answered in a term below the promised one; a promise is durable before it is told.
 *  2. A configuration is accepted, with everything that was pending, by all its members and learners (majority: and by
 *     more than half of the voters) before anyone serves in it.
 *  3. A node serves only while its lease runs; who is left out silently is waited for.
 *  4. Promise and accept happen one after the other: what a report says is durable.
 */

import {
  type Configuration,
  includes,
  type MadeSite,
  type Site,
  siteOf,
  votersOf,
  withDataOf,
  witnessOf,
} from './configuration.ts';
import { GrantedLeases, HeldLease } from './leases.ts';
import type { Beat, BeatAnswer, Control, Proposal, Report, Role } from './messages.ts';
import { VOTERS_MAX } from './fields.ts';
import { Peers } from './peers.ts';
import type { MembershipOptions, MembershipPorts, Standing } from './ports.ts';
import { Proposer } from './proposer.ts';
import { BEAT_MS, FORGOTTEN_MS } from './times.ts';
import { reasonToPropose } from './think.ts';

const REGISTER_MS = 2000;

export class Membership<H> {
  readonly self: number;
  readonly peers: Peers;
  readonly ports: MembershipPorts<H>;
  readonly isWitness: boolean;
  /** Serving or learning. Undefined from a promise on. */
  installed: Configuration | undefined;
  /** When the last configuration ended here. */
  sealedAt = -Infinity;
  hasFailed = false;
  /** Nothing can be made durable here: no vote either, until the process is a new one. */
  hasRetired = false;
  isStopping = false;
  #isHalted = false;
  /** All nodes of the cluster that may have a copy: who has none makes itself known to them, so that it can be given one. */
  neighbours: readonly number[] = [];
  /** Incarnations of the others when the configuration was installed. */
  readonly known = new Map<number, number>();
  /** Ticks without anyone who serves; ticks since a member of this configuration was found elsewhere. */
  idle = 0;
  astray = 0;
  /** Ticks since others were found that serve without this node. */
  rivalry = 0;
  /** Ticks without a lease, though voters are heard; ticks since a witness was found that has lost its record. */
  powerless = 0;
  forgetful = 0;
  readonly proposer: Proposer<H>;
  readonly #options: MembershipOptions<H>;
  readonly #held = new HeldLease();
  readonly #granted: GrantedLeases;
  #standing: Standing;
  /** Of the accepted configuration. */
  #site: Site;
  #order: readonly number[] | undefined;
  #isFresh = false;
  readonly #startedAt: number;
  /** What promises and accepts have to wait for. */
  #durable: Promise<void> = Promise.resolve();
  #promising = 0;
  /** The last term that this process has promised. */
  #promisedHere = 0;
  /** When the promise was told last: the question comes on every link. */
  #promisedAt = -Infinity;
  #accepting = 0;
  /** The term of which the arbiter knows the members, and when it was last told. */
  #registered = 0;
  #registeredAt = -Infinity;

  constructor(options: MembershipOptions<H>) {
    const { self, site, ports, standing } = options;
    this.#options = options;
    this.self = self;
    this.ports = ports;
    this.#standing = standing;
    this.#order = site.order;
    this.#site = this.siteOf(standing.accepted);
    this.isWitness = self === witnessOf(site);
    this.peers = new Peers(self);
    this.#startedAt = ports.clock.now();
    this.#granted = new GrantedLeases(this.#startedAt);
    this.proposer = new Proposer(this);
  }

  /** Who has a vote, by what was accepted last. */
  get site(): Site {
    return this.#site;
  }

  /** As a configuration has it. */
  siteOf(configuration: Configuration): Site {
    return siteOf(configuration, this.made);
  }

  get made(): MadeSite {
    return { ...this.#options.site, order: this.#order };
  }

  /** Nodes by their priority, as an administrator has put them. */
  set order(nodes: readonly number[]) {
    this.#order = nodes;
    this.#site = this.siteOf(this.#standing.accepted);
  }

  get standing(): Standing {
    return this.#standing;
  }

  set standing(standing: Standing) {
    this.#standing = standing;
    this.#site = this.siteOf(standing.accepted);
  }

  get role(): Role {
    const { accepted, isOut } = this.standing;
    if (this.isWitness) return 'witness';
    if (this.hasFailed) return 'failed';
    if (this.isStopping && this.installed === undefined && !this.proposer.isBusy) return 'stopping';
    if (this.installed !== undefined)
      return this.installed.members.includes(this.self) ? 'serving' : 'learning';
    if (!this.site.nodes.includes(this.self)) return 'removed';
    if (this.standing.isDiverged) return 'diverged';
    if (isOut || (accepted.term > 0 && !includes(accepted, this.self))) return 'blocked';
    return this.#isFresh ? 'sealed' : 'waiting';
  }

  /** Whether a read or an answer may leave at this moment. */
  mayServe(): boolean {
    const { installed } = this;
    if (installed === undefined || this.hasFailed || !installed.members.includes(this.self)) return false;
    return this.ports.clock.now() < this.#held.until(this.site, installed, this.self);
  }

  /** The node's copy can do no more: it is out until it comes back as a learner. */
  fail(reason: string): void {
    if (this.hasFailed) return;
    this.hasFailed = true;
    this.#isFresh = false;
    this.proposer.stop();
    this.#seal(`the copy has failed: ${reason}`);
    this.ports.standBack(reason);
  }

  /** … and its records with it. What was accepted until now is told to the others, and never changes again. */
  retire(reason: string): void {
    this.hasRetired = true;
    this.fail(reason);
  }

  /** This node is going to stop: the others go on without it, and know that they need not ask it. */
  leave(): void {
    this.isStopping = true;
    if (this.role !== 'serving' || this.proposer.isBusy) return;
    this.proposer.propose({ cause: `node ${this.self} stops`, excluded: [this.self], promoted: [] });
  }

  /** Serves nothing and proposes nothing any more. */
  halt(): void {
    this.isStopping = true;
    this.#isHalted = true;
    this.proposer.stop();
    this.#seal('the node stops');
  }

  /**
   * An administrator stops this side of a split brain, so that what it holds can be kept and another one chosen. False, and
   * nothing happens: there is no other side here.
   */
  standDown(): boolean {
    const now = this.ports.clock.now();
    const { peers } = this;
    if (!this.site.nodes.some((node) => peers.hears(node, now) && peers.beatOf(node)?.role === 'diverged'))
      return false;
    this.proposer.stop();
    this.#seal('an administrator stops this side of a split brain');
    this.#inOrder(async () => {
      const standing = { ...this.standing, isDiverged: true };
      if (!(await this.#makeDurable(standing))) return;
      this.standing = standing;
      this.#isFresh = false;
      this.ports.standBack('another side of a split brain is going to be chosen');
    });
    return true;
  }

  /** Every BEAT_MS. */
  tick(): void {
    const now = this.ports.clock.now();
    this.#beat(now);
    if (this.proposer.isBusy) this.proposer.tick(now);
    else if (!this.isWitness && !this.hasFailed && !this.#isHalted && this.proposer.mayTry(now)) {
      const reason = reasonToPropose(this, now);
      if (reason !== undefined) this.proposer.propose(reason);
      else this.#register(now);
    }
  }

  /** The arbiter hears of every configuration, sooner or later: whoever it does not know cannot go on by its word. */
  #register(now: number): void {
    const { installed, site, ports } = this;
    if (site.strategy.kind === 'majority' || site.strategy.policy !== 'arbitrate') return;
    if (installed?.members.includes(this.self) !== true || this.#registered === installed.term) return;
    if (now - this.#registeredAt < REGISTER_MS) return;
    this.#registeredAt = now;
    void ports.claim(installed, installed.members, installed.term).then((isKnown) => {
      if (isKnown) this.#registered = installed.term;
    });
  }

  #beat(now: number): void {
    const { term, members } = this.standing.accepted;
    const beat: Beat = {
      kind: 'beat',
      incarnation: this.#options.incarnation,
      sentAt: now,
      term: this.installed?.term ?? 0,
      promised: this.standing.promised,
      accepted: { term, members },
      hasRetired: this.hasRetired,
      role: this.role,
      hears: this.#firstOf(this.peers.heardNodes(now)),
      hearsSync: this.#firstOf(this.peers.syncNodes(now)),
      members: this.installed?.members ?? [],
    };
    const further = this.role === 'removed' ? this.neighbours : [];
    const others = new Set([...votersOf(this.site), ...further, ...this.peers.heardNodes(now)]);
    for (const node of others) if (node !== this.self) this.ports.sendBeat(node, beat);
  }

  /** As many as a message has room for: voters, and then others. */
  #firstOf(nodes: readonly number[]): readonly number[] {
    if (nodes.length <= VOTERS_MAX) return nodes;
    const voters = votersOf(this.site);
    return nodes
      .toSorted((a, b) => Number(voters.includes(b)) - Number(voters.includes(a)))
      .slice(0, VOTERS_MAX);
  }

  onBeat(from: number, beat: Beat, onSync: boolean): BeatAnswer | undefined {
    const now = this.ports.clock.now();
    this.peers.heard(from, beat, onSync, now);
    const { promised, accepted } = this.standing;
    if (this.#isRemoved(from) && beat.role !== 'removed' && beat.accepted.term > 0) this.#tellRemoved(from);
    const isOurs =
      beat.term > 0 && beat.term === accepted.term && promised === accepted.term && this.#accepting === 0;
    if (!isOurs || !accepted.members.includes(from) || this.#promising > promised) return undefined;
    this.#granted.grant(from, now);
    return {
      kind: 'beatAnswer',
      incarnation: this.#options.incarnation,
      sentAt: beat.sentAt,
      term: beat.term,
    };
  }

  onBeatAnswer(from: number, answer: BeatAnswer): void {
    if (this.installed?.term !== answer.term) return;
    this.#held.answered(from, answer.sentAt);
  }

  /** The highest term that is promised here, durably or not yet. */
  get promising(): number {
    return Math.max(this.standing.promised, this.#promising);
  }

  onControl(from: number, message: Control<H>): void {
    if (this.#isHalted) return;
    switch (message.kind) {
      case 'prepare':
        return this.#onPrepare(from, message.term, message.excluded, message.withHandover);
      case 'promise':
        return this.proposer.onPromise(from, message.term, message.report);
      case 'refuse':
        return this.proposer.onRefuse(message.term, message.promised);
      case 'accept':
        return this.#onAccept(from, message.proposal);
      case 'accepted':
        return this.proposer.onAccepted(from, message.term);
      case 'install':
        return this.#onInstall(message.configuration);
    }
  }

  // ── As voter ──

  /** Others have gone on without it, and it does not know. */
  #isRemoved(node: number): boolean {
    return this.installed !== undefined && node !== this.self && !votersOf(this.site).includes(node);
  }

  #tellRemoved(node: number): void {
    this.ports.send(node, { kind: 'install', configuration: this.installed! }, false);
  }

  #onPrepare(from: number, term: number, excluded: readonly number[], withHandover: boolean): void {
    const { promised } = this.standing;
    if (this.hasRetired || this.#mayHavePromised()) return;
    if (this.#isRemoved(from)) return this.#tellRemoved(from);
    if (term < promised || term < this.#promising) {
      this.#reply(from, { kind: 'refuse', term, promised: Math.max(promised, this.#promising) }, false);
      return;
    }
    if (term === this.#promising) {
      // The same question again: its answer may have been lost, or is being made durable.
      const now = this.ports.clock.now();
      if (term === promised && now - this.#promisedAt > BEAT_MS / 2) this.#promise(from, term, withHandover);
      return;
    }
    this.#promising = term;
    this.proposer.overtakenBy(term);
    this.#seal(`node ${from} proposes term ${term}`);
    this.#inOrder(async () => {
      const isOut =
        this.standing.isOut || (this.site.strategy.kind === 'heartbeat' && excluded.includes(this.self));
      const standing = { ...this.standing, promised: term, isOut };
      if (term !== this.#promising || !(await this.#makeDurable(standing))) return;
      this.standing = standing;
      if (isOut) this.ports.standBack('another node goes on without this one');
      this.#promise(from, term, withHandover);
    });
  }

  /**
   * A voter that has lost its record has forgotten what it promised: until every attempt that had its promise is over it
   * promises nothing, lest an old one be completed after a new one.
   */
  #mayHavePromised(): boolean {
    return this.ports.clock.now() - this.#startedAt < FORGOTTEN_MS && this.ports.report(false).isBlank;
  }

  #promise(to: number, term: number, withHandover: boolean): void {
    this.#promisedHere = term;
    const now = this.ports.clock.now();
    this.#promisedAt = now;
    const report: Report<H> = {
      // A copy that has failed has nothing to tell; its vote counts as long as it can be made durable.
      ...this.ports.report(withHandover && !this.hasFailed),
      promised: term,
      accepted: this.standing.accepted,
      bound: this.standing.bound,
      isFresh: this.#isFresh,
      isOut: this.standing.isOut,
      isDiverged: this.standing.isDiverged,
      hasFailed: this.hasFailed,
      leases: this.#granted.remaining(withDataOf(this.site), now),
      hearsSync: this.#firstOf(this.peers.syncNodes(now)),
    };
    this.#reply(to, { kind: 'promise', term, report }, withHandover);
  }

  #onAccept(from: number, proposal: Proposal<H>): void {
    const { configuration } = proposal;
    const { term } = configuration;
    const isIncluded = includes(configuration, this.self);
    if (this.hasRetired) return;
    // What a former process promised, it told of a memory that is no more.
    const mayTake = !isIncluded || (!this.hasFailed && this.#promisedHere === term);
    if (term < this.#promising || term < this.standing.promised || !mayTake) {
      this.#reply(from, { kind: 'refuse', term, promised: this.standing.promised }, false);
      return;
    }
    const onSync = proposal.handover !== undefined;
    if (this.standing.accepted.term === term && this.#accepting === 0)
      return this.#reply(from, { kind: 'accepted', term }, onSync);
    if (this.#accepting === term) return;
    this.#accepting = term;
    this.#promising = term;
    this.#seal(`node ${from} has chosen the configuration of term ${term}`);
    this.#inOrder(async () => {
      const bound = [...new Set([...this.standing.bound, ...configuration.members])];
      if (term === this.#promising && (await this.#save(proposal, isIncluded, bound)))
        this.#reply(from, { kind: 'accepted', term }, onSync);
      if (this.#accepting === term) this.#accepting = 0;
    });
  }

  async #save(proposal: Proposal<H>, isIncluded: boolean, bound: readonly number[]): Promise<boolean> {
    const { configuration } = proposal;
    const { term } = configuration;
    const standing: Standing = {
      promised: Math.max(this.standing.promised, term),
      accepted: configuration,
      bound,
      isOut: this.standing.isOut && !isIncluded,
      isDiverged: !isIncluded && (this.standing.isDiverged || proposal.diverged.includes(this.self)),
    };
    const saved =
      isIncluded && !this.isWitness
        ? await this.ports.accept(proposal, standing)
        : await this.#makeDurable(standing);
    if (!saved || this.hasRetired) return false;
    this.standing = standing;
    this.#isFresh = isIncluded && !this.hasFailed;
    if (!isIncluded && !this.isWitness) this.ports.standBack('others go on without this node');
    return true;
  }

  async #makeDurable(standing: Standing): Promise<boolean> {
    if (this.hasRetired) return false;
    const saved = await this.ports.save(standing);
    if (!saved) this.retire('what it promises cannot be made durable');
    return saved && !this.hasRetired;
  }

  #onInstall(configuration: Configuration): void {
    const { term } = configuration;
    this.#inOrder(async () => {
      // What holds can always be learned by who has no vote in it, whatever it has promised.
      const isVoter = votersOf(this.siteOf(configuration)).includes(this.self);
      const isOld = isVoter && (term < this.standing.promised || term < this.#promising);
      if (isOld || this.hasRetired || this.#isHalted) return;
      if (!includes(configuration, this.self)) {
        // Left out, or a witness: it has to know what counts, and says so when it is asked.
        if (this.standing.accepted.term < term) {
          this.#promising = Math.max(this.#promising, term);
          this.#seal('others go on without this node');
          await this.#save(
            { configuration, handover: undefined, diverged: [] },
            false,
            configuration.members,
          );
        }
        return;
      }
      if (this.standing.accepted.term !== term || this.installed?.term === term || !this.#isFresh) return;
      this.#held.clear();
      this.known.clear();
      for (const node of [...configuration.members, ...configuration.learners]) {
        const beat = this.peers.beatOf(node);
        if (beat !== undefined) this.known.set(node, beat.incarnation);
      }
      this.idle = 0;
      this.astray = 0;
      this.powerless = 0;
      this.installed = configuration;
      this.standing = { ...this.standing, bound: configuration.members };
      await this.ports.install(configuration, this.standing);
      // The sooner it is answered, the sooner this node may serve.
      const now = this.ports.clock.now();
      this.#beat(now);
      // The arbiter, too: whoever has just come back could not go on alone before it is told.
      this.#registeredAt = -Infinity;
      this.#register(now);
    });
  }

  /** Nothing is being made durable. */
  settled(): Promise<void> {
    return this.#durable;
  }

  // ──

  #seal(reason: string): void {
    if (this.installed === undefined) return;
    this.ports.trace('info', 'mirror.sealed', { term: this.installed.term, reason });
    this.installed = undefined;
    this.sealedAt = this.ports.clock.now();
    this.#held.clear();
    this.ports.seal();
  }

  #reply(to: number, message: Control<H>, onSync: boolean): void {
    if (to === this.self) this.onControl(this.self, message);
    else this.ports.send(to, message, onSync);
  }

  #inOrder(step: () => Promise<void>): void {
    this.#durable = this.#durable.then(step);
  }
}
