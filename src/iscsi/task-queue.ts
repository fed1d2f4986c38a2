/**
 * The tasks of a session on their way to the device server: counts what they hold, and lets those that do not fit wait
 * (RFC 7143 §4.2.2.1: in the order of CmdSN, immediate ones in front).
 *
 *   early ──► waiting ──► submitted ──► ended        counts: what has arrived of its data │ in full │ data not taken yet
 *
 * Invariants
 *  1. A task counts from the arrival of its data to its one end, or until the stream has taken what it reads.
 *  2. Tasks are submitted in the order in which they were started.
 *  3. Who waits for memory of the node is in the budget's list; all else that a task waits for (its own session's
 *     tasks, the stream) calls `pump` when it changes.
 */

import type { Loan } from '../ports/block-device.ts';
import type { Account, Budget } from './budget.ts';
import { releaseDataOut } from './data-out.ts';
import { COMMAND_BYTES_MAX, SESSION_BYTES_MAX } from './limits.ts';
import type { ScsiTask, TaskPhase } from './task.ts';

/** The session, as far as its queue sees it. */
export interface TaskQueueOwner {
  /** The stream takes data. */
  readonly flowing: boolean;
  /** It is the task's turn, and it is counted. */
  submit(task: ScsiTask): void;
  /** Answers a waiting task that has a fault. */
  respondFault(task: ScsiTask): void;
}

export class TaskQueue {
  private readonly owner: TaskQueueOwner;
  private readonly budget: Budget;
  private readonly account: Account = { bytes: 0, running: 0, wake: () => this.pump() };
  private waiting: ScsiTask[] = [];
  private paused = false;

  constructor(owner: TaskQueueOwner, budget: Budget) {
    this.owner = owner;
    this.budget = budget;
  }

  /** The device server has something of this session, or the initiator has not taken it yet. */
  get isRunning(): boolean {
    return this.account.running > 0;
  }

  /** Whether the task may start in front of those that wait: immediate commands do. */
  admits(task: ScsiTask): boolean {
    return costOf(task) === 0 || this.roomFor(task) === 'yes';
  }

  /** The task's turn has come. */
  start(task: ScsiTask): void {
    if (task.immediate || (this.waiting.length === 0 && this.roomFor(task) === 'yes')) {
      this.submit(task);
      return;
    }
    task.phase = 'waiting';
    this.waiting.push(task);
    this.hold(task);
    this.pump();
  }

  /** Data has come before its task was submitted. Without room it is not kept, and the task ends in its turn. */
  hold(task: ScsiTask): void {
    const more = (task.dataOut?.received ?? 0) - task.charge;
    if (more <= 0) return;
    if (this.budget.fits(this.account, more)) {
      this.charge(task, more);
      return;
    }
    task.fault ??= 'noRoom';
    releaseDataOut(task.dataOut!);
    this.refund(task);
    if (task.phase !== 'waiting') return; // its answer has to wait for the commands before it
    this.remove(task);
    this.owner.respondFault(task);
    this.pump();
  }

  /** Takes a task out that waits. Another may be the first now: `pump` follows. */
  remove(task: ScsiTask): void {
    this.waiting = this.waiting.filter((other) => other !== task);
  }

  /** Nothing waits any more. */
  clear(): void {
    this.waiting = [];
    this.budget.forget(this.account);
  }

  /** Starts what has room. */
  pump(): void {
    if (this.paused || this.waiting.length === 0) return;
    this.paused = true;
    for (let first = this.waiting[0]; first !== undefined; first = this.waiting[0]) {
      const room = this.roomFor(first);
      if (room === 'node') this.budget.wait(this.account, costOf(first) - first.charge);
      if (room !== 'yes') break;
      this.waiting.shift();
      this.submit(first);
    }
    this.paused = false;
  }

  /** Nothing that waits starts until `resume`, which takes what this has answered. */
  pause(): boolean {
    const { paused } = this;
    this.paused = true;
    return paused;
  }

  resume(paused: boolean): void {
    this.paused = paused;
    this.pump();
  }

  /** Data of a slow reader counts until it has left, or its reads would fill the memory one after the other. */
  lend(task: ScsiTask, loan: Loan): Loan {
    const { charge } = task;
    task.charge = 0;
    return {
      segments: loan.segments,
      release: () => {
        loan.release();
        this.account.running -= charge;
        this.budget.give(this.account, charge);
        this.pump();
      },
    };
  }

  /** The task has ended, after this phase. */
  release(task: ScsiTask, phase: TaskPhase): void {
    if (phase === 'submitted') this.account.running -= task.charge;
    this.refund(task);
  }

  private submit(task: ScsiTask): void {
    this.charge(task, costOf(task) - task.charge);
    this.account.running += task.charge;
    this.owner.submit(task);
  }

  /** 'own' and 'node': whose limit the task has to wait for. */
  private roomFor(task: ScsiTask): 'yes' | 'own' | 'node' {
    const { account } = this;
    if (!this.owner.flowing) return 'own';
    const more = costOf(task) - task.charge;
    if (account.running > 0 && account.bytes + more > SESSION_BYTES_MAX) return 'own';
    return this.budget.admits(account, more) ? 'yes' : 'node';
  }

  private charge(task: ScsiTask, more: number): void {
    task.charge += more;
    this.budget.take(this.account, more);
  }

  private refund(task: ScsiTask): void {
    const { charge } = task;
    if (charge === 0) return;
    task.charge = 0;
    this.budget.give(this.account, charge);
  }
}

function costOf(task: ScsiTask): number {
  return Math.min(task.dataOutBufferLength + task.dataInBufferLength, COMMAND_BYTES_MAX);
}
