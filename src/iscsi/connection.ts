/**
 * One connection from its acceptance to its end (RFC 7143 §8): login first, then the full feature phase of its session.
 *
 *   login ── final request ──► settling (an older session ends) ──► fullFeature ──► finishing ──► closed
 *     └─ refused, not a login, too late ─────────────────────────────────────────────┘
 *
 * Invariants
 *  1. A session's tasks are discarded before its connection is closed.
 *  2. Digests begin with the first PDU after the final Login Response (§13.1).
 */

import { assert } from '../base/assert.ts';
import { then } from '../base/result.ts';
import type { ByteStream, ReceivedBytes, StreamHandlers } from '../ports/byte-stream.ts';
import type { Timer } from '../ports/clock.ts';
import { openCommandWindow } from './command-window.ts';
import { onRequest } from './full-feature.ts';
import { Framing, type Pdu, type PduHandler } from './framing.ts';
import { keepAlive, lateness, type SessionGuard } from './keep-alive.ts';
import { LINGER_MS, LOGIN_DATA_SEGMENT_LENGTH_MAX, LOGIN_PHASE_MS } from './limits.ts';
import type { LoginResult, LoginStep } from './login/context.ts';
import { createLogin, type LoginState, refuseInvalidPdu, stepLogin } from './login/login.ts';
import type { LoginRequest, LoginResponse } from './login/messages.ts';
import type { NodeContext } from './node-context.ts';
import { Output } from './output.ts';
import { opcodeOf, RequestOpcode, RESERVED_TAG } from './pdu/bhs.ts';
import { decodeLoginRequest, encodeLoginResponse } from './pdu/login.ts';
import { sendPing } from './reply.ts';
import { joinSegments } from './segments.ts';
import { Sender } from './sender.ts';
import type { Session, SessionConnection } from './session.ts';

/** StatSN of the first Login Response; whoever answers the first requests for us begins there, too. */
const STAT_SN_FIRST = 0;

/** Login PDUs that somebody read and answered before: their bytes come first, their responses are not sent again. */
export interface Handoff {
  readonly answered: number;
}

type Phase =
  | { readonly kind: 'login'; readonly state: LoginState; readonly last: LoginRequest | undefined }
  | { readonly kind: 'settling' }
  | { readonly kind: 'fullFeature'; readonly session: Session; readonly stopWatching: () => void }
  | { readonly kind: 'finishing' }
  | { readonly kind: 'closed' };

export class Connection implements StreamHandlers, PduHandler, SessionConnection {
  cid = 0;
  now = 0;
  lastHeardAt = 0;
  private readonly node: NodeContext;
  private readonly stream: ByteStream;
  private readonly output: Output;
  private readonly framing: Framing;
  private readonly deadline: Timer;
  private phase: Phase;
  /** From the first Login Request on. */
  private numbered: Sender | undefined;
  private unsentResponses: number;
  /** Bytes are being handled: what is queued leaves when they are. */
  private receiving = false;
  private paused = false;
  /** In the full feature phase. */
  private guard: SessionGuard | undefined;

  constructor(node: NodeContext, stream: ByteStream, handoff: Handoff | undefined) {
    this.node = node;
    this.stream = stream;
    this.output = new Output(stream, node.gatherPool, node.crc32c);
    this.framing = new Framing(this, node.crc32c);
    this.unsentResponses = handoff?.answered ?? 0;
    this.phase = { kind: 'login', state: createLogin(node.loginContext(stream)), last: undefined };
    this.deadline = node.clock.after(LOGIN_PHASE_MS, () => this.fail('login took too long'));
  }

  /** Bytes flow from here on. */
  start(): void {
    this.stream.start(this);
  }

  get sender(): Sender {
    assert(this.numbered !== undefined, 'numbers are known from the first Login Request on');
    return this.numbered;
  }

  get initiatorAddress(): string {
    return this.stream.remoteAddress;
  }

  get portalAddress(): string {
    return this.stream.localAddress;
  }

  get backlog(): number {
    return this.stream.backlog;
  }

