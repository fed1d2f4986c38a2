/** Commands of initiators on a MirrorNode: what the SCSI layer does in the product. */

import { fail, ok, type Result } from '../../src/base/result.ts';
import { copyOf } from '../../src/base/segments.ts';
import type { MirrorNode } from '../../src/engine/mirror/mirror-node.ts';
import type { DeviceFault, Ticket } from '../../src/ports/block-device.ts';
import type { Operation } from '../../src/replication/operation.ts';
import { decodeBlocks, encodeBlocks } from '../../src/judge/block-codec.ts';
import type { Answer, Command, Session } from '../storage.ts';
import { DATA_DEVICE, NEW_DEVICE, type WorkloadShape } from '../worker.ts';
import { BLOCK_LENGTH, lbaOf, newBlocksOf, newLbaOf, RESERVED_LBA } from './mirror-layout.ts';
import { createReservations, type ReservationsState } from './reservations.ts';

type Done = (answer: Answer) => void;

const GOOD: Answer = { status: 'good', values: [] };

export class MirrorCommands {
  readonly #node: MirrorNode;
  readonly #shape: WorkloadShape;
  readonly #served: () => void;
  readonly #blockCount: () => number;

  /** `blockCount`: of the device, as this node has been told. */
  constructor(node: MirrorNode, shape: WorkloadShape, served: () => void, blockCount: () => number) {
    this.#node = node;
    this.#shape = shape;
    this.#served = served;
    this.#blockCount = blockCount;
  }

  perform(session: Session, ticket: Ticket, device: number, command: Command, done: Done): void {
    const { replica } = this.#node;
    if (command.kind === 'testUnitReady')
      return done(this.#node.state.isServing ? GOOD : { status: 'unavailable' });
    if (device === NEW_DEVICE) return this.#onNewBlocks(ticket, command, done);
    if (device !== DATA_DEVICE) return this.#reservation(session, ticket, command, done);
    const finish = (result: Result<void, DeviceFault>): void => done(this.#answer(result));
    switch (command.kind) {
      case 'read':
        return this.#read(ticket, this.#lba(command.lba), command.blocks, done);
      case 'write':
        return replica.mutate(ticket, this.#write(this.#lba(command.lba), command.values), finish);
      case 'unmap':
        return replica.mutate(
          ticket,
          { kind: 'unmap', lba: this.#lba(command.lba), blocks: command.blocks },
          finish,
        );
      case 'flush':
        return replica.flush(ticket, finish);
      case 'compareAndWrite':
        return this.#compareAndWrite(ticket, command, done);
      default:
        return done({ status: 'unavailable' });
    }
  }

  #read(ticket: Ticket, lba: number, blocks: number, done: Done): void {
    this.#node.replica.read(ticket, lba, blocks, (result) => {
      if (!result.ok) return done(this.#answer(result));
      const values = decodeBlocks(copyOf(result.value.segments), BLOCK_LENGTH);
      result.value.release();
      this.#served();
      done({ status: 'good', values });
    });
  }

  #onNewBlocks(ticket: Ticket, command: Command, done: Done): void {
    if (command.kind === 'readCapacity')
      return this.#confirmed(ticket, done, () => ({
        status: 'good',
        values: [newBlocksOf(this.#blockCount())],
      }));
    if (command.kind !== 'read' && command.kind !== 'write') return done({ status: 'unavailable' });
    const blocks = command.kind === 'read' ? command.blocks : command.values.length;
    if (command.lba + blocks > newBlocksOf(this.#blockCount()))
      return this.#confirmed(ticket, done, () => ({
        // The next configuration may just have made it larger.
        status: command.lba + blocks > newBlocksOf(this.#blockCount()) ? 'outOfRange' : 'unavailable',
      }));
    const lba = newLbaOf(command.lba);
    if (command.kind === 'read') return this.#read(ticket, lba, blocks, done);
    this.#node.replica.mutate(ticket, this.#write(lba, command.values), (result) =>
      done(this.#answer(result)),
    );
  }

