/**
 * A target for tests of the initiator, from the RFC's figures alone and not from the product's codecs: a byte stream that
 * answers what is sent to it, as `answers` says, and can be told to be silent or to end.
 */

import type { ByteStream, StreamHandlers } from '../../ports/byte-stream.ts';
import { rawPdu, text } from '../../iscsi/testing/raw-pdu.ts';

export interface FakeAnswer {
  readonly status?: number;
  /** Fixed format: key, ASC, ASCQ. */
  readonly sense?: readonly [key: number, asc: number, ascq: number];
  readonly data?: Uint8Array;
}

export interface SentPdu {
  readonly opcode: number;
  readonly flags: number;
  readonly data: Uint8Array;
  word(offset: number): number;
}

const UNIT = [0x60, 0x24, 0xc5, 0x30, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const WINDOW = 8;
const CHECK_CONDITION = 2;

export class FakeTarget implements ByteStream {
  readonly localAddress = '192.0.2.9:40000';
  readonly remoteAddress = '192.0.2.1:3260';
  readonly backlog = 0;
  readonly sent: SentPdu[] = [];
  /** Opcodes of SCSI commands, in the order of their coming. */
  readonly commands: number[] = [];
  isSilent = false;
  ended: 'open' | 'closed' | 'aborted' = 'open';
  /** By operation code; undefined: no answer. */
  answers: (opcode: number, pdu: SentPdu) => FakeAnswer | undefined = () => ({});
  /** Bytes asked for by R2Ts, one after the other; the rest came with the command. */
  burst = 0;
  #handlers: StreamHandlers | undefined;
  #statSN = 100;
  #cmdSN = 1;
  readonly #writes = new Map<number, { readonly pdu: SentPdu; received: number; readonly total: number }>();

  start(handlers: StreamHandlers): void {
    this.#handlers = handlers;
  }

  send(segments: readonly Uint8Array[]): boolean {
    const bytes = Uint8Array.from(segments.flatMap((segment) => [...segment]));
    const view = new DataView(bytes.buffer);
    const pdu: SentPdu = {
      opcode: bytes[0]! & 0x3f,
      flags: bytes[1]!,
      data: bytes.subarray(48, 48 + (view.getUint32(4) & 0xffffff)),
      word: (offset) => view.getUint32(offset),
    };
    this.sent.push(pdu);
    if (!this.isSilent) void Promise.resolve().then(() => this.ended === 'open' && this.#answer(pdu));
    return true;
  }

  requestTurnEnd(): void {}
  pause(): void {}
  resume(): void {}

  close(): void {
    this.ended = 'closed';
  }

  abort(): void {
    this.ended = 'aborted';
  }

  /** The target's side ends. */
  hangUp(): void {
    this.ended = 'closed';
    this.#handlers?.onClosed(undefined);
  }

  /** A PDU of the target's own will. */
  feed(opcode: number, words: Readonly<Record<number, number>>, data?: Uint8Array, flags = 0x80): void {
    const numbers = { 28: this.#cmdSN, 32: this.#cmdSN + WINDOW };
    const word0 = ((opcode << 24) | (flags << 16)) >>> 0;
    this.#put(rawPdu({ word0, words: { ...numbers, ...words }, ...(data === undefined ? {} : { data }) }));
  }

  get nextStatSN(): number {
    return this.#statSN;
  }

  #put(bytes: Uint8Array): void {
    const buffer = bytes.slice();
    const view = new DataView(buffer.buffer);
    const nothing = (): void => undefined;
    const received = { buffer, view, start: 0, end: buffer.length, retain: nothing, release: nothing };
    this.#handlers?.onBytes(received);
  }

  #answer(pdu: SentPdu): void {
    const tag = pdu.word(16);
    if (pdu.opcode === 0x03) {
      const words = { 8: pdu.word(8), 12: pdu.word(12) + 1, 16: tag, 24: this.#statSN++ };
      this.feed(0x23, words, text(['MaxRecvDataSegmentLength=8192', 'FirstBurstLength=8192']), 0x87);
    } else if (pdu.opcode === 0x00 && tag !== 0xffffffff) {
      this.feed(0x20, { 16: tag, 20: 0xffffffff, 24: this.#statSN++ });
    } else if (pdu.opcode === 0x01) this.#onCommand(pdu);
    else if (pdu.opcode === 0x05) this.#onDataOut(tag, pdu.data.length, (pdu.flags & 0x80) !== 0);
  }

  #onCommand(pdu: SentPdu): void {
    this.#cmdSN++;
    this.commands.push(pdu.word(32) >>> 24);
    const total = (pdu.flags & 0x20) === 0 ? 0 : pdu.word(20);
    this.#writes.set(pdu.word(16), { pdu, received: pdu.data.length, total });
    this.#onDataOut(pdu.word(16), 0, true);
  }

  #onDataOut(tag: number, length: number, isFinal: boolean): void {
    const write = this.#writes.get(tag)!;
    write.received += length;
    if (!isFinal) return;
    if (write.received < write.total) {
      const desired = Math.min(this.burst, write.total - write.received);
      return this.feed(0x31, { 16: tag, 20: 77, 24: this.#statSN, 40: write.received, 44: desired });
    }
    this.#writes.delete(tag);
    this.#end(write.pdu);
  }

  #end(pdu: SentPdu): void {
    const opcode = pdu.word(32) >>> 24;
    const answer = this.answers(opcode, pdu);
    if (answer === undefined) return;
    const tag = pdu.word(16);
    const { sense, data = usualData(opcode) } = answer;
    if (sense === undefined && data !== undefined)
      return this.feed(0x25, { 16: tag, 20: 0xffffffff, 24: this.#statSN++ }, data, 0x81);
    const bytes = new Uint8Array(20);
    const [key, asc, ascq] = sense ?? [0, 0, 0];
    bytes.set([0, 18, 0x70, 0, key, 0, 0, 0, 0, 10]);
    bytes.set([asc, ascq], 14);
    const status = sense === undefined ? (answer.status ?? 0) : CHECK_CONDITION;
    const numbers = { 24: this.#statSN++, 28: this.#cmdSN, 32: this.#cmdSN + WINDOW };
    const response = { word0: 0x21800000 | status, words: { 16: tag, ...numbers } };
    this.#put(rawPdu(sense === undefined ? response : { ...response, data: bytes }));
  }
}

/** A unit of 8 MiB with blocks of 4096 bytes, in target port group 1. */
function usualData(opcode: number): Uint8Array | undefined {
  switch (opcode) {
    case 0x12:
      return Uint8Array.from([0, 0x83, 0, 28, 1, 3, 0, 16, ...UNIT, 1, 0x15, 0, 4, 0, 0, 0, 1]);
    case 0x9e:
      return Uint8Array.from([0, 0, 0, 0, 0, 0, 7, 255, 0, 0, 16, 0]);
    case 0xa3:
      return Uint8Array.from([0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]);
    case 0x88:
      return new Uint8Array(4096);
    default:
      return undefined;
  }
}