  get isStalled(): boolean {
    return this.paused || this.stream.backlog > 0;
  }

  get isHalfOpen(): boolean {
    return this.phase.kind === 'login' || this.phase.kind === 'settling';
  }

  get isExpendable(): boolean {
    if (this.phase.kind !== 'fullFeature') return this.isHalfOpen;
    return this.phase.session.name.sessionType === 'discovery';
  }

  onBytes(received: ReceivedBytes): void {
    this.now = this.node.clock.now();
    if (this.guard !== undefined) {
      const late = lateness(this.guard, this.now - this.lastHeardAt, this.stream.backlog);
      if (late !== undefined) {
        this.fail(late);
        return;
      }
    }
    this.lastHeardAt = this.now;
    this.receiving = true;
    const fault = this.framing.push(received);
    this.receiving = false;
    if (fault !== undefined) {
      this.fail(fault);
      return;
    }
    this.flush();
  }

  onDrained(): void {
    this.lastHeardAt = this.node.clock.now();
    this.output.flowing = true;
    if (this.phase.kind === 'fullFeature') this.phase.session.drained();
    this.flush();
    if (this.paused && this.output.flowing) {
      this.paused = false;
      this.stream.resume();
    }
  }

  onTurnEnd(): void {
    this.flush();
  }

  onClosed(cause: string | undefined): void {
    const { phase } = this;
    if (phase.kind === 'closed') return;
    this.phase = { kind: 'closed' };
    this.deadline.cancel();
    if (phase.kind === 'fullFeature') {
      phase.stopWatching();
      this.node.trace('info', 'iscsi.connection.lost', {
        initiator: phase.session.name.initiatorName,
        from: this.stream.remoteAddress,
        cause: cause ?? 'closed by the initiator',
      });
      this.leave(phase.session);
    }
    this.output.discard();
    this.framing.close();
    this.node.forget(this);
  }

  dataLengthMax(): number {
    return this.phase.kind === 'fullFeature'
      ? this.phase.session.parameters.targetMaxRecvDataSegmentLength
      : LOGIN_DATA_SEGMENT_LENGTH_MAX;
  }

  onPdu(pdu: Pdu): boolean {
    const { phase } = this;
    switch (phase.kind) {
      case 'fullFeature':
        if (phase.session.phase === 'active') onRequest(phase.session, this, pdu);
        return this.isOpen;
      case 'login':
        this.onLoginPdu(phase.state, phase.last, pdu);
        return this.isOpen;
      case 'settling':
        this.fail('a PDU before the final Login Response');
        return false;
      default:
        return false;
    }
  }

  queued(): void {
    if (!this.receiving) this.stream.requestTurnEnd();
  }

  finish(): void {
    const { phase } = this;
    if (phase.kind === 'closed' || phase.kind === 'finishing') return;
    this.phase = { kind: 'finishing' };
    this.deadline.cancel();
    if (phase.kind === 'fullFeature') {
      phase.stopWatching();
      this.leave(phase.session);
    }
    this.output.flush();
    this.stream.close(LINGER_MS);
  }

  onPong(): void {
    // Hearing anything is enough, and `onBytes` has noted that.
  }

  /** Ends at once; nothing more is sent. The session's tasks are discarded first. */
  fail(reason: string): void {
    if (this.phase.kind === 'closed' || this.phase.kind === 'finishing') return;
    this.node.trace('warn', 'iscsi.connection.failed', { from: this.stream.remoteAddress, reason });
    const { phase } = this;
    this.phase = { kind: 'finishing' };
    this.deadline.cancel();
    if (phase.kind === 'fullFeature') {
      phase.stopWatching();
      this.leave(phase.session);
    }
    this.framing.close();
    this.output.discard();
    this.stream.abort();
  }

  /** Another connection took the session over (RFC 7143 §6.3.4). */
  replaced(): void {
    if (this.phase.kind === 'fullFeature') this.phase.stopWatching();
    if (this.phase.kind === 'closed') return;
    this.phase = { kind: 'finishing' };
    this.stream.abort();
  }

