/**
 * The iSCSI side of a node: its targets, its sessions, its connections (RFC 7143 §4.4). Takes accepted byte streams;
 * knows nothing of sockets, and of SCSI only the port.
 */

import { assert } from '../base/assert.ts';
import { type MaybeAsync, then } from '../base/result.ts';
import type { ByteStream } from '../ports/byte-stream.ts';
import type { Clock } from '../ports/clock.ts';
import type { Crc32c, Crypto } from '../ports/crypto.ts';
import type { NexusIdentity, ScsiTargetDevice } from '../ports/scsi-target.ts';
import type { Trace } from '../ports/trace.ts';
import { Budget } from './budget.ts';
import { Connection, type Handoff } from './connection.ts';
import type { KeepAliveLimits, SessionGuard } from './keep-alive.ts';
import {
  CONNECTIONS_MAX,
  DEAD_AFTER_PING_MS,
  EXPENDABLE_MAX,
  EXPENDABLE_PER_SOURCE_MAX,
  LOGOUT_REQUEST_SECONDS,
  PING_AFTER_SILENT_MS,
  STALLED_SEND_MS,
} from './limits.ts';
import type { LoginResult, SessionName } from './login/context.ts';
import type { NegotiationLimits } from './login/parameters.ts';
import type { AuthenticationPolicy, LoginPolicy, LoginTarget } from './login/policy.ts';
import type { LoginThrottle } from './login/throttle.ts';
import type { NodeContext, ReplaceableConnection } from './node-context.ts';
import { GatherPool } from './output.ts';
import { Session } from './session.ts';
import { Sessions } from './session-directory.ts';
import { answerText } from './text-negotiation.ts';

export type { Handoff } from './connection.ts';

/** A target with what answers behind it; `scsi` is undefined for one that is only announced in discovery. */
export interface IscsiTarget extends LoginTarget {
  readonly scsi: ScsiTargetDevice | undefined;
  /** Where initiators may go on by another node. */
  readonly guard?: SessionGuard;
}

export interface IscsiNodeOptions {
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly crc32c: Crc32c;
  readonly trace: Trace;
  /** Who may ask which targets there are. */
  readonly discovery: AuthenticationPolicy;
  readonly discoveryLimits: NegotiationLimits;
  readonly sendTargetsAllInNormalSession: boolean;
  readonly throttle: LoginThrottle | undefined;
  readonly keepAlive?: KeepAliveLimits;
  readonly reportsUnitAttentions?: boolean;
}

export interface SessionSummary {
  readonly initiatorName: string;
  readonly initiatorAlias: string | undefined;
  readonly isid: string;
  readonly tsih: number;
  /** Undefined for a discovery session. */
  readonly targetName: string | undefined;
  readonly initiatorAddress: string;
  readonly portalAddress: string;
  readonly chapName: string | undefined;
  readonly commands: number;
  readonly outstanding: number;
}

export interface IscsiNode {
  /** Adds a target, or replaces the record of one of the same name; its sessions go on. */
  addTarget(target: IscsiTarget): void;
  /** No login any more; its sessions end. Answers when their nexuses are closed. */
  removeTarget(name: string): Promise<void>;
  /** Ends the sessions of a target at once, without a word (RST): whoever uses them goes on by another path. */
  dropSessions(targetName: string, reason: string): void;
  /** Serves a connection until it ends. */
  accept(stream: ByteStream, handoff?: Handoff): void;
  sessions(): readonly SessionSummary[];
  readonly connections: number;
  /**
   * No login any more. Graceful: initiators are asked to log out, and get `withinMs` (or the limit) for it. Answers when
   * all sessions are over.
   */
  stop(graceful: boolean, withinMs?: number): Promise<void>;
}

const DEFAULT_KEEP_ALIVE: KeepAliveLimits = {
  pingAfterSilentMs: PING_AFTER_SILENT_MS,
  deadAfterPingMs: DEAD_AFTER_PING_MS,
  stalledSendMs: STALLED_SEND_MS,
};
/** For connections by an address that no target names. */
const PORTAL_GROUP_TAG_DEFAULT = 1;

export function createIscsiNode(options: IscsiNodeOptions): IscsiNode {
  return new Node(options);
}

