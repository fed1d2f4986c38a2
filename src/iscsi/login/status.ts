/** Login Response status (RFC 7143 §11.13.5): class in the upper byte, detail in the lower. */

import type { TextPair } from '../text/pairs.ts';

export const LoginStatus = {
  success: 0x0000,
  targetMovedTemporarily: 0x0101,
  targetMovedPermanently: 0x0102,
  initiatorError: 0x0200,
  authenticationFailure: 0x0201,
  authorizationFailure: 0x0202,
  notFound: 0x0203,
  targetRemoved: 0x0204,
  unsupportedVersion: 0x0205,
  tooManyConnections: 0x0206,
  missingParameter: 0x0207,
  cannotIncludeInSession: 0x0208,
  sessionTypeNotSupported: 0x0209,
  sessionDoesNotExist: 0x020a,
  invalidDuringLogin: 0x020b,
  targetError: 0x0300,
  serviceUnavailable: 0x0301,
  outOfResources: 0x0302,
} as const;
export type LoginStatus = (typeof LoginStatus)[keyof typeof LoginStatus];

/** Why a login ends without a session. */
export interface Refusal {
  /** Undefined: the connection is closed without a word. */
  readonly status: LoginStatus | undefined;
  /** For the trace: stable, and free of anything that the initiator must keep secret. */
  readonly reason: string;
  readonly answers: readonly TextPair[];
}

export function refusal(status: LoginStatus, reason: string, answers: readonly TextPair[] = []): Refusal {
  return { status, reason, answers };
}
