/**
 * One iSCSI session of one connection (RFC 7143, ErrorRecoveryLevel 0) as an initiator keeps it.
 *
 *   login ──answered──► up ──closed, silent, a command without an answer in time, a wrong PDU──► over
 *
 * 1. When it is over, each command under way is given back at once, unanswered: it may have been done, and may be under
 *    way still. No session gives up before `commandMsMax`, unless its connection has ended.
 * 2. Numbers are checked: an answer out of order or to no command ends the session.
 */

import { serialAdd, serialLess } from '../base/serial-number.ts';
import type { ByteStream, ReceivedBytes } from '../ports/byte-stream.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Crc32c } from '../ports/crypto.ts';
import { Framing, type Pdu } from '../iscsi/framing.ts';
import { dataLengthOf, opcodeOf, RESERVED_TAG, ResponseOpcode } from '../iscsi/pdu/bhs.ts';
import { joinSegments } from '../iscsi/segments.ts';
import type { ScsiRequest } from './commands.ts';
import {
  type Agreed,
  agreedIn,
  FULL_FEATURE_PHASE,
  loginText,
  OPERATIONAL_STAGE,
  RECEIVE_SEGMENT_MAX,
} from './login.ts';
import * as pdu from './pdu.ts';
import type { ScsiAnswer } from './verdict.ts';

export interface SessionTimes {
  readonly loginMsMax: number;
  readonly pingEveryMs: number;
  /** Without a sign of life for so long it is over. */
  readonly silentMsMax: number;
  /** A command without an answer for so long ends it. */
  readonly commandMsMax: number;
}

export interface SessionOptions {
  readonly stream: ByteStream;
  readonly clock: Clock;
  readonly crc32c: Crc32c;
  readonly initiatorName: string;
  readonly targetName: string;
  /** RFC 7143 §11.12.5, of the random kind: 24 bits and 16 bits. */
  readonly isid: { readonly random: number; readonly qualifier: number };
  readonly times: SessionTimes;
  onUp(): void;
  /** Once, before commands under way are given back. */
  onOver(why: string): void;
}

/** Undefined: the session ended before the answer. */
export type Done = (answer: ScsiAnswer | undefined) => void;

interface Outstanding {
  readonly request: ScsiRequest;
  readonly done: Done;
  readonly sentAt: number;
  /** What a READ has brought so far. */
  readonly data: Uint8Array;
  received: number;
}

const LUN_ZERO = 0;
const LOGIN_ROUNDS_MAX = 4;
const LOOK_MS = 100;
/** Looking so late, it was this process that stood still: what has come meanwhile is heard first. */
const LATE_MS = 500;
const LOGOUT_LINGER_MS = 1000;
const NOTHING = new Uint8Array(0);

export class Session {
  readonly #options: SessionOptions;
  readonly #framing: Framing;
  readonly #startedAt: number;
  #state: 'login' | 'up' | 'over' = 'login';
  #agreed: Agreed | undefined;
  #loginText: Uint8Array[] = [];
  #loginRounds = 0;
  #cmdSN = 1;
  #maxCmdSN = 0;
  #expStatSN = 0;
  #nextTag = 1;
  readonly #outstanding = new Map<number, Outstanding>();
  /** Beyond the target's window. */
  readonly #waiting: { readonly request: ScsiRequest; readonly done: Done; readonly since: number }[] = [];
  #heardAt: number;
  #pingedAt: number;
  #lookedAt: number;
  #timer: Timer;

  constructor(options: SessionOptions) {
    const { stream, clock, crc32c } = options;
    this.#options = options;
    this.#startedAt = this.#heardAt = this.#pingedAt = this.#lookedAt = clock.now();
    this.#framing = new Framing(
      {
        dataLengthMax: () => RECEIVE_SEGMENT_MAX,
        onPdu: (received) => {
          this.#receive(received);
          return this.#state !== 'over';
        },
      },
      crc32c,
    );
    this.#timer = clock.after(LOOK_MS, () => this.#look());
    stream.start({
      onBytes: (received) => this.#onBytes(received),
      onDrained: () => undefined,
      onTurnEnd: () => undefined,
      onClosed: (cause) => this.#end(cause ?? 'the target closed the connection'),
    });
    this.#login(loginText(options.initiatorName, options.targetName));
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** Commands sent or waiting, and not answered. */
  get commands(): number {
    return this.#outstanding.size + this.#waiting.length;
  }

  /** Only while up. */
  send(request: ScsiRequest, done: Done): void {
    if (this.#state !== 'up') return done(undefined);
    this.#waiting.push({ request, done, since: this.#options.clock.now() });
    this.#sendWaiting();
  }

  /** Ends it at once; `why` is passed on. */
  abandon(why: string): void {
    this.#end(why);
  }

  /** In order, with nothing under way. */
  close(): void {
    if (this.#state === 'up') {
      this.#put(pdu.encodeLogout(this.#takeTag(), this.#numbers()));
      this.#options.stream.close(LOGOUT_LINGER_MS);
      this.#over('logged out');
    } else this.#end('logged out');
  }

  #login(text: Uint8Array): void {
    this.#loginRounds++;
    const { random, qualifier } = this.#options.isid;
    const login = pdu.encodeLogin({
      isidHigh: (0x8000_0000 | random) >>> 0,
      isidLow: qualifier,
      currentStage: OPERATIONAL_STAGE,
      nextStage: FULL_FEATURE_PHASE,
      dataLength: text.length,
      ...this.#numbers(),
    });
    this.#put(login, text);
  }

