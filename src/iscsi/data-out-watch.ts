/**
 * Whether an initiator sends the data of its commands. One that sends a write and keeps the data holds up everybody
 * behind it in the task set, for ever if it answers pings. Runs on one timer per session while writes are in progress;
 * the data path only begins it. Time counts in periods in which we were ready to receive, so that neither our own
 * backlog nor a process that stood still is the initiator's fault.
 */

import type { Clock, Timer } from '../ports/clock.ts';
import { type DataOut, NEVER_SEEN } from './data-out.ts';
import { DATA_OUT_CHECK_MS, DATA_OUT_OTHERS_SHARE, DATA_OUT_WITHHELD_MS } from './limits.ts';
import type { ScsiTask } from './task.ts';

export interface DataOutWatched {
  readonly tasks: ReadonlyMap<number, ScsiTask>;
  /** Data-Out PDUs of all its tasks so far. */
  readonly dataOutPdus: number;
  /** What we send, or our own reading, stands still. */
  isStalled(): boolean;
  withheld(task: ScsiTask): void;
}

export class DataOutWatch {
  private readonly clock: Clock;
  private readonly session: DataOutWatched;
  private timer: Timer | undefined;
  private pdusSeen = 0;

  constructor(clock: Clock, session: DataOutWatched) {
    this.clock = clock;
    this.session = session;
  }

  /** A task with data to come is running. */
  begin(): void {
    this.timer ??= this.clock.after(DATA_OUT_CHECK_MS, this.look);
  }

  end(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private readonly look = (): void => {
    this.timer = undefined;
    const { session } = this;
    const counts = session.isStalled()
      ? 0
      : session.dataOutPdus === this.pdusSeen
        ? 1
        : DATA_OUT_OTHERS_SHARE;
    this.pdusSeen = session.dataOutPdus;
    let running = false;
    for (const task of session.tasks.values()) {
      const { dataOut } = task;
      if (task.phase !== 'submitted' || dataOut === undefined || dataOut.delivered) continue;
      if (silence(task, dataOut, counts * DATA_OUT_CHECK_MS) >= DATA_OUT_WITHHELD_MS) session.withheld(task);
      else running = true;
    }
    if (running) this.begin();
  };
}

/** How long the task waits for data in vain, this period included. */
function silence(task: ScsiTask, dataOut: DataOut, ms: number): number {
  const awaited = dataOut.wanted !== undefined || task.fault !== undefined;
  if (!awaited || dataOut.received !== dataOut.receivedWhenSeen) {
    dataOut.receivedWhenSeen = awaited ? dataOut.received : NEVER_SEEN;
    dataOut.silentMs = 0;
  } else {
    dataOut.silentMs += ms;
  }
  return dataOut.silentMs;
}