class Node implements IscsiNode, NodeContext {
  readonly clock: Clock;
  readonly crc32c: Crc32c;
  readonly trace: Trace;
  readonly keepAlive: KeepAliveLimits;
  readonly gatherPool = new GatherPool();
  readonly budget = new Budget();
  private readonly options: IscsiNodeOptions;
  private readonly policy: LoginPolicy;
  private readonly targets = new Map<string, IscsiTarget>();
  private readonly directory = new Sessions(CONNECTIONS_MAX);
  /** In order of arrival. */
  private readonly open = new Map<ReplaceableConnection, string>();
  private stopped: (() => void) | undefined;

  constructor(options: IscsiNodeOptions) {
    this.options = options;
    this.clock = options.clock;
    this.crc32c = options.crc32c;
    this.trace = options.trace;
    this.keepAlive = options.keepAlive ?? DEFAULT_KEEP_ALIVE;
    this.policy = {
      findTarget: (name) => this.targets.get(name),
      targets: () => this.targets.values(),
      discovery: options.discovery,
      discoveryLimits: options.discoveryLimits,
      sendTargetsAllInNormalSession: options.sendTargetsAllInNormalSession,
    };
  }

  get connections(): number {
    return this.open.size;
  }

  addTarget(target: IscsiTarget): void {
    this.targets.set(target.name, target);
  }

  async removeTarget(name: string): Promise<void> {
    this.targets.delete(name);
    const sessions = [...this.directory.byTsih.values()];
    await this.endAll(sessions.filter((session) => session.name.targetName === name));
  }

  dropSessions(targetName: string, reason: string): void {
    for (const session of this.directory.byTsih.values()) {
      if (session.name.targetName !== targetName) continue;
      const connection = session.connection as ReplaceableConnection | undefined;
      if (connection === undefined) void session.end();
      else connection.fail(reason);
    }
  }

  guardOf(session: Session): SessionGuard | undefined {
    const { targetName } = session.name;
    return targetName === undefined ? undefined : this.targets.get(targetName)?.guard;
  }

  accept(stream: ByteStream, handoff?: Handoff): void {
    const source = sourceOf(stream.remoteAddress);
    this.makeRoom(source);
    if (this.open.size >= CONNECTIONS_MAX) {
      this.trace('warn', 'iscsi.connection.refused', { from: stream.remoteAddress, reason: 'too many' });
      stream.abort();
      return;
    }
    const connection = new Connection(this, stream, handoff);
    this.open.set(connection, source);
    connection.start();
  }

  sessions(): readonly SessionSummary[] {
    return [...this.directory.byTsih.values()].map(summaryOf);
  }

