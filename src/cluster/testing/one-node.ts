/** One membership of three, whose records are written when a test says so; the others say what a test lets them say. */

import { assert } from '../../base/assert.ts';
import type { Configuration, Strategy } from '../configuration.ts';
import { Membership } from '../membership.ts';
import type { Standing } from '../ports.ts';
import type { Beat, Control, Report } from '../messages.ts';
import { reportWith } from './report.ts';
import { SteppedClock } from './stepped-clock.ts';

const MAJORITY: Strategy = { kind: 'majority', witness: undefined };
const HEARTBEAT: Strategy = { kind: 'heartbeat', policy: 'suspendLow' };
/** After it, nothing of before the start counts any more. */
const LONG_MS = 10_000;

const of = (term: number, members: readonly number[] = [1, 2, 3]): Configuration => ({
  term,
  id: `${term}`.padStart(32, '0'),
  members,
  learners: [],
});

/** Node 1 of three, which serve together in term 20. */
export class OneNode {
  readonly clock = new SteppedClock();
  readonly membership: Membership<string>;
  /** By this node to others, beats apart. */
  readonly sent: (readonly [to: number, message: Control<string>])[] = [];
  readonly beats: Beat[] = [];
  /** What is on its disk. */
  durable: Standing;
  canSave = true;
  /** Records are written when `write` is called. */
  isHeld = false;
  #held: (() => void)[] = [];

  private constructor(strategy: Strategy['kind']) {
    const accepted = of(4);
    this.durable = { promised: 4, accepted, bound: accepted.members, isOut: false, isDiverged: false };
    const save = (standing: Standing): Promise<boolean> => this.#save(standing);
    this.membership = new Membership<string>({
      self: 1,
      site: { nodes: [1, 2, 3], strategy: strategy === 'majority' ? MAJORITY : HEARTBEAT },
      incarnation: 1,
      standing: this.durable,
      ports: {
        writesBack: () => false,
        firsts: () => [1],
        clock: this.clock,
        trace: () => undefined,
        random: () => 0.5,
        newId: () => 'e'.repeat(32),
        sendBeat: (_to, beat) => void this.beats.push(beat),
        send: (to, message) => void this.sent.push([to, message]),
        seal: () => undefined,
        save,
        report: (withHandover) => ({
          wasStopped: false,
          wasWrittenOut: false,
          isBlank: false,
          hasKept: false,
          history: [],
          handover: withHandover ? 'data' : undefined,
        }),
        merge: () => 'data',
        accept: (_proposal, standing) => save(standing),
        install: (_configuration, standing) => save(standing).then(() => undefined),
        standBack: () => undefined,
        claim: () => Promise.resolve(true),
        readyLearners: () => [],
        slowNodes: () => new Set(),
      },
    });
  }

  static async serving(strategy: Strategy['kind']): Promise<OneNode> {
    const node = new OneNode(strategy);
    await node.clock.advance(LONG_MS);
    await node.hear(3, { kind: 'prepare', term: 20, excluded: [], withHandover: true });
    await node.accept(3, 20);
    await node.hear(3, { kind: 'install', configuration: of(20) });
    assert(node.membership.role === 'serving', 'it serves');
    node.sent.length = 0;
    return node;
  }

  /** The kinds of what it has sent since it was asked last, and to whom: 'promise 2'. */
  get said(): string[] {
    return this.sent.splice(0).map(([to, { kind }]) => `${kind} ${to}`);
  }

  async hear(from: number, message: Control<string>): Promise<void> {
    this.membership.onControl(from, message);
    await this.clock.advance(1);
  }

  async prepare(from: number, term: number, excluded: readonly number[] = []): Promise<void> {
    await this.hear(from, { kind: 'prepare', term, excluded, withHandover: true });
  }

  /** Another one promises what this node has asked for last, over a path without data. */
  async promise(from: number, leases: Report<string>['leases'] = []): Promise<void> {
    const term = this.membership.promising;
    const report = reportWith<string>(this.durable.accepted, { promised: term, leases });
    await this.hear(from, { kind: 'promise', term, report });
  }

  async accept(from: number, term: number, members?: readonly number[]): Promise<void> {
    const proposal = { configuration: of(term, members), handover: 'data', diverged: [] };
    await this.hear(from, { kind: 'accept', proposal });
  }

  /** Whether its answer lets the node serve. */
  grants(from: number, term: number): boolean {
    const { promised, accepted } = this.durable;
    const { members } = accepted;
    const others = { hears: [], hearsSync: [], members, hasRetired: false, role: 'serving' } as const;
    const about = { sentAt: 0, term, promised, accepted: { term: accepted.term, members } };
    const beat: Beat = { kind: 'beat', incarnation: 1, ...about, ...others };
    return this.membership.onBeat(from, beat, true) !== undefined;
  }

  /** Of its last promise. */
  get report(): Report<string> {
    const reports = this.sent.flatMap(([, message]) => (message.kind === 'promise' ? [message.report] : []));
    const last = reports.at(-1);
    assert(last !== undefined, 'it has promised');
    return last;
  }

  async write(): Promise<void> {
    for (const go of this.#held.splice(0)) go();
    await this.clock.advance(1);
  }

  async #save(standing: Standing): Promise<boolean> {
    if (this.isHeld) await new Promise<void>((resolve) => this.#held.push(resolve));
    if (this.canSave) this.durable = standing;
    return this.canSave;
  }
}