  /** Like every read: only what no other node can have changed. */
  #confirmed(ticket: Ticket, done: Done, answer: () => Answer): void {
    const { replica } = this.#node;
    replica.enqueue({
      ticket,
      canBegin: () => true,
      begin: () => {
        const answered = answer();
        replica.confirm((stands) => {
          if (stands) this.#served();
          done(stands ? answered : { status: 'unavailable' });
        });
      },
      refuse: () => done({ status: 'unavailable' }),
    });
  }

  #compareAndWrite(
    ticket: Ticket,
    { lba, expected, values }: Extract<Command, { kind: 'compareAndWrite' }>,
    done: Done,
  ): void {
    const { replica } = this.#node;
    const extent = { lba: this.#lba(lba), blocks: values.length };
    let isMiscompare = false;
    const decide = async (): Promise<Result<Operation | undefined, DeviceFault>> => {
      const read = await replica.reads.current(extent.lba, extent.blocks);
      if (!read.ok) return read;
      const found = decodeBlocks(copyOf(read.value.segments), BLOCK_LENGTH);
      read.value.release();
      isMiscompare = found.join() !== expected.join();
      return ok(isMiscompare ? undefined : this.#write(extent.lba, values));
    };
    replica.modify(ticket, [extent], decide, (result) => {
      if (result.ok && isMiscompare) {
        this.#served();
        return done({ status: 'miscompare' });
      }
      done(this.#answer(result));
    });
  }

  #reservation(session: Session, ticket: Ticket, command: Command, done: Done): void {
    const { replica } = this.#node;
    if (command.kind === 'write') return this.#reservedWrite(session, ticket, command.values, done);
    if (command.kind === 'readReservation') {
      return replica.enqueue({
        ticket,
        canBegin: () => this.#node.isDocumentSettled('reservations'),
        begin: () => {
          const answer = this.#reservations().perform(session, command, false);
          // Like every read: only what no other node can have changed.
          replica.confirm((stands) => {
            if (!stands) return done({ status: 'unavailable' });
            this.#served();
            done(answer);
          });
        },
        refuse: () => done({ status: 'unavailable' }),
      });
    }
    let answer: Answer = GOOD;
    const decide = (before: Uint8Array | undefined): Uint8Array | undefined => {
      const reservations = createReservations(false, before === undefined ? undefined : decodeState(before));
      answer = reservations.perform(session, command, false);
      return answer.status === 'good' ? encodeState(reservations.state) : undefined;
    };
    this.#node.changeDocument(ticket, 'reservations', decide, (result) =>
      done(result.ok ? answer : this.#answer(result)),
    );
  }

  #reservedWrite(session: Session, ticket: Ticket, values: readonly number[], done: Done): void {
    const { replica } = this.#node;
    const data = [encodeBlocks(values.slice(0, 1), BLOCK_LENGTH)];
    replica.enqueue({
      ticket,
      canBegin: () => replica.mayChange(RESERVED_LBA, 1) && this.#node.isDocumentSettled('reservations'),
      begin: () => {
        const allowed = this.#reservations().perform(session, { kind: 'write', lba: 0, values: [] }, false);
        if (allowed.status !== 'good')
          return replica.confirm((stands) => done(stands ? allowed : { status: 'unavailable' }));
        replica.writes.begin({ kind: 'write', lba: RESERVED_LBA, blocks: 1, data }, (result) =>
          done(this.#answer(result)),
        );
      },
      refuse: (fault) => done(this.#answer(fail(fault))),
    });
  }

  #reservations(): ReturnType<typeof createReservations> {
    const bytes = this.#node.document('reservations');
    return createReservations(false, bytes === undefined ? undefined : decodeState(bytes));
  }

  #answer(result: Result<unknown, DeviceFault>): Answer {
    if (result.ok) {
      if (this.#node.state.isServing) this.#served();
      return GOOD;
    }
    switch (result.fault.kind) {
      case 'mediumError':
      case 'noSpace':
        return { status: 'mediumError' };
      case 'miscompare':
        return { status: 'miscompare' };
      default:
        return { status: 'unavailable' };
    }
  }

  #write(lba: number, values: readonly number[]): Operation {
    const data = [encodeBlocks(values, BLOCK_LENGTH)];
    return { kind: 'write', lba, blocks: values.length, data };
  }

  #lba(lba: number): number {
    return lbaOf(lba, this.#shape);
  }
}

function encodeState(state: ReservationsState): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(state));
}

function decodeState(bytes: Uint8Array): ReservationsState {
  return JSON.parse(new TextDecoder().decode(bytes)) as ReservationsState;
}