  private get isOpen(): boolean {
    return this.phase.kind !== 'closed' && this.phase.kind !== 'finishing';
  }

  private flush(): void {
    this.output.flush();
    if (this.output.flowing || this.paused || !this.isOpen) return;
    this.paused = true;
    this.stream.pause();
  }

  /** The session loses this connection, and without recovery with it its life. */
  private leave(session: Session): void {
    if (session.connection !== this) return;
    void session.end();
    session.connection = undefined;
  }

  private onLoginPdu(state: LoginState, last: LoginRequest | undefined, pdu: Pdu): void {
    if (opcodeOf(pdu.view, pdu.at) !== RequestOpcode.login) {
      if (last === undefined) this.fail('the first PDU is no Login Request');
      else this.takeStep(refuseInvalidPdu(state, last));
      return;
    }
    const request = decodeLoginRequest(pdu.view, pdu.at, joinSegments(pdu.segments));
    if (request.initiatorTaskTag === RESERVED_TAG) {
      this.fail('a Login Request without an initiator task tag');
      return;
    }
    this.numbered ??= new Sender(
      this.output,
      openCommandWindow(request.cmdSN),
      this.node.budget,
      STAT_SN_FIRST,
    );
    this.phase = { kind: 'login', state, last: { ...request, text: NO_TEXT } };
    this.takeStep(stepLogin(state, request, this.now));
  }

  private takeStep(step: LoginStep): void {
    switch (step.kind) {
      case 'answer':
        this.respond(step.response);
        return;
      case 'close':
        this.node.trace('info', 'iscsi.login.refused', {
          from: this.stream.remoteAddress,
          reason: step.reason,
        });
        if (step.response !== undefined) this.respond(step.response);
        this.finish();
        return;
      case 'done':
        this.settle(step.response, step.result);
    }
  }

  /** What this login replaces ends first; the initiator may only then believe that it is gone. */
  private settle(response: LoginResponse, result: LoginResult): void {
    this.phase = { kind: 'settling' };
    this.cid = result.cid;
    const ready = this.node.openSession(this, result);
    void then(ready, (session) => {
      if (this.phase.kind !== 'settling') {
        // The initiator went away meanwhile.
        if (session !== undefined && session.connection === this) this.leave(session);
        return;
      }
      if (session === undefined) {
        this.fail('the session could not begin');
        return;
      }
      this.respond(response);
      this.enterFullFeature(session);
    });
  }

  private enterFullFeature(session: Session): void {
    this.deadline.cancel();
    const { parameters } = session;
    const headerDigest = parameters.headerDigest === 'CRC32C';
    const dataDigest = parameters.dataDigest === 'CRC32C';
    this.framing.headerDigest = headerDigest;
    this.framing.dataDigest = dataDigest;
    this.output.headerDigest = headerDigest;
    this.output.dataDigest = dataDigest;
    this.guard = this.node.guardOf(session);
    // It was waiting for us: sessions that it replaces may take their time to end.
    this.lastHeardAt = this.node.clock.now();
    const limits = this.guard?.limits ?? this.node.keepAlive;
    const stopWatching = keepAlive(this.node.clock, limits, {
      lastHeardAtOf: () => this.lastHeardAt,
      backlogOf: () => this.stream.backlog,
      ping: () => {
        // Discovery is text and nothing else (§4.3): tools for it know no NOP-In. Silence there just ends it.
        if (session.name.sessionType === 'discovery') return;
        sendPing(this.sender, session.nextTransferTag());
        this.flush();
      },
      dead: (reason) => this.fail(reason),
    });
    this.phase = { kind: 'fullFeature', session, stopWatching };
    this.queued();
  }

  private respond(response: LoginResponse): void {
    const numbering = this.sender.next();
    if (this.unsentResponses > 0) {
      this.unsentResponses--;
      return;
    }
    const at = this.output.beginHeader();
    encodeLoginResponse(this.output.view, at, response, numbering);
    this.output.endHeader();
    this.output.smallData(response.text);
    this.queued();
  }
}

const NO_TEXT = new Uint8Array(0);
