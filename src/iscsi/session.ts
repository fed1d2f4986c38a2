/**
 * One session and its tasks in the full feature phase (RFC 7143 §4.4). ErrorRecoveryLevel 0 and one connection: when
 * the connection is lost the session ends.
 *
 *   active ── logout, connection lost, reinstated, stopped ──► ended (nexus closing … closed)
 *
 * Invariants
 *  1. Every task is in `tasks` from its arrival until its one end; receive buffers go back exactly then.
 *  2. Tasks are submitted in the order of CmdSN; what does not fit the memory waits in that order (`task-queue.ts`).
 *  3. Nothing is sent for a task after its session or its connection is over.
 */

import { assert } from '../base/assert.ts';
import { type MaybeAsync, then } from '../base/result.ts';
import type { Loan } from '../ports/block-device.ts';
import type { Clock } from '../ports/clock.ts';
import { type Nexus, type NexusEvents, Status } from '../ports/scsi-target.ts';
import type { Trace } from '../ports/trace.ts';
import type { Budget } from './budget.ts';
import { sendCompletion, senseSegment } from './data-in.ts';
import {
  isComplete,
  nextRequest,
  openDataOut,
  releaseDataOut,
  requested as requestedWith,
} from './data-out.ts';
import { DataOutWatch, type DataOutWatched } from './data-out-watch.ts';
import { COPIED_BYTES_MAX } from './output.ts';
import type { LoginResult, SessionName } from './login/context.ts';
import { type SessionParameters, withConnection } from './login/parameters.ts';
import { AsyncEvent } from './pdu/async-message.ts';
import { RESERVED_TAG } from './pdu/bhs.ts';
import { sendAsyncMessage, sendReadyToTransfer } from './reply.ts';
import { trimSegments } from './segments.ts';
import type { Sender } from './sender.ts';
import type { ScsiTask, TaskOwner } from './task.ts';
import { TaskQueue, type TaskQueueOwner } from './task-queue.ts';
import type { TextExchange } from './text-exchange.ts';
import { transportSense } from './transport-sense.ts';

/** The session's way out, as long as it lives. */
export interface SessionConnection {
  readonly cid: number;
  readonly sender: Sender;
  /** When the bytes that are handled now arrived. */
  readonly now: number;
  readonly initiatorAddress: string;
  readonly portalAddress: string;
  /** What we send, or our own reading, stands still. */
  readonly isStalled: boolean;
  /** Something was queued: it leaves at the end of this turn. */
  queued(): void;
  /** Sends what is queued and closes. */
  finish(): void;
  /** The initiator answered a ping of ours. */
  onPong(targetTransferTag: number): void;
}

export interface SessionOptions {
  readonly name: SessionName;
  readonly login: LoginResult;
  readonly connection: SessionConnection;
  readonly budget: Budget;
  readonly clock: Clock;
  readonly trace: Trace;
  /** Report unit attentions of others in asynchronous messages; some initiators do not expect any. */
  readonly reportsUnitAttentions: boolean;
  /** Answers a text request; undefined: not acceptable. */
  answerText(session: Session, text: Uint8Array): Uint8Array | undefined;
  /** Begins the nexus; undefined in a discovery session. */
  openNexus(session: Session, events: NexusEvents): Nexus | undefined;
  /** Called once, when the session is over and its nexus is closed. */
  onClosed(session: Session): void;
}

export class Session implements TaskOwner, TaskQueueOwner, DataOutWatched {
  readonly name: SessionName;
  readonly login: LoginResult;
  readonly options: SessionOptions;
  /** Undefined when the connection is over. */
  connection: SessionConnection | undefined;
  nexus: Nexus | undefined;
  phase: 'active' | 'ended' = 'active';
  /** A text negotiation may change them. */
  parameters: SessionParameters;
  text: TextExchange = { kind: 'idle' };
  readonly tasks = new Map<number, ScsiTask>();
  immediateTasks = 0;
  /** Task management functions in progress. */
  managing = 0;
  resetPending = false;
  /** For statistics. */
  commands = 0;
  dataOutPdus = 0;
  private readonly events: NexusEvents;
  private readonly watch: DataOutWatch;
  private readonly queue: TaskQueue;
  private lastTransferTag = 0;
  private closing: MaybeAsync<void> = undefined;
  /** Until it answers, tasks of the last nexus that was closed may still touch the medium. */
  private nexusClosed: MaybeAsync<void> = undefined;
  /** The last connection that asked to take the session over. */
  private successor: SessionConnection | undefined;

