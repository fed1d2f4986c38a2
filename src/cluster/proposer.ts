/**
 * This node's attempts to bring about the next configuration: asks all voters, chooses, waits for the leases of those who
 * are left out, has the choice accepted, and lets everybody serve.
 *
 *   promise ──► (claim) ──► lease ──► accept ──► installed
 *      └── overtaken by a higher term, or nothing comes of it: given up, and tried again after a random while
 */

import { type Choice, choose } from './choose.ts';
import { type Configuration, includes, type Site, votersOf, withDataOf, witnessOf } from './configuration.ts';
import { laterStrangers } from './later.ts';
import type { Membership } from './membership.ts';
import type { MembershipPorts } from './ports.ts';
import type { Control, Report } from './messages.ts';
import { type Attempt, begin, hasMembers, isComplete, isTurnOf, nextTerm, promisesNow } from './proposal.ts';
import type { Reason } from './think.ts';
import {
  BEAT_MS,
  CLAIM_DEFERENCE_MS,
  DRIFT,
  LEASE_MS,
  PATIENCE_MS,
  PROMISE_MS,
  PROPOSAL_MS_MAX,
} from './times.ts';

export class Proposer<H> {
  readonly #membership: Membership<H>;
  readonly #self: number;
  readonly #ports: MembershipPorts<H>;
  #attempt: Attempt<H> | undefined;
  #backOffUntil = -Infinity;
  #isForced = false;
  #winner: number | undefined;

  constructor(membership: Membership<H>) {
    this.#membership = membership;
    this.#self = membership.self;
    this.#ports = membership.ports;
  }

