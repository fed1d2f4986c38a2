/**
 * Commands of initiators that have not begun: each waits until it may, begins, or is refused.
 *
 * Invariants
 *  1. A command whose session is gone, or that has waited longer than COMMAND_START_MS_MAX, never begins: its initiator may
 *     have gone on elsewhere already, and what it sent before must not come after.
 *  2. Nothing begins while this node may not serve.
 *  3. At most COMMANDS_WAITING_MAX wait; more are refused.
 */

import type { DeviceFault, Ticket } from '../ports/block-device.ts';

/** Shorter than the time in which any initiator fails over. */
const COMMAND_START_MS_MAX = 2000;
const COMMANDS_WAITING_MAX = 4096;

export interface Waiting {
  readonly ticket: Ticket;
  canBegin(): boolean;
  begin(): void;
  refuse(fault: DeviceFault): void;
}

export class CommandQueue {
  #waiting: Waiting[] = [];
  #pumping = false;
  #again = false;
  readonly #mayServe: () => boolean;
  readonly #now: () => number;

  constructor(mayServe: () => boolean, now: () => number) {
    this.#mayServe = mayServe;
    this.#now = now;
  }

  get length(): number {
    return this.#waiting.length;
  }

  add(command: Waiting): void {
    if (this.#isDead(command)) return;
    if (this.#mayServe() && command.canBegin()) return command.begin();
    if (this.#waiting.length >= COMMANDS_WAITING_MAX) return command.refuse({ kind: 'busy' });
    this.#waiting.push(command);
  }

  /** Begins what may begin now. */
  pump(): void {
    if (this.#pumping) {
      this.#again = true;
      return;
    }
    this.#pumping = true;
    do {
      this.#again = false;
      const waiting = this.#waiting;
      this.#waiting = [];
      const kept: Waiting[] = [];
      for (const command of waiting) {
        if (this.#isDead(command)) continue;
        if (this.#mayServe() && command.canBegin()) command.begin();
        else kept.push(command);
      }
      this.#waiting = [...kept, ...this.#waiting];
    } while (this.#again && this.#waiting.length > 0);
    this.#pumping = false;
  }

  /** This node will not serve soon. */
  refuseAll(reason: string): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const command of waiting) command.refuse({ kind: 'unavailable', reason });
  }

  #isDead(command: Waiting): boolean {
    if (!command.ticket.isAlive()) {
      command.refuse({ kind: 'unavailable', reason: 'the session is over' });
      return true;
    }
    if (this.#now() - command.ticket.arrivedAt <= COMMAND_START_MS_MAX) return false;
    command.refuse({ kind: 'unavailable', reason: 'the command could not begin in time' });
    return true;
  }
}
