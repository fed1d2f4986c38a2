/**
 * A peer that need not keep to any rule: a socket from an address of its own choice, PDUs by hand, and as much of an
 * initiator as it takes to get in.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fromText, rawPdu, text } from '../../../src/iscsi/testing/raw-pdu.ts';

const BHS_LENGTH = 48;
const ANSWER_LIMIT_MS = 10_000;
const LOGIN_RESPONSE = 0x23;
const GENEROUS = ['InitialR2T=No', 'ImmediateData=Yes', 'MaxBurstLength=1048576', 'FirstBurstLength=65536'];

export interface Response {
  readonly opcode: number;
  /** SCSI status, or class of a Login Response at offset 36. */
  word(offset: number): number;
  readonly data: Buffer;
}

export interface PeerLogin {
  /** Undefined: a discovery session. */
  readonly target: string | undefined;
  readonly initiator?: string;
  readonly isid?: number;
}

export class Peer {
  readonly socket: Socket;
  /** Bytes received. */
  received = 0;
  private rest: Buffer = Buffer.alloc(0);
  private readonly responses: Response[] = [];
  private wake: () => void = () => undefined;
  private cmdSN = 1;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', () => this.wake());
    socket.on('data', (bytes) => this.onData(bytes));
  }

  static async connect(port: number, source = '127.0.0.1'): Promise<Peer> {
    const socket = connect({ host: '127.0.0.1', port, localAddress: source, noDelay: true });
    await once(socket, 'connect');
    return new Peer(socket);
  }

  get closed(): boolean {
    return this.socket.destroyed;
  }

  send(...pdus: readonly Uint8Array[]): void {
    if (this.socket.writable) this.socket.write(Buffer.concat(pdus));
  }

  /** The one Login Request of a login without questions. */
  loginRequest({ target, initiator = 'iqn.2026-01.test:hostile', isid = 1 }: PeerLogin): Uint8Array {
    const session = target === undefined ? 'SessionType=Discovery' : `TargetName=${target}`;
    return rawPdu({
      word0: 0x43870000,
      words: { 8: 0x80abcdef, 12: isid << 16, 16: 7, 24: this.cmdSN },
      data: text([`InitiatorName=${initiator}`, session, ...(target === undefined ? [] : GENEROUS)]),
    });
  }

  /** Status class and detail; undefined when the connection ended instead. */
  async login(login: PeerLogin): Promise<number | undefined> {
    this.send(this.loginRequest(login));
    const response = await this.response(LOGIN_RESPONSE);
    return response === undefined ? undefined : response.word(36) >>> 16;
  }

  /** CHAP with MD5 (RFC 7143 §12.1.3). Status class and detail; undefined when the connection ended instead. */
  async loginWithSecret(login: PeerLogin, user: string, secret: string): Promise<number | undefined> {
    const { target = '', initiator = 'iqn.2026-01.test:hostile' } = login;
    const offer = [`InitiatorName=${initiator}`, `TargetName=${target}`, 'AuthMethod=CHAP'];
    let challenge: readonly string[] = [];
    for (const pairs of [offer, ['CHAP_A=5'], undefined]) {
      const answer = pairs ?? [`CHAP_N=${user}`, `CHAP_R=0x${respond(challenge, secret)}`];
      this.send(
        rawPdu({
          word0: pairs === undefined ? 0x43810000 : 0x43000000,
          words: { 8: 0x80abcdef, 12: 1 << 16, 16: 7, 24: this.cmdSN },
          data: text(answer),
        }),
      );
      const response = await this.response(LOGIN_RESPONSE);
      if (response === undefined) return undefined;
      const status = response.word(36) >>> 16;
      if (status !== 0) return status;
      challenge = fromText(response.data);
    }
    return 0;
  }

  /** READ (10) or WRITE (10) of so many 512-byte blocks, without data. */
  transfer(kind: 'read' | 'write', tag: number, lba: number, blocks: number): Uint8Array {
    const opcode = kind === 'read' ? 0x28 : 0x2a;
    const flags = kind === 'read' ? 0xc1 : 0xa1;
    return rawPdu({
      word0: (0x01000000 | (flags << 16)) >>> 0,
      words: {
        16: tag,
        20: blocks * 512,
        24: this.cmdSN++,
        32: (opcode << 24) | (lba >>> 16),
        36: (((lba & 0xffff) << 16) | (blocks >>> 16)) >>> 0,
        40: ((blocks & 0xffff) << 16) >>> 0,
      },
    });
  }

  /** The next response of this kind; what comes before it is forgotten. */
  async response(opcode: number): Promise<Response | undefined> {
    const until = performance.now() + ANSWER_LIMIT_MS;
    for (;;) {
      for (let next = this.responses.shift(); next !== undefined; next = this.responses.shift()) {
        if (next.opcode === opcode) return next;
      }
      if (this.closed) return undefined;
      if (performance.now() > until) throw new Error(`no PDU ${opcode.toString(16)} within 10 s`);
      await this.something();
    }
  }

  private something(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, 1000);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private onData(bytes: Buffer): void {
    this.received += bytes.length;
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    while (this.rest.length >= BHS_LENGTH) {
      const header = this.rest;
      const length = header.readUInt32BE(4) & 0xffffff;
      const end = BHS_LENGTH + Math.ceil(length / 4) * 4;
      if (header.length < end) break;
      this.rest = header.subarray(end);
      this.responses.push({
        opcode: header[0]! & 0x3f,
        word: (offset) => header.readUInt32BE(offset),
        data: header.subarray(BHS_LENGTH, BHS_LENGTH + length),
      });
    }
    this.wake();
  }
}

function respond(challenge: readonly string[], secret: string): string {
  const valueOf = (key: string): string =>
    challenge.find((pair) => pair.startsWith(`${key}=`))?.slice(key.length + 1) ?? '';
  return createHash('md5')
    .update(Buffer.of(Number(valueOf('CHAP_I'))))
    .update(secret)
    .update(Buffer.from(valueOf('CHAP_C').slice(2), 'hex'))
    .digest('hex');
}
