/** A tiny initiator for tests: logs in by hand, numbers its commands, and shows every response as it came. */

import { crc32c } from '../../base/crc32c.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import { DEFAULT_LIMITS, type NegotiationLimits } from '../login/parameters.ts';
import {
  createIscsiNode,
  type Handoff,
  type IscsiNode,
  type IscsiNodeOptions,
  type IscsiTarget,
} from '../target.ts';
import { MemoryStream } from './memory-stream.ts';
import { type Digests, rawPdu, type RawRequest, type RawResponse, rawResponses, text } from './raw-pdu.ts';
import { ScriptedDevice } from './scripted-device.ts';

export const TARGET = 'iqn.2026-01.test.lockstep:disk';
export const INITIATOR = 'iqn.2026-01.test.initiator:one';

/** Time that only moves when told. */
export class ManualClock implements Clock {
  private time = 1000;
  private timers: { readonly at: number; readonly action: () => void; cancelled: boolean }[] = [];

  now(): number {
    return this.time;
  }

  after(delayMs: number, action: () => void): Timer {
    const timer = { at: this.time + delayMs, action, cancelled: false };
    this.timers.push(timer);
    return { cancel: () => void (timer.cancelled = true) };
  }

  advance(ms: number): void {
    const until = this.time + ms;
    for (;;) {
      this.timers = this.timers.filter((timer) => !timer.cancelled);
      const due = this.timers.filter((timer) => timer.at <= until).toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.time = due.at;
      due.cancelled = true;
      due.action();
    }
    this.time = until;
  }
}

export interface Bench {
  readonly node: IscsiNode;
  readonly device: ScriptedDevice;
  readonly clock: ManualClock;
}

/** A node with one target, open to anybody. */
export function openBench(
  limits: Partial<NegotiationLimits> = {},
  options: Partial<IscsiNodeOptions> = {},
  target: Partial<IscsiTarget> = {},
): Bench {
  const clock = new ManualClock();
  const device = new ScriptedDevice();
  const anybody = { allowNone: true, chap: undefined };
  const node = createIscsiNode({
    clock,
    crypto: {
      digest: () => new Uint8Array(16),
      randomBytes: (length) => new Uint8Array(length),
      equal: () => false,
    },
    crc32c,
    trace: () => undefined,
    discovery: anybody,
    discoveryLimits: DEFAULT_LIMITS,
    sendTargetsAllInNormalSession: false,
    throttle: undefined,
    ...options,
  });
  node.addTarget({
    name: TARGET,
    alias: undefined,
    portals: [{ address: '127.0.0.1:3260', portalGroupTag: 1 }],
    availability: 'available',
    redirection: undefined,
    authentication: anybody,
    initiators: 'any',
    limits: { ...DEFAULT_LIMITS, ...limits },
    scsi: device,
    ...target,
  });
  return { node, device, clock };
}

export interface LoginOptions {
  readonly keys?: readonly string[];
  readonly isid?: number;
  readonly tsih?: number;
  readonly cid?: number;
  readonly cmdSN?: number;
  readonly discovery?: boolean;
  readonly initiatorName?: string;
}

export class RawInitiator {
  readonly stream = new MemoryStream();
  readonly bench: Bench;
  digests: Digests = { header: false, data: false };
  cmdSN = 1;
  expStatSN = 0;
  tsih = 0;

  constructor(bench: Bench, handoff?: Handoff) {
    this.bench = bench;
    bench.node.accept(this.stream, handoff);
  }

  /** Straight to the full feature phase; returns the Login Response, if any came. */
  login(options: LoginOptions = {}): RawResponse | undefined {
    const { keys = [], isid = 1, tsih = 0, cid = 0, cmdSN = 1, discovery = false } = options;
    const name = options.initiatorName ?? INITIATOR;
    const session = discovery ? 'SessionType=Discovery' : `TargetName=${TARGET}`;
    this.cmdSN = cmdSN;
    this.feed({
      word0: 0x43870000,
      words: { 8: 0x80123456, 12: ((isid << 16) | tsih) >>> 0, 16: 7, 20: cid << 16, 24: cmdSN, 28: 0 },
      data: text([`InitiatorName=${name}`, session, ...keys]),
    });
    const response = this.responses()[0];
    if (response !== undefined) this.loggedIn(response, keys);
    return response;
  }