  constructor(options: SessionOptions) {
    this.options = options;
    this.name = options.name;
    this.parameters = options.login.parameters;
    this.login = options.login;
    this.connection = options.connection;
    this.queue = new TaskQueue(this, options.budget);
    this.watch = new DataOutWatch(options.clock, this);
    this.events = {
      unitAttention: (lunHigh, lunLow, sense) => this.reportUnitAttention(lunHigh, lunLow, sense),
      targetReset: () => this.targetReset(),
    };
    this.nexus = options.openNexus(this, this.events);
  }

  /** A tag for an R2T, a ping or a text that goes on. */
  nextTransferTag(): number {
    this.lastTransferTag = (this.lastTransferTag + 1) % RESERVED_TAG;
    return this.lastTransferTag;
  }

  /** A new task; its turn comes with `start`. */
  register(task: ScsiTask): void {
    this.tasks.set(task.tag, task);
    this.commands++;
    if (task.immediate) this.immediateTasks++;
    else this.connection!.sender.window.outstanding++;
  }

  /** The task's turn has come. */
  start(task: ScsiTask): void {
    if (task.phase === 'ended') return;
    if (task.fault !== undefined) {
      this.respondFault(task);
      return;
    }
    this.queue.start(task);
  }

  /** Whether an immediate command may start in front of those that wait. */
  admits(task: ScsiTask): boolean {
    return this.queue.admits(task);
  }

  /** Data has come before the turn of its task. */
  hold(task: ScsiTask): void {
    this.queue.hold(task);
  }

  /** The stream takes data again. */
  drained(): void {
    this.queue.pump();
  }

  get flowing(): boolean {
    return this.connection?.sender.output.flowing ?? false;
  }

  submit(task: ScsiTask): void {
    assert(this.nexus !== undefined, 'a session with tasks has a nexus');
    task.phase = 'submitted';
    if (task.dataOut !== undefined) this.watch.begin();
    this.nexus.submit(task);
  }

  receiveDataOut(task: ScsiTask, length: number): void {
    if (task.phase === 'ended') return;
    task.dataOut ??= openDataOut({ offered: 0, immediateLength: 0, final: true }, this.parameters).dataOut;
    assert(task.dataOut.wanted === undefined, 'data-out is asked for once');
    task.dataOut.wanted = length;
    this.progress(task);
  }

  /** More data is here, or wanted: delivers it or asks for what lacks. */
  progress(task: ScsiTask): void {
    const { dataOut } = task;
    if (dataOut?.wanted === undefined || dataOut.delivered || task.fault !== undefined) return;
    if (isComplete(dataOut)) {
      dataOut.delivered = true;
      const length = Math.min(dataOut.wanted, dataOut.offered);
      this.nexus?.dataOutReceived(task, trimSegments(dataOut.segments, length));
      return;
    }
    const { connection } = this;
    if (connection === undefined) return;
    for (;;) {
      const request = nextRequest(dataOut, this.parameters);
      if (request === undefined) return;
      const targetTransferTag = this.nextTransferTag();
      sendReadyToTransfer(connection.sender, task, request, { targetTransferTag, r2tSN: dataOut.r2tSN });
      requestedWith(dataOut, request, targetTransferTag);
      connection.queued();
    }
  }

  complete(task: ScsiTask, status: Status, sense: Uint8Array | undefined, dataIn: Loan | undefined): void {
    assert(task.phase === 'submitted', 'a task completes once');
    const { connection } = this;
    if (connection === undefined || this.phase !== 'active') {
      this.retire(task);
      dataIn?.release();
    } else {
      const lent =
        dataIn !== undefined && task.charge > COPIED_BYTES_MAX ? this.queue.lend(task, dataIn) : dataIn;
      this.retire(task);
      // What is released while the response is being written starts nothing before it is whole.
      const paused = this.queue.pause();
      sendCompletion(connection.sender, this.parameters, task, { status, sense, dataIn: lent });
      connection.queued();
      this.queue.resume(paused);
    }
  }

  abandoned(task: ScsiTask): void {
    assert(task.phase === 'submitted', 'a task ends once');
    if (task.fault !== undefined) this.respondFault(task);
    else this.retire(task);
    this.queue.pump();
  }

  /** Ends a task of which the device server knows nothing yet, without a response. */
  discard(task: ScsiTask): void {
    assert(task.phase === 'early' || task.phase === 'waiting', 'the device server has this task');
    if (task.phase === 'waiting') this.queue.remove(task);
    this.retire(task);
    this.queue.pump();
  }

  /** Starts nothing that waits before `manage` is done. */
  quietly<T>(manage: () => T): T {
    const paused = this.queue.pause();
    const answer = manage();
    this.queue.resume(paused);
    return answer;
  }

