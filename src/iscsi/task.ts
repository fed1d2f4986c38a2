/**
 * One SCSI command from its arrival to its end. The record has one shape from the start; what it does is decided by
 * its session.
 */

import type { Loan } from '../ports/block-device.ts';
import type { Status, Task, TaskAttribute } from '../ports/scsi-target.ts';
import type { DataOut } from './data-out.ts';
import type { TransportFault } from './transport-sense.ts';

/**
 * early: waits for commands before it; waiting: its turn, but no room for its data; submitted: the device server has
 * it; ended: answered or discarded.
 */
export type TaskPhase = 'early' | 'waiting' | 'submitted' | 'ended';

/** The node cannot hold the data that came with it. */
export type NoRoom = 'noRoom';

export interface TaskOwner {
  receiveDataOut(task: ScsiTask, length: number): void;
  complete(task: ScsiTask, status: Status, sense: Uint8Array | undefined, dataIn: Loan | undefined): void;
  abandoned(task: ScsiTask): void;
}

export class ScsiTask implements Task {
  readonly lunHigh: number;
  readonly lunLow: number;
  readonly tag: number;
  readonly attribute: TaskAttribute;
  readonly cdb: Uint8Array;
  readonly arrivedAt: number;
  readonly dataOutBufferLength: number;
  readonly dataInBufferLength: number;
  server: unknown = undefined;
  readonly cmdSN: number;
  readonly immediate: boolean;
  phase: TaskPhase = 'early';
  /** Bytes counted against the session's and the node's budget. */
  charge = 0;
  /** Commands with the W bit. */
  dataOut: DataOut | undefined = undefined;
  fault: TransportFault | NoRoom | undefined = undefined;
  private readonly owner: TaskOwner;

  constructor(
    owner: TaskOwner,
    command: {
      readonly lunHigh: number;
      readonly lunLow: number;
      readonly tag: number;
      readonly attribute: TaskAttribute;
      readonly cdb: Uint8Array;
      readonly arrivedAt: number;
      readonly dataOutBufferLength: number;
      readonly dataInBufferLength: number;
      readonly cmdSN: number;
      readonly immediate: boolean;
    },
  ) {
    this.owner = owner;
    this.lunHigh = command.lunHigh;
    this.lunLow = command.lunLow;
    this.tag = command.tag;
    this.attribute = command.attribute;
    this.cdb = command.cdb;
    this.arrivedAt = command.arrivedAt;
    this.dataOutBufferLength = command.dataOutBufferLength;
    this.dataInBufferLength = command.dataInBufferLength;
    this.cmdSN = command.cmdSN;
    this.immediate = command.immediate;
  }

  receiveDataOut(length: number): void {
    this.owner.receiveDataOut(this, length);
  }

  complete(status: Status, sense: Uint8Array | undefined, dataIn: Loan | undefined): void {
    this.owner.complete(this, status, sense, dataIn);
  }

  abandoned(): void {
    this.owner.abandoned(this);
  }
}