  loggedIn(response: RawResponse, keys: readonly string[]): void {
    this.tsih = response.word(12) & 0xffff;
    this.expStatSN = (response.statSN + 1) >>> 0;
    this.digests = {
      header: keys.includes('HeaderDigest=CRC32C'),
      data: keys.includes('DataDigest=CRC32C'),
    };
  }

  feed(request: RawRequest): void {
    this.stream.feed(rawPdu(request, this.digests));
  }

  /** What has come since the last time, also what leaves at the end of the turn. */
  responses(): RawResponse[] {
    this.stream.endTurn();
    const found = rawResponses(this.stream.collect(), this.digests);
    return found;
  }

  /** A SCSI Command; takes the next CmdSN unless one is given or it is immediate. */
  command(command: {
    readonly itt: number;
    readonly cdb?: readonly number[];
    readonly read?: number;
    readonly write?: number;
    readonly final?: boolean;
    readonly immediate?: boolean;
    readonly cmdSN?: number;
    readonly lun?: number;
    readonly data?: Uint8Array;
    readonly attribute?: number;
    readonly ahs?: Uint8Array;
  }): void {
    const { itt, cdb = [0], read, write, final = true, immediate = false, data, attribute = 1 } = command;
    const flags =
      (final ? 0x80 : 0) | (read === undefined ? 0 : 0x40) | (write === undefined ? 0 : 0x20) | attribute;
    const cmdSN = command.cmdSN ?? this.cmdSN;
    if (command.cmdSN === undefined && !immediate) this.cmdSN = (this.cmdSN + 1) >>> 0;
    const bytes = new Uint8Array(16);
    bytes.set(cdb);
    const view = new DataView(bytes.buffer);
    this.feed({
      word0: (((immediate ? 0x41 : 0x01) << 24) | (flags << 16)) >>> 0,
      words: {
        8: (command.lun ?? 0) << 16,
        16: itt,
        20: write ?? read ?? 0,
        24: cmdSN,
        28: this.expStatSN,
        32: view.getUint32(0),
        36: view.getUint32(4),
        40: view.getUint32(8),
        44: view.getUint32(12),
      },
      ...(data === undefined ? {} : { data }),
      ...(command.ahs === undefined ? {} : { ahs: command.ahs }),
    });
  }

  dataOut(pdu: {
    readonly itt: number;
    readonly ttt?: number;
    readonly dataSN?: number;
    readonly offset: number;
    readonly final: boolean;
    readonly data: Uint8Array;
  }): void {
    const { itt, ttt = 0xffffffff, dataSN = 0, offset, final, data } = pdu;
    this.feed({
      word0: final ? 0x05800000 : 0x05000000,
      words: { 16: itt, 20: ttt, 28: this.expStatSN, 36: dataSN, 40: offset },
      data,
    });
  }

  /** Any other numbered request, immediate unless told otherwise. */
  request(request: {
    readonly opcode: number;
    readonly flags?: number;
    readonly itt: number;
    readonly words?: Readonly<Record<number, number>>;
    readonly immediate?: boolean;
    readonly data?: Uint8Array;
  }): void {
    const { opcode, flags = 0x80, itt, words = {}, immediate = true, data } = request;
    const cmdSN = this.cmdSN;
    if (!immediate) this.cmdSN = (this.cmdSN + 1) >>> 0;
    this.feed({
      word0: (((immediate ? 0x40 : 0) | opcode) << 24) | (flags << 16),
      words: { 16: itt, 24: cmdSN, 28: this.expStatSN, ...words },
      ...(data === undefined ? {} : { data }),
    });
  }
}
