/** The sessions of a node: TSIHs, who replaces whom, and how many there may be (RFC 7143 §4.4.3, §6.3.4, §6.3.5). */

import { fail, ok, type Result } from '../base/result.ts';
import type { AdmissionFault, JoinFault, SessionDirectory, SessionName } from './login/context.ts';
import type { Session } from './session.ts';

const TSIH_MAX = 0xffff;

export class Sessions implements SessionDirectory {
  readonly byTsih = new Map<number, Session>();
  private readonly sessionsMax: number;
  private readonly reserved = new Set<number>();
  private lastTsih = 0;
  private open = true;

  constructor(sessionsMax: number) {
    this.sessionsMax = sessionsMax;
  }

  /** No session begins any more. */
  close(): void {
    this.open = false;
  }

  join(name: SessionName, tsih: number, cid: number): Result<void, JoinFault> {
    const session = this.byTsih.get(tsih);
    if (session === undefined || session.phase !== 'active' || !isSameSession(session.name, name)) {
      return fail('doesNotExist');
    }
    if (session.login.cid !== cid) return fail('tooManyConnections');
    return ok(undefined);
  }

  admit(): Result<number, AdmissionFault> {
    if (!this.open) return fail('serviceUnavailable');
    if (this.byTsih.size + this.reserved.size >= this.sessionsMax) return fail('outOfResources');
    do {
      this.lastTsih = (this.lastTsih % TSIH_MAX) + 1;
    } while (this.byTsih.has(this.lastTsih) || this.reserved.has(this.lastTsih));
    this.reserved.add(this.lastTsih);
    return ok(this.lastTsih);
  }

  /** The login that had reserved it came to nothing. */
  giveBack(tsih: number): void {
    this.reserved.delete(tsih);
  }

  add(session: Session): void {
    this.reserved.delete(session.login.tsih);
    this.byTsih.set(session.login.tsih, session);
  }

  remove(session: Session): void {
    this.byTsih.delete(session.login.tsih);
  }

  /** The session that a new one of this name replaces; also one that is still ending. */
  sameAs(name: SessionName): Session | undefined {
    for (const session of this.byTsih.values()) {
      if (isSameSession(session.name, name)) return session;
    }
    return undefined;
  }
}

function isSameSession(a: SessionName, b: SessionName): boolean {
  return (
    a.initiatorName === b.initiatorName &&
    a.isid === b.isid &&
    a.targetName === b.targetName &&
    a.sessionType === b.sessionType
  );
}
