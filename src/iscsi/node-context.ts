/** What a connection needs of its node. */

import type { MaybeAsync } from '../base/result.ts';
import type { ByteStream } from '../ports/byte-stream.ts';
import type { Clock } from '../ports/clock.ts';
import type { Crc32c } from '../ports/crypto.ts';
import type { Trace } from '../ports/trace.ts';
import type { Budget } from './budget.ts';
import type { KeepAliveLimits, SessionGuard } from './keep-alive.ts';
import type { LoginContext, LoginResult } from './login/context.ts';
import type { GatherPool } from './output.ts';
import type { Session, SessionConnection } from './session.ts';

export interface NodeContext {
  readonly clock: Clock;
  readonly crc32c: Crc32c;
  readonly trace: Trace;
  readonly gatherPool: GatherPool;
  readonly budget: Budget;
  readonly keepAlive: KeepAliveLimits;
  /** Of the target of the session, if it has one. */
  guardOf(session: Session): SessionGuard | undefined;
  loginContext(stream: ByteStream): LoginContext;
  /** Ends what the login replaces, then begins or takes over the session; undefined when it may not begin. */
  openSession(connection: ReplaceableConnection, login: LoginResult): MaybeAsync<Session | undefined>;
  forget(connection: ReplaceableConnection): void;
}

export interface ReplaceableConnection extends SessionConnection {
  readonly isHalfOpen: boolean;
  /** Uses no device: it has not finished login, or only asks which targets there are. */
  readonly isExpendable: boolean;
  fail(reason: string): void;
  replaced(): void;
}