  async stop(graceful: boolean, withinMs = LOGOUT_REQUEST_SECONDS * 1000): Promise<void> {
    this.directory.close();
    for (const connection of this.open.keys()) if (connection.isHalfOpen) connection.fail('stopping');
    const sessions = [...this.directory.byTsih.values()];
    if (graceful && sessions.length > 0) {
      for (const session of sessions) session.requestLogout(Math.ceil(withinMs / 1000));
      await new Promise<void>((resolve) => {
        const timer = this.clock.after(withinMs, resolve);
        this.stopped = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    await this.endAll([...this.directory.byTsih.values()]);
  }

  loginContext(stream: ByteStream): ReturnType<NodeContext['loginContext']> {
    const { crypto, throttle } = this.options;
    return {
      policy: this.policy,
      sessions: this.directory,
      crypto,
      throttle,
      source: sourceOf(stream.remoteAddress),
      portalGroupTag: this.portalGroupTagOf(stream.localAddress),
    };
  }

  openSession(connection: ReplaceableConnection, login: LoginResult): MaybeAsync<Session | undefined> {
    const name: SessionName = {
      initiatorName: login.identity.initiatorName,
      isid: login.isid,
      targetName: login.target?.name,
      sessionType: login.sessionType,
    };
    const older = this.directory.sameAs(name);
    if (login.opens === 'connection') {
      const former = older?.connection as ReplaceableConnection | undefined;
      if (older === undefined) return undefined;
      former?.replaced();
      return then(older.reinstate(connection, login.parameters), () =>
        older.phase === 'active' && older.connection === connection ? older : undefined,
      );
    }
    if (older === undefined) return this.beginSession(connection, login, name);
    this.trace('info', 'iscsi.session.reinstated', {
      initiator: name.initiatorName,
      target: name.targetName,
    });
    return then(this.endSession(older), () => this.beginSession(connection, login, name));
  }

  forget(connection: ReplaceableConnection): void {
    this.open.delete(connection);
  }

  private beginSession(
    connection: ReplaceableConnection,
    login: LoginResult,
    name: SessionName,
  ): MaybeAsync<Session | undefined> {
    // A third login of the same name may have been faster while an older session ended.
    const rival = this.directory.sameAs(name);
    if (rival !== undefined) {
      return then(this.endSession(rival), () => this.beginSession(connection, login, name));
    }
    if (name.targetName !== undefined && this.targets.get(name.targetName)?.scsi === undefined) {
      this.directory.giveBack(login.tsih);
      return undefined;
    }
    const session = new Session({
      name,
      login,
      connection,
      budget: this.budget,
      clock: this.clock,
      trace: this.trace,
      reportsUnitAttentions: this.options.reportsUnitAttentions ?? false,
      answerText: (asking, text) => this.answerText(asking, text),
      openNexus: (opening, events) =>
        name.targetName === undefined
          ? undefined
          : this.targets.get(name.targetName)?.scsi?.openNexus(this.identityOf(opening), events),
      onClosed: (closed) => this.onSessionClosed(closed),
    });
    this.directory.add(session);
    this.trace('info', 'iscsi.session.opened', {
      initiator: name.initiatorName,
      target: name.targetName ?? 'discovery',
      from: connection.initiatorAddress,
    });
    return session;
  }

  private onSessionClosed(session: Session): void {
    this.directory.remove(session);
    this.trace('info', 'iscsi.session.closed', {
      initiator: session.name.initiatorName,
      target: session.name.targetName ?? 'discovery',
    });
    if (this.directory.byTsih.size === 0) this.stopped?.();
  }

  private endSession(session: Session): MaybeAsync<void> {
    const { connection } = session;
    return then(session.end(), () => connection?.finish());
  }

  private async endAll(sessions: readonly Session[]): Promise<void> {
    await Promise.all(
      sessions.map(async (session) => {
        await this.endSession(session);
      }),
    );
  }

  private answerText(session: Session, text: Uint8Array): Uint8Array | undefined {
    const { login } = session;
    const answer = answerText(
      {
        policy: this.policy,
        caller: { identity: login.identity, sessionTarget: login.target },
        limits: login.target?.limits ?? this.options.discoveryLimits,
        parameters: session.parameters,
      },
      text,
    );
    if (!answer.ok) return undefined;
    session.parameters = answer.value.parameters;
    return answer.value.text;
  }

  private identityOf(session: Session): NexusIdentity {
    const { login, name, connection } = session;
    assert(name.targetName !== undefined && connection !== undefined, 'a normal session has a target');
    return {
      initiatorName: name.initiatorName,
      initiatorPort: `${name.initiatorName},i,0x${login.isid}`,
      isid: login.isid,
      targetName: name.targetName,
      portalGroupTag: this.portalGroupTagOf(connection.portalAddress),
      path: `${connection.initiatorAddress} → ${connection.portalAddress}`,
    };
  }

  private portalGroupTagOf(localAddress: string): number {
    let first: number | undefined;
    for (const target of this.targets.values()) {
      for (const portal of target.portals) {
        if (portal.address === localAddress) return portal.portalGroupTag;
        first ??= portal.portalGroupTag;
      }
    }
    return first ?? PORTAL_GROUP_TAG_DEFAULT;
  }

  /**
   * Too many that use no device: the oldest goes, since an initiator that means it sends its Login Request at once and
   * is done with discovery in a moment.
   */
  private makeRoom(source: string): void {
    let expendable = 0;
    let ofSource = 0;
    let oldest: ReplaceableConnection | undefined;
    let oldestOfSource: ReplaceableConnection | undefined;
    for (const [connection, from] of this.open) {
      if (!connection.isExpendable) continue;
      expendable++;
      oldest ??= connection;
      if (from !== source) continue;
      ofSource++;
      oldestOfSource ??= connection;
    }
    if (ofSource >= EXPENDABLE_PER_SOURCE_MAX) {
      oldestOfSource?.fail('too many unfinished logins and discoveries of this source');
    } else if (expendable >= EXPENDABLE_MAX) {
      oldest?.fail('too many unfinished logins and discoveries');
    }
  }
}

function summaryOf(session: Session): SessionSummary {
  const { name, login, connection } = session;
  return {
    initiatorName: name.initiatorName,
    initiatorAlias: login.initiatorAlias,
    isid: name.isid,
    tsih: login.tsih,
    targetName: name.targetName,
    initiatorAddress: connection?.initiatorAddress ?? '',
    portalAddress: connection?.portalAddress ?? '',
    chapName: login.identity.chapName,
    commands: session.commands,
    outstanding: session.tasks.size,
  };
}

/** The address without its port. */
function sourceOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'));
}