  get #site(): Site {
    return this.#membership.site;
  }

  get isBusy(): boolean {
    return this.#attempt !== undefined;
  }

  /** Why the attempt under way has not come further; for people. */
  get waitsFor(): string | undefined {
    return this.#attempt?.waitsFor;
  }

  mayTry(now: number): boolean {
    return now >= this.#backOffUntil;
  }

  /** An administrator accepts that what only lost records or caches knew is lost. */
  force(): void {
    this.#isForced = true;
  }

  /** Of the sides of a split brain the one with this node stays; the others learn from it. */
  resolve(winner: number): void {
    this.#winner = winner;
  }

  /** Whether an administrator's word waits to be carried out. */
  get isTold(): boolean {
    return this.#isForced || this.#winner !== undefined;
  }

  stop(): void {
    this.#attempt = undefined;
  }

  overtakenBy(term: number): void {
    if (this.#attempt !== undefined && this.#attempt.term < term) this.#attempt = undefined;
  }

  propose({ cause, excluded, promoted, change }: Reason): void {
    const now = this.#ports.clock.now();
    const { peers } = this.#membership;
    let seen = this.#membership.promising;
    for (const node of new Set([...votersOf(this.#site), ...peers.heardNodes(now)]))
      seen = Math.max(seen, peers.beatOf(node)?.promised ?? 0, peers.beatOf(node)?.term ?? 0);
    const attempt = begin<H>(nextTerm(seen, this.#self), now, {
      cause,
      excluded: new Set(excluded),
      promoted: new Set(promoted),
      change,
      isForced: this.#isForced,
      winner: this.#winner,
    });
    this.#ports.trace('info', 'mirror.configuration.proposed', { term: attempt.term, cause, excluded });
    this.#membership.onControl(this.#self, {
      kind: 'prepare',
      term: attempt.term,
      excluded,
      withHandover: true,
    });
    this.#attempt = attempt;
    this.#ports.clock.after(PROMISE_MS, () => {
      if (this.#attempt === attempt && attempt.phase === 'promise') this.#decide(attempt);
    });
  }

  /** Everybody who has not promised, or not with what its copy has to tell, is asked once more. */
  #askAgain(attempt: Attempt<H>, now: number): void {
    // Its own promise first, durably: a term is never used again, though this process may die at any moment.
    if (!attempt.promises.has(this.#self)) return;
    const excluded = [...attempt.excluded];
    const withData = this.#withData(attempt);
    for (const node of this.#asked(attempt)) {
      if (node === this.#self) continue;
      const withHandover = withData.includes(node) && this.#membership.peers.isJoined(node, now);
      const promise = attempt.promises.get(node);
      if (promise !== undefined && (promise.handover !== undefined || !withHandover)) continue;
      this.#ports.send(node, { kind: 'prepare', term: attempt.term, excluded, withHandover }, false);
    }
  }

  tick(now: number): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    if (now - attempt.begunAt > PROPOSAL_MS_MAX) return this.#giveUp(`no success: ${attempt.waitsFor}`);
    if (attempt.phase === 'promise') {
      this.#askAgain(attempt, now);
      if (now - attempt.begunAt > PROMISE_MS) this.#decide(attempt);
    } else if (attempt.phase === 'accept') {
      const failed = this.#failedSince(attempt);
      if (failed.length > 0) return this.#withoutThem(attempt, failed);
      this.#sendAccept(attempt, (node) => !attempt.accepted.has(node) && isTurnOf(node, attempt), false);
    }
  }

  /** Copies that have promised, and failed before they could accept: nobody need wait for them. */
  #failedSince({ proposal, accepted, term }: Attempt<H>): number[] {
    const { members, learners } = proposal!.configuration;
    return [...members, ...learners].filter((node) => {
      const beat = accepted.has(node) ? undefined : this.#membership.peers.beatOf(node);
      return beat !== undefined && beat.promised >= term && beat.role === 'failed';
    });
  }

  #withoutThem({ cause, excluded, promoted }: Attempt<H>, failed: readonly number[]): void {
    this.#giveUp(`the copy of node ${failed.join(', ')} has failed`);
    this.propose({
      cause,
      excluded: [...new Set([...excluded, ...failed])],
      promoted: [...promoted].filter((node) => !failed.includes(node)),
    });
  }

  onPromise(from: number, term: number, report: Report<H>): void {
    const attempt = this.#attempt;
    if (attempt?.term !== term || attempt.phase !== 'promise') return;
    if (attempt.promises.get(from)?.handover !== undefined) return;
    attempt.promises.set(from, report);
    attempt.toldAt.set(from, this.#ports.clock.now());
    if (from === this.#self) this.#askAgain(attempt, this.#ports.clock.now());
    if (this.#asked(attempt).every((node) => attempt.promises.has(node))) this.#decide(attempt);
  }

  /** Everybody on whom the choice may depend. */
  #asked(attempt: Attempt<H>): readonly number[] {
    const nodes = this.#withData(attempt);
    const witness = witnessOf(this.#site);
    return witness === undefined ? nodes : [...nodes, witness];
  }

  /**
   * Data nodes by all that has been heard of: as this node knows them, and as others do that have accepted another
   * configuration, or are heard to have; and those who are to become some.
   */
  #withData({ promises, change }: Attempt<H>): readonly number[] {
    const { standing } = this.#membership;
    const later = laterStrangers(this.#membership, standing.accepted.term, this.#ports.clock.now());
    const known = [...promises.values()].filter(({ isBlank }) => !isBlank);
    const nodes = [standing, ...known].flatMap(({ accepted, bound }) => [
      ...withDataOf(this.#membership.siteOf(accepted)),
      ...bound,
    ]);
    return [...new Set([...nodes, ...later, ...(change?.replicas ?? [])])];
  }

  onRefuse(term: number, promised: number): void {
    const attempt = this.#attempt;
    if (attempt?.term !== term) return;
    this.#giveUp(`overtaken by term ${promised}`);
  }

  #giveUp(reason: string): void {
    const attempt = this.#attempt;
    const ports = this.#ports;
    if (attempt === undefined) return;
    this.#attempt = undefined;
    // Whoever chose a side has to look again.
    if (attempt.winner !== undefined) this.#winner = undefined;
    this.#backOffUntil = ports.clock.now() + BEAT_MS * (0.5 + 4 * ports.random());
    ports.trace('info', 'mirror.configuration.givenUp', { term: attempt.term, cause: attempt.cause, reason });
  }

  #decide(attempt: Attempt<H>): void {
    const ports = this.#ports;
    const now = ports.clock.now();
    if (now - attempt.begunAt < PATIENCE_MS && this.#someoneIsComing(attempt, now)) return;
    const chosen = choose({
      site: this.#membership.made,
      change: attempt.change,
      self: this.#self,
      promises: promisesNow(attempt, now),
      excluded: attempt.excluded,
      promoted: attempt.promoted,
      later: laterStrangers(this.#membership, this.#membership.standing.accepted.term, now),
      isHeard: (node) => this.#membership.peers.hears(node, now),
      retiredIn: (node) => this.#retiredIn(node, now),
      writesBack: ports.writesBack(),
      firsts: ports.firsts(),
      isForced: attempt.isForced,
      winner: attempt.winner,
    });
    if (chosen.kind === 'wait') {
      attempt.waitsFor = chosen.rule;
      return;
    }
    attempt.choice = chosen;
    attempt.leasesEndAt = now + Math.min(chosen.waitMs, LEASE_MS * DRIFT) * DRIFT;
    if (!chosen.needsClaim) return this.#waitForLeases(attempt, chosen);
    attempt.phase = 'claim';
    attempt.waitsFor = 'the arbiter';
    const claim = (): void => {
      if (this.#attempt !== attempt) return;
      void ports.claim(chosen.base, chosen.members, attempt.term).then((isOurs) => {
        if (this.#attempt !== attempt) return;
        if (isOurs) this.#waitForLeases(attempt, chosen);
        else this.#giveUp('the arbiter has not let this node go on');
      });
    };
    if (this.#isFirstChoice(chosen)) claim();
    else ports.clock.after(CLAIM_DEFERENCE_MS, claim);
  }

  /** Of two sides that ask the arbiter the larger one goes first; of equal ones that with the highest priority. */
  #isFirstChoice({ base, members }: Choice): boolean {
    const [here, all] = [2 * members.length, base.members.length];
    const highest = this.#site.nodes.find((node) => base.members.includes(node))!;
    return here > all || (here === all && members.includes(highest));
  }

  #retiredIn(node: number, now: number): number | undefined {
    const { peers } = this.#membership;
    const beat = peers.beatOf(node);
    return peers.hears(node, now) && beat?.hasRetired === true ? beat.accepted.term : undefined;
  }

  /** A node that is wanted, and there, has not told what it knows: it may have much to make durable before. */
  #someoneIsComing(attempt: Attempt<H>, now: number): boolean {
    const { promises, excluded } = attempt;
    return this.#withData(attempt).some(
      (node) =>
        !excluded.has(node) &&
        this.#membership.peers.isJoined(node, now) &&
        this.#membership.peers.beatOf(node)?.role !== 'failed' &&
        promises.get(node)?.handover === undefined &&
        node !== this.#self,
    );
  }

  #waitForLeases(attempt: Attempt<H>, choice: Choice): void {
    attempt.phase = 'lease';
    attempt.waitsFor = 'leases of those who are left out';
    const go = (): void => {
      if (this.#attempt === attempt) this.#sendProposal(attempt, choice);
    };
    const waitMs = attempt.leasesEndAt - this.#ports.clock.now();
    if (waitMs <= 0) go();
    else this.#ports.clock.after(waitMs, go);
  }

  #sendProposal(attempt: Attempt<H>, choice: Choice): void {
    const ports = this.#ports;
    const configuration: Configuration = {
      term: attempt.term,
      id: ports.newId(),
      members: choice.members,
      learners: choice.learners,
      ...(choice.replicas !== undefined && { replicas: choice.replicas }),
      ...(choice.formerly !== undefined && { formerly: choice.formerly }),
    };
    const handover = ports.merge(choice, attempt.promises, configuration);
    attempt.phase = 'accept';
    attempt.waitsFor = 'members and learners to accept';
    attempt.proposal = { configuration, handover, diverged: choice.diverged };
    ports.trace('info', 'mirror.configuration.chosen', {
      term: attempt.term,
      members: choice.members,
      learners: choice.learners,
      ...(choice.formerly !== undefined && { replicas: choice.replicas }),
      cause: attempt.cause,
      rule: choice.rule,
    });
    if (choice.diverged.length > 0)
      ports.trace('error', 'mirror.splitBrain', { serving: choice.members, diverged: choice.diverged });
    this.#sendAccept(attempt, (node) => choice.members.includes(node), true);
  }

  #sendAccept(attempt: Attempt<H>, wanted: (node: number) => boolean, isFirst: boolean): void {
    const proposal = attempt.proposal!;
    const { configuration } = proposal;
    for (const node of this.#asked(attempt)) {
      if (!wanted(node)) continue;
      const isIncluded = includes(configuration, node);
      // What carries data goes once, by the channel; the rest is repeated until it is answered.
      if (isIncluded && !isFirst) continue;
      if (node === this.#self) {
        if (isIncluded || isFirst) this.#membership.onControl(this.#self, { kind: 'accept', proposal });
        continue;
      }
      const message: Control<H> = {
        kind: 'accept',
        proposal: isIncluded ? proposal : { ...proposal, handover: undefined },
      };
      this.#ports.send(node, message, isIncluded);
    }
  }

  onAccepted(from: number, term: number): void {
    const attempt = this.#attempt;
    if (attempt?.term !== term || attempt.phase !== 'accept') return;
    const { configuration } = attempt.proposal!;
    const { members } = configuration;
    const isNews = !attempt.accepted.has(from);
    attempt.accepted.add(from);
    if (isNews && members.includes(from) && hasMembers(attempt))
      this.#sendAccept(attempt, (node) => !members.includes(node), true);
    const sites = [attempt.choice!.base, configuration].map((of) => this.#membership.siteOf(of));
    if (!isComplete(attempt, sites)) return;
    const concerned = this.#asked(attempt);
    this.#attempt = undefined;
    this.#isForced = false;
    this.#winner = undefined;
    for (const node of concerned) {
      if (node === this.#self) continue;
      this.#ports.send(node, { kind: 'install', configuration }, includes(configuration, node));
    }
    this.#membership.onControl(this.#self, { kind: 'install', configuration });
  }
}
