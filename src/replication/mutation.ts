/**
 * One change on its way through this replica.
 *
 *   received ──held──► acknowledged to its coordinator ──valid──► all members hold it ──forgotten
 *
 *   held    write through: on the medium; write back: in this record (and in the journal)
 *   valid   every member and learner holds it: it may be read, and a write-back replica gives it to its cache
 *   stored  the store has it, or newer ones that cover it
 */

import type { Operation, Stamp } from './operation.ts';

export type Ready = (isValid: boolean) => void;

/** A class, because there is one for every write. */
export class Mutation {
  readonly stamp: Stamp;
  readonly lba: number;
  readonly blocks: number;
  readonly operation: Operation;
  readonly coordinator: number;
  isHeld = false;
  isValid = false;
  isStored = false;
  /** The journal has it under way and wants to hear its end. */
  isJournaled = false;
  /** A configuration change has taken over: nothing happens for this record any more. */
  isOver = false;
  #waiting: Ready[] | undefined;

  constructor(stamp: Stamp, operation: Operation, coordinator: number) {
    this.stamp = stamp;
    this.lba = operation.lba;
    this.blocks = operation.blocks;
    this.operation = operation;
    this.coordinator = coordinator;
  }

  /** Its blocks may be read from the store. */
  get isReadable(): boolean {
    return this.isValid && this.isStored;
  }

  /** Calls `ready` when it is readable (true), or will never be in this configuration (false). */
  whenReadable(ready: Ready): void {
    if (this.isReadable) return ready(true);
    if (this.isOver) return ready(false);
    (this.#waiting ??= []).push(ready);
  }

  /** To be called after each change of state. */
  changed(): void {
    if (this.#waiting === undefined || !(this.isReadable || this.isOver)) return;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const ready of waiting) ready(this.isReadable);
  }
}
