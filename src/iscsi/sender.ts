/**
 * Numbers and sends the responses of one connection: StatSN (RFC 7143 §4.2.2.2), ExpCmdSN and MaxCmdSN, in the order
 * in which they are queued.
 */

import { serialAdd, serialLessOrEqual } from '../base/serial-number.ts';
import type { Budget } from './budget.ts';
import { type CommandWindow, openUpTo } from './command-window.ts';
import { COMMANDS_MAX, COMMANDS_UNDER_PRESSURE_MAX } from './limits.ts';
import type { Output } from './output.ts';
import type { Numbering } from './pdu/bhs.ts';

export class Sender {
  readonly output: Output;
  readonly window: CommandWindow;
  private readonly budget: Budget;
  /** The next response's. */
  statSN: number;
  /** Everything before it is acknowledged. */
  ackedStatSN: number;
  /** One record for all responses: an encoder reads it at once. */
  private readonly numbering = { statSN: 0, expCmdSN: 0, maxCmdSN: 0 };

  constructor(output: Output, window: CommandWindow, budget: Budget, statSN: number) {
    this.output = output;
    this.window = window;
    this.budget = budget;
    this.statSN = statSN;
    this.ackedStatSN = statSN;
  }

  /** For a response that advances StatSN. */
  next(): Numbering {
    const numbering = this.current();
    this.statSN = serialAdd(this.statSN, 1);
    return numbering;
  }

  /** For R2T, NOP-In of our own and Data-In without status: StatSN does not advance. */
  current(): Numbering {
    const { window, numbering } = this;
    openUpTo(window, this.budget.underPressure ? COMMANDS_UNDER_PRESSURE_MAX : COMMANDS_MAX);
    numbering.statSN = this.statSN;
    numbering.expCmdSN = window.expCmdSN;
    numbering.maxCmdSN = window.maxCmdSN;
    return numbering;
  }

  /** ExpStatSN of a request: what the initiator has seen. False if it acknowledges what was never sent. */
  acknowledge(expStatSN: number): boolean {
    if (expStatSN === this.ackedStatSN) return true;
    if (!serialLessOrEqual(expStatSN, this.statSN)) return false;
    if (serialLessOrEqual(this.ackedStatSN, expStatSN)) this.ackedStatSN = expStatSN;
    return true;
  }
}
