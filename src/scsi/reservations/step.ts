/**
 * The reservation machine: one request, one decision; synchronous, total, no I/O. The same requests in the same order
 * give the same state on every node.
 */

import { unreachable } from '../../base/assert.ts';
import { conflict, type Decision } from './decision.ts';
import { type LegacyRequest, legacyRelease, legacyReserve } from './legacy.ts';
import { type PreemptRequest, preempt } from './preempt.ts';
import { type MoveRequest, type RegisterRequest, register, registerAndMove } from './register.ts';
import { type ClearRequest, clear, type ReserveRequest, release, reserve } from './reserve.ts';
import type { ReservationState } from './state.ts';

export type PersistentRequest =
  | RegisterRequest
  | MoveRequest
  | ReserveRequest
  | ClearRequest
  | PreemptRequest;

export type ReservationRequest = PersistentRequest | LegacyRequest;

export function step(state: ReservationState, request: ReservationRequest): Decision {
  const legacy = request.kind === 'legacyReserve' || request.kind === 'legacyRelease';
  // SPC-2 §5.5.1: under RESERVE every PERSISTENT RESERVE command conflicts, whoever sends it.
  if (state.legacyHolder !== undefined && !legacy) return conflict(state);
  switch (request.kind) {
    case 'legacyReserve':
      return legacyReserve(state, request);
    case 'legacyRelease':
      return legacyRelease(state, request);
    case 'register':
      return register(state, request);
    case 'registerAndMove':
      return registerAndMove(state, request);
    case 'reserve':
      return reserve(state, request);
    case 'release':
      return release(state, request);
    case 'clear':
      return clear(state, request);
    case 'preempt':
      return preempt(state, request);
    default:
      return unreachable(request);
  }
}
