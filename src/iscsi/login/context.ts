/** What the login machine is given, and what it hands back: the contract with connections and sessions. */

import type { Result } from '../../base/result.ts';
import type { Crypto } from '../../ports/crypto.ts';
import type { LoginResponse } from './messages.ts';
import type { SessionParameters } from './parameters.ts';
import type { InitiatorIdentity, LoginPolicy, LoginTarget } from './policy.ts';
import type { LoginThrottle } from './throttle.ts';

export type SessionType = 'normal' | 'discovery';

/** RFC 7143 §4.4.3: what makes a session the same session. */
export interface SessionName {
  readonly initiatorName: string;
  /** 12 hex digits. */
  readonly isid: string;
  /** Undefined in a discovery session. */
  readonly targetName: string | undefined;
  readonly sessionType: SessionType;
}

export type JoinFault = 'doesNotExist' | 'tooManyConnections' | 'cannotInclude';
export type AdmissionFault = 'tooManyConnections' | 'outOfResources' | 'serviceUnavailable';

/** The node's sessions, as far as a login must know them. Answers at once. */
export interface SessionDirectory {
  /**
   * A login with a TSIH: is it the same connection (CID) of that session come back (RFC 7143 §6.3.4)? Asked when the
   * login begins and again when it ends; changes nothing.
   */
  join(name: SessionName, tsih: number, cid: number): Result<void, JoinFault>;
  /**
   * A login without a TSIH is about to succeed: reserves a TSIH (1..65535). An older session of the same name is
   * replaced by the caller before the final response is sent (§6.3.5).
   */
  admit(name: SessionName): Result<number, AdmissionFault>;
}

/** Of one connection; policy, sessions and throttle are shared. */
export interface LoginContext {
  readonly policy: LoginPolicy;
  readonly sessions: SessionDirectory;
  readonly crypto: Crypto;
  readonly throttle: LoginThrottle | undefined;
  /** The initiator's address without its port. */
  readonly source: string;
  /** Of the portal that the connection came in by. */
  readonly portalGroupTag: number;
}

export interface LoginResult {
  readonly sessionType: SessionType;
  readonly identity: InitiatorIdentity;
  /** The target has proved itself to the initiator. */
  readonly mutual: boolean;
  readonly initiatorAlias: string | undefined;
  readonly isid: string;
  readonly tsih: number;
  readonly cid: number;
  /** Undefined in a discovery session. */
  readonly target: LoginTarget | undefined;
  /** The connection comes back to a living session; then only the connection's own parameters count. */
  readonly opens: 'session' | 'connection';
  readonly parameters: SessionParameters;
}

export type LoginStep =
  /** Send and wait for the next request. */
  | { readonly kind: 'answer'; readonly response: LoginResponse }
  /** Send; the full feature phase begins behind it. */
  | { readonly kind: 'done'; readonly response: LoginResponse; readonly result: LoginResult }
  /** Send, if there is something to send, and close. `reason` is for the trace and holds no secret. */
  | { readonly kind: 'close'; readonly response: LoginResponse | undefined; readonly reason: string };