  #onBytes(received: ReceivedBytes): void {
    if (this.#state === 'over') return;
    this.#heardAt = this.#options.clock.now();
    const fault = this.#framing.push(received);
    if (fault !== undefined) this.#end(`the target's bytes make no PDUs: ${fault}`);
  }

  #receive(received: Pdu): void {
    const { view, at } = received;
    const opcode = opcodeOf(view, at);
    if (this.#state === 'login') {
      if (opcode === ResponseOpcode.login) this.#onLogin(received);
      else this.#end('something else than an answer to the login');
      return;
    }
    this.#noteWindow(pdu.decodeNumbers(view, at));
    switch (opcode) {
      case ResponseOpcode.scsiResponse:
        return this.#onResponse(received);
      case ResponseOpcode.dataIn:
        return this.#onDataIn(received);
      case ResponseOpcode.r2t:
        return this.#onReady(received);
      case ResponseOpcode.nopIn:
        return this.#onNopIn(received);
      case ResponseOpcode.logout:
        return;
      case ResponseOpcode.asyncMessage:
        if (this.#isNext(received)) this.#onAsyncMessage(view.getUint8(at + 36));
        return;
      default:
        return this.#end(`the target sent opcode ${opcode.toString(16)}h`);
    }
  }

  #onLogin({ view, at, segments }: Pdu): void {
    const answer = pdu.decodeLogin(view, at);
    const numbers = pdu.decodeNumbers(view, at);
    if (answer.statusClass !== 0)
      return this.#end(`the login was refused, ${answer.statusClass}/${answer.statusDetail}`);
    this.#expStatSN = serialAdd(numbers.statSN, 1);
    this.#loginText.push(joinSegments(segments));
    const isLast = answer.isTransit && answer.nextStage === FULL_FEATURE_PHASE;
    if (!isLast)
      return this.#loginRounds < LOGIN_ROUNDS_MAX ? this.#login(NOTHING) : this.#end('the login has no end');
    const agreed = agreedIn(joinSegments(this.#loginText));
    if (!agreed.ok) return this.#end(agreed.fault);
    this.#agreed = agreed.value;
    this.#maxCmdSN = numbers.maxCmdSN;
    this.#state = 'up';
    this.#options.onUp();
  }

  #onResponse(received: Pdu): void {
    if (!this.#isNext(received)) return;
    const { tag, response, status } = pdu.decodeCommandAnswer(received.view, received.at);
    const command = this.#finish(tag);
    if (command === undefined) return;
    if (response !== 0) return this.#end('the target failed to complete a command', command);
    const data = joinSegments(received.segments);
    const sense = data.length < 2 ? NOTHING : data.subarray(2, 2 + data[0]! * 256 + data[1]!);
    command.done({ status, sense, data: command.data.subarray(0, command.received) });
    this.#sendWaiting();
  }

  #onDataIn(received: Pdu): void {
    const { tag, status, bufferOffset } = pdu.decodeDataIn(received.view, received.at);
    if (status !== undefined && !this.#isNext(received)) return;
    const command = this.#outstanding.get(tag);
    if (command === undefined) return this.#end('data for a command that nobody sent');
    if (bufferOffset !== command.received || bufferOffset + received.dataLength > command.data.length)
      return this.#end('data that was not asked for');
    for (const segment of received.segments) {
      command.data.set(segment, command.received);
      command.received += segment.length;
    }
    if (status === undefined) return;
    this.#finish(tag);
    command.done({ status, sense: NOTHING, data: command.data.subarray(0, command.received) });
    this.#sendWaiting();
  }

  #onReady({ view, at }: Pdu): void {
    const { tag, targetTransferTag, bufferOffset, desiredLength } = pdu.decodeReady(view, at);
    const data = this.#outstanding.get(tag)?.request.write;
    if (data === undefined || bufferOffset + desiredLength > data.length)
      return this.#end('the target asks for data that there is not');
    const end = bufferOffset + desiredLength;
    const length = this.#agreed!.sendSegmentMax;
    for (let offset = bufferOffset, dataSN = 0; offset < end; offset += length, dataSN++) {
      const part = data.subarray(offset, Math.min(end, offset + length));
      const isFinal = offset + part.length === end;
      const fields = { tag, lunHigh: LUN_ZERO, targetTransferTag, dataSN, bufferOffset: offset, isFinal };
      this.#put(pdu.encodeDataOut({ ...fields, ...this.#numbers(), dataLength: part.length }), part);
    }
  }