  /** Ends a task that cannot get its data: CHECK CONDITION with the transport's own sense. */
  fail(task: ScsiTask): void {
    if (task.phase === 'waiting') {
      this.queue.remove(task);
      this.respondFault(task);
      this.queue.pump();
    } else if (task.phase === 'submitted') {
      // The response follows when the device server has let go (`abandoned`).
      const { lunHigh, lunLow, tag } = task;
      void this.nexus?.manage({ kind: 'abortTask', lunHigh, lunLow, tag });
    }
  }

  isStalled(): boolean {
    return this.connection?.isStalled ?? true;
  }

  /** The initiator keeps the data of a task to itself. What still comes of it is discarded. */
  withheld(task: ScsiTask): void {
    this.options.trace('warn', 'iscsi.data.withheld', {
      initiator: this.name.initiatorName,
      target: this.name.targetName,
      from: this.connection?.initiatorAddress,
      received: task.dataOut?.received,
      wanted: task.dataOut?.wanted,
    });
    task.fault ??= 'initiatorResponseTimeout';
    this.fail(task);
  }

  /**
   * Discards all tasks and closes the nexus; answers when nothing of this session can touch the medium any more. The
   * connection, if it is still there, is the caller's to finish.
   */
  end(): MaybeAsync<void> {
    if (this.phase === 'ended') return this.closing;
    this.phase = 'ended';
    this.closing = then(this.dropTasks(), () => this.options.onClosed(this));
    return this.closing;
  }

  /**
   * The same session on a new connection (RFC 7143 §6.3.4): tasks of the old one are gone, its nexus begins anew. While
   * it waits for that, a further connection may come and get the session instead.
   */
  reinstate(connection: SessionConnection, parameters: SessionParameters): MaybeAsync<void> {
    this.connection = undefined;
    this.successor = connection;
    return then(this.dropTasks(), () => {
      if (this.phase !== 'active' || this.successor !== connection) return;
      this.text = { kind: 'idle' };
      this.connection = connection;
      this.parameters = withConnection(this.parameters, parameters);
      this.nexus = this.options.openNexus(this, this.events);
    });
  }

  /** TARGET COLD RESET: the session ends, after the response to whoever asked for it. */
  targetReset(): void {
    if (this.managing > 0) {
      this.resetPending = true;
      return;
    }
    const { connection } = this;
    void then(this.end(), () => connection?.finish());
  }

  /** RFC 7143 §11.9: asks the initiator to log out within `seconds`. */
  requestLogout(seconds: number): void {
    const { connection } = this;
    if (connection === undefined || this.phase !== 'active') return;
    const message = { event: AsyncEvent.logoutRequest, lunHigh: 0, lunLow: 0 };
    sendAsyncMessage(connection.sender, {
      ...message,
      parameter1: 0,
      parameter2: 0,
      parameter3: seconds,
    });
    connection.queued();
  }

  respondFault(task: ScsiTask): void {
    const { connection } = this;
    assert(task.fault !== undefined, 'a fault is known');
    this.retire(task);
    if (connection === undefined || this.phase !== 'active') return;
    const refused = this.queue.isRunning ? Status.TASK_SET_FULL : Status.BUSY;
    sendCompletion(connection.sender, this.parameters, task, {
      status: task.fault === 'noRoom' ? refused : Status.CHECK_CONDITION,
      sense: task.fault === 'noRoom' ? undefined : transportSense(task.fault),
      dataIn: undefined,
    });
    connection.queued();
  }

  private retire(task: ScsiTask): void {
    const { phase } = task;
    task.phase = 'ended';
    this.tasks.delete(task.tag);
    if (task.immediate) this.immediateTasks--;
    else if (this.connection !== undefined) this.connection.sender.window.outstanding--;
    if (task.dataOut !== undefined) releaseDataOut(task.dataOut);
    this.queue.release(task, phase);
  }

  private dropTasks(): MaybeAsync<void> {
    this.queue.clear();
    this.watch.end();
    for (const task of this.tasks.values()) {
      if (task.phase === 'early' || task.phase === 'waiting') this.discard(task);
    }
    const { nexus } = this;
    this.nexus = undefined;
    if (nexus !== undefined) this.nexusClosed = nexus.close();
    return this.nexusClosed;
  }

  private reportUnitAttention(lunHigh: number, lunLow: number, sense: Uint8Array): void {
    const { connection } = this;
    if (!this.options.reportsUnitAttentions || connection === undefined || this.phase !== 'active') return;
    const none = { parameter1: 0, parameter2: 0, parameter3: 0 };
    const message = { event: AsyncEvent.scsi, lunHigh, lunLow, ...none };
    sendAsyncMessage(connection.sender, message, senseSegment(sense));
    connection.queued();
  }
}
