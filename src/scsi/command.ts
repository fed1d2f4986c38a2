/**
 * One row of the command table: everything the device server knows of a command stands in its row (name, CDB usage,
 * reservation class, data plan, execution), so that dispatch, REPORT SUPPORTED OPERATION CODES, the reservation table
 * and the reserved-bit check cannot disagree.
 */

import type { MaybeAsync, Result } from '../base/result.ts';
import type { Loan, Ticket } from '../ports/block-device.ts';
import type { Status, Task } from '../ports/scsi-target.ts';
import type { LogicalUnit } from './logical-unit.ts';
import type { NexusState, UnitNexus } from './nexus.ts';
import type { Fault } from './sense.ts';

/** Where a task stands. `dormant`: waits for older tasks of the task set; nothing has been checked yet. */
export type Phase = 'dormant' | 'awaitingData' | 'running' | 'ended';

/** A nexus by a task management function or PREEMPT AND ABORT, here or at another node; the device server, which takes the
 *  unit away; nobody who would tell: the task's own nexus is gone. */
export type Aborter = NexusState | 'otherNode' | 'deviceServer' | 'nexusLoss';

/** What a handler works on: the task, who sent it, and the logical unit it is for; also the ticket of what it asks of the device. */
export interface Request extends Ticket {
  readonly task: Task;
  readonly cdb: Uint8Array;
  /** A DataView over `cdb`, made when first asked for; the hot path uses fields.ts. */
  readonly view: DataView;
  readonly nexus: NexusState;
  readonly unit: LogicalUnit;
  readonly link: UnitNexus;
  readonly command: Command;
  /** Data-out, once received; empty for commands without. */
  dataOut: readonly Uint8Array[];
  /** Bytes of data-out that the plan asked for. */
  dataOutLength: number;
  /** Set when the task was aborted: a sequence that has awaited looks here before it does anything further. */
  aborted: boolean;
  /** It was aborted in a way that its nexus is to hear of by TASK ABORTED (TAS). */
  toldOfAbort: boolean;
  phase: Phase;
  /** Called when a running task has ended: those who wait for its abort. */
  whenEnded: (() => void)[] | undefined;
}

/** How a command ends well. */
export interface Outcome {
  readonly status: Status;
  readonly dataIn: Loan | undefined;
}

/** SPC-4 table 66 ff.: what a command does to the medium, which decides reservation conflicts. */
export type Access =
  /** Touches nothing that persistent reservations protect. */
  | 'none'
  | 'read'
  | 'write'
  /** Conflicts unless the nexus holds the reservation or (registrants-only types) is registered. */
  | 'exclusive';

export interface Command {
  /** As the standard spells it: 'READ (10)'. */
  readonly name: string;
  readonly opcode: number;
  /** For opcodes with service actions. */
  readonly serviceAction?: number;
  /** CDB usage data (SPC-4 §6.35.3): one byte per CDB byte, bits that are evaluated are 1. A reserved bit set in a
   *  received CDB is INVALID FIELD IN CDB with a field pointer. The opcode byte stands as itself. */
  readonly usage: readonly number[];
  readonly access: Access;
  /** Writes to the medium: refused on a write-protected unit. */
  readonly writesMedium?: true;
  /** True for the few commands that run before a pending unit attention is reported (SAM-5 §5.14). */
  readonly beforeUnitAttention?: true;
  /** True for commands that run while there is no medium. */
  readonly whileNotReady?: true;
  /** True for commands that run while a SANITIZE runs or after one failed (SBC-3 §4.11.2). */
  readonly whileSanitizing?: true;
  /** True for commands that a node answers which may not serve the unit (SPC-4 §5.15.2.4.5). */
  readonly whileUnavailable?: true;
  /** True when the command makes sense of fewer whole blocks of data-out than planned (the WRITE family). */
  readonly takesLessData?: true;
  /** Whether the unit has the command at all; without it: every unit has. */
  isSupportedBy?(unit: LogicalUnit): boolean;
  /** Checks the CDB's fields and range and says how many bytes of data-out it wants; without it: none. */
  plan?(request: Request): Result<number, Fault>;
  /** Does it. Runs after `plan` succeeded and the data-out is here. */
  execute(request: Request): MaybeAsync<Result<Outcome, Fault>>;
}

/** For one step of a command that takes long: its initiator waits for the whole of it while its session lives. */
export function ticketOfStep(request: Request): Ticket {
  const arrivedAt = request.unit.clock?.now() ?? request.arrivedAt;
  return { arrivedAt, isAlive: () => request.isAlive() };
}