  #onNopIn(received: Pdu): void {
    const ping = pdu.decodeNopIn(received.view, received.at);
    // A ping of the target's own has the next StatSN and does not take it.
    if (ping.tag !== RESERVED_TAG && !this.#isNext(received)) return;
    if (pdu.asksForAnswer(ping))
      this.#put(pdu.encodeNopOut({ ...ping, tag: RESERVED_TAG, ...this.#numbers() }));
  }

  /** RFC 7143 §11.9.1: 0 is sense; with 1 to 3 the target wants to be left, or leaves. */
  #onAsyncMessage(event: number): void {
    if (event === 1 && this.commands === 0) this.close();
    else if (event === 2 || event === 3) this.#end('the target ends the session');
  }

  #finish(tag: number): Outstanding | undefined {
    const command = this.#outstanding.get(tag);
    if (command === undefined) this.#end('an answer to a command that nobody sent');
    this.#outstanding.delete(tag);
    return command;
  }

  /** Notes StatSN of an answer that has one. */
  #isNext({ view, at }: Pdu): boolean {
    const { statSN } = pdu.decodeNumbers(view, at);
    if (statSN !== this.#expStatSN) {
      this.#end(`StatSN ${statSN} instead of ${this.#expStatSN}`);
      return false;
    }
    this.#expStatSN = serialAdd(statSN, 1);
    return true;
  }

  /** RFC 7143 §4.2.2.1. */
  #noteWindow({ expCmdSN, maxCmdSN }: pdu.ResponseNumbers): void {
    if (serialLess(maxCmdSN, serialAdd(expCmdSN, -1))) return;
    if (serialLess(this.#maxCmdSN, maxCmdSN)) this.#maxCmdSN = maxCmdSN;
  }

  #sendWaiting(): void {
    while (this.#state === 'up' && !serialLess(this.#maxCmdSN, this.#cmdSN)) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#sendCommand(next.request, next.done);
    }
  }

  #sendCommand(request: ScsiRequest, done: Done): void {
    const { cdb, read = 0, write } = request;
    const { hasImmediateData, firstBurst, sendSegmentMax } = this.#agreed!;
    const tag = this.#takeTag();
    const sentAt = this.#options.clock.now();
    this.#outstanding.set(tag, { request, done, sentAt, data: new Uint8Array(read), received: 0 });
    const immediate = hasImmediateData ? write?.subarray(0, Math.min(firstBurst, sendSegmentMax)) : undefined;
    const command = pdu.encodeCommand({
      tag,
      lunHigh: LUN_ZERO,
      cdb,
      direction: write === undefined ? (read > 0 ? 'read' : 'none') : 'write',
      expectedLength: write?.length ?? read,
      immediateLength: immediate?.length ?? 0,
      ...this.#numbers(),
    });
    this.#cmdSN = serialAdd(this.#cmdSN, 1);
    this.#put(command, immediate);
  }

  #takeTag(): number {
    const tag = this.#nextTag;
    this.#nextTag = serialAdd(tag, 1) === RESERVED_TAG ? 1 : serialAdd(tag, 1);
    return tag;
  }

  #numbers(): pdu.RequestNumbers {
    return { cmdSN: this.#cmdSN, expStatSN: this.#expStatSN };
  }

  #put(header: Uint8Array, data: Uint8Array = NOTHING): void {
    const segments = [header];
    if (data.length > 0) segments.push(data);
    const padding = -dataLengthOf(new DataView(header.buffer), 0) & 3;
    if (padding > 0) segments.push(new Uint8Array(padding));
    this.#options.stream.send(segments);
  }

  #look(): void {
    const { clock, times } = this.#options;
    const now = clock.now();
    const isLate = now - this.#lookedAt > LATE_MS;
    this.#lookedAt = now;
    this.#timer = clock.after(LOOK_MS, () => this.#look());
    if (isLate) return;
    if (this.#state === 'login') {
      if (now - this.#startedAt > times.loginMsMax) this.#end('no answer to the login');
      return;
    }
    const [oldest] = this.#outstanding.values();
    const since = Math.min(oldest?.sentAt ?? now, this.#waiting[0]?.since ?? now);
    if (now - since > times.commandMsMax) return this.#end('no answer to a command');
    if (now - this.#heardAt > times.silentMsMax) return this.#end('no sign of life');
    if (now - Math.max(this.#heardAt, this.#pingedAt) <= times.pingEveryMs) return;
    this.#pingedAt = now;
    const ping = { tag: this.#takeTag(), targetTransferTag: RESERVED_TAG, lunHigh: 0, lunLow: 0 };
    this.#put(pdu.encodeNopOut({ ...ping, ...this.#numbers() }));
  }

  #end(why: string, unanswered?: Outstanding): void {
    if (this.#state === 'over') return unanswered?.done(undefined);
    this.#options.stream.abort();
    this.#over(why, unanswered);
  }

  #over(why: string, unanswered?: Outstanding): void {
    this.#state = 'over';
    this.#timer.cancel();
    this.#framing.close();
    const lost = [...this.#outstanding.values(), ...this.#waiting];
    this.#outstanding.clear();
    this.#waiting.length = 0;
    this.#options.onOver(why);
    for (const { done } of lost) done(undefined);
    unanswered?.done(undefined);
  }
}
