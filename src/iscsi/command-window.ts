/**
 * Command numbering of a session (RFC 7143 §4.2.2.1): which commands may be delivered now, later or never, and what
 * MaxCmdSN allows. Plain data and functions; knows no PDU.
 *
 * Invariants
 *  1. ExpCmdSN − 1 ≤ MaxCmdSN, and MaxCmdSN never goes back.
 *  2. Commands run in the order of CmdSN; what is held has ExpCmdSN < CmdSN ≤ MaxCmdSN.
 *  3. Outstanding non-immediate commands and the open window together are at most `limit`, unless `limit` was lowered.
 */

import { assert } from '../base/assert.ts';
import { serialAdd, serialDistance, serialLess } from '../base/serial-number.ts';

export interface CommandWindow {
  expCmdSN: number;
  maxCmdSN: number;
  /** Non-immediate commands that were admitted and have not ended. */
  outstanding: number;
  readonly held: Map<number, HeldCommand>;
}

/** Runs when its turn comes. */
export type HeldCommand = () => void;

export type Admission = 'inOrder' | 'early' | 'outside';

export function openCommandWindow(cmdSN: number): CommandWindow {
  return { expCmdSN: cmdSN, maxCmdSN: serialAdd(cmdSN, -1), outstanding: 0, held: new Map() };
}

/** Duplicates and what lies beyond MaxCmdSN are outside: silently ignored. */
export function admit(window: CommandWindow, cmdSN: number): Admission {
  const ahead = serialDistance(window.expCmdSN, cmdSN);
  if (ahead < 0 || ahead > serialDistance(window.expCmdSN, window.maxCmdSN)) return 'outside';
  if (ahead === 0) return 'inOrder';
  return window.held.has(cmdSN) ? 'outside' : 'early';
}

export function hold(window: CommandWindow, cmdSN: number, command: HeldCommand): void {
  assert(admit(window, cmdSN) === 'early', 'only an early command is held');
  window.held.set(cmdSN, command);
}

/** The command at ExpCmdSN is here. The caller runs it, and then what was held behind it. */
export function advance(window: CommandWindow): void {
  window.expCmdSN = serialAdd(window.expCmdSN, 1);
}

/** Runs held commands whose turn has come. */
export function runHeld(window: CommandWindow): void {
  while (window.held.size > 0) {
    const command = window.held.get(window.expCmdSN);
    if (command === undefined) return;
    window.held.delete(window.expCmdSN);
    advance(window);
    command();
  }
}

/**
 * ABORT TASK for a command that has not arrived: it counts as received and will be ignored when it comes
 * (RFC 7143 §11.5.5). False when `cmdSN` is not one that is still expected.
 */
export function consume(window: CommandWindow, cmdSN: number): boolean {
  const admission = admit(window, cmdSN);
  if (admission === 'outside') return false;
  if (admission === 'early') {
    hold(window, cmdSN, () => undefined);
  } else {
    advance(window);
    runHeld(window);
  }
  return true;
}

/** Opens the window up to `limit` outstanding commands; never closes what was opened. */
export function openUpTo(window: CommandWindow, limit: number): void {
  const free = limit - window.outstanding;
  const maxCmdSN = serialAdd(window.expCmdSN, (free > 0 ? free : 0) - 1);
  if (serialLess(window.maxCmdSN, maxCmdSN)) window.maxCmdSN = maxCmdSN;
}
