/** What a membership is made of, and what it needs of its node. */

import { NO_UUID, type Uuid } from '../base/uuid.ts';
import type { Clock } from '../ports/clock.ts';
import type { Trace } from '../ports/trace.ts';
import type { Choice } from './choose.ts';
import type { Configuration, MadeSite } from './configuration.ts';
import type { Beat, Control, Proposal, Report } from './messages.ts';

/** What is durable of a node's part in the configurations of a device. */
export interface Standing {
  readonly promised: number;
  readonly accepted: Configuration;
  /**
   * Who has to agree to the next configuration under the heartbeat strategy: the members of the last one that was
   * installed, and of those accepted since; as long as it is not known whether anyone serves in these.
   */
  readonly bound: readonly number[];
  readonly isOut: boolean;
  /** It went on alone while others did: someone has to choose between them. */
  readonly isDiverged: boolean;
}

/** Of who has promised and accepted nothing yet. */
export const NO_STANDING: Standing = {
  promised: 0,
  accepted: { term: 0, id: NO_UUID, members: [], learners: [] },
  bound: [],
  isOut: false,
  isDiverged: false,
};

/** What a copy adds to a report. */
export type CopyReport<H> = Pick<
  Report<H>,
  'wasStopped' | 'wasWrittenOut' | 'isBlank' | 'history' | 'handover' | 'hasKept'
>;

export interface MembershipPorts<H> {
  readonly clock: Clock;
  readonly trace: Trace;
  /** In [0, 1). */
  random(): number;
  newId(): Uuid;
  /** On every link to the node. */
  sendBeat(to: number, beat: Beat): void;
  /** `onSync`: by the reliable channel, with data; otherwise on every link. */
  send(to: number, message: Control<H>, onSync: boolean): void;
  /** The installed configuration is over for this copy: nothing of it is acknowledged any more. */
  seal(): void;
  /** Durable when it answers; false: it is not, and the node has failed. */
  save(standing: Standing): Promise<boolean>;
  report(withHandover: boolean): CopyReport<H>;
  /** What members and learners of the chosen configuration need. */
  merge(choice: Choice, promises: ReadonlyMap<number, Report<H>>, configuration: Configuration): H;
  /** Makes the accepted configuration and its handover durable; false: the copy has failed. */
  accept(proposal: Proposal<H>, standing: Standing): Promise<boolean>;
  install(configuration: Configuration, standing: Standing): Promise<void>;
  /** This node is not going to serve for now. */
  standBack(reason: string): void;
  /** Whether the arbiter lets these members go on without the others of `base`. */
  claim(base: Configuration, members: readonly number[], term: number): Promise<boolean>;
  /** Caches of copies that were lost together may have held what was answered. */
  writesBack(): boolean;
  /** Every node that may have the highest priority: more than one while priorities change. */
  firsts(): readonly number[];
  /** Learners that were proven equal. */
  readyLearners(): readonly number[];
  /** Members and learners that hold a change back for too long. */
  slowNodes(): ReadonlySet<number>;
}

export interface MembershipOptions<H> {
  readonly self: number;
  readonly site: MadeSite;
  /**
   * All other nodes of the cluster. They hear of this one while it does not serve: they may have a copy that it knows nothing of,
   * or be those that give it one.
   */
  readonly neighbours?: readonly number[] | undefined;
  readonly incarnation: number;
  readonly ports: MembershipPorts<H>;
  readonly standing: Standing;
}
