/**
 * Does the initiator still live? (RFC 7143 §11.19: a NOP-In of the target's own.) Runs on timers alone, never on the data
 * path; a running timer only looks at when something was last heard.
 *
 *   listening ── silent for long ──► asked (ping sent) ── anything heard ──► listening
 *                                      └── still silent ──► dead
 */

import type { Clock, Timer } from '../ports/clock.ts';

export interface KeepAliveLimits {
  readonly pingAfterSilentMs: number;
  readonly deadAfterPingMs: number;
  /** While something is queued that the initiator does not take, its silence is our own doing. */
  readonly stalledSendMs: number;
}

/**
 * Of a target whose device several nodes serve. An initiator that hears nothing sends its commands again by another node,
 * and must never find that the first ones came after: a session that was silent for `limits` in all is reset, and what
 * comes of it later is not looked at. Nor is what was sent to a process that stood still.
 */
export interface SessionGuard {
  readonly limits: KeepAliveLimits;
  stoodStill(): boolean;
}

/** What comes now comes too late; undefined: it does not. */
export function lateness(guard: SessionGuard, silentMs: number, backlog: number): string | undefined {
  const { pingAfterSilentMs, deadAfterPingMs, stalledSendMs } = guard.limits;
  if (guard.stoodStill()) return 'the process stood still';
  const silentMsMax = backlog > 0 ? stalledSendMs : pingAfterSilentMs + deadAfterPingMs;
  return silentMs < silentMsMax ? undefined : 'silent for too long';
}

export interface KeepAlivePeer {
  lastHeardAtOf(): number;
  /** Bytes queued and not taken. */
  backlogOf(): number;
  /** May be left out for a peer that cannot answer; it is then given up as if it had not. */
  ping(): void;
  /** Nothing is heard any more; `reason` is for the trace. */
  dead(reason: string): void;
}

/** `heardAt`: when something was last heard before asking. An answer in the very moment of asking is one, too. */
type State =
  | { readonly kind: 'listening' }
  | { readonly kind: 'asked'; readonly at: number; readonly heardAt: number };

/** Begins to watch; the result ends it. */
export function keepAlive(clock: Clock, limits: KeepAliveLimits, peer: KeepAlivePeer): () => void {
  let state: State = { kind: 'listening' };
  let timer: Timer = clock.after(limits.pingAfterSilentMs, look);

  function look(): void {
    const now = clock.now();
    const silentMs = now - peer.lastHeardAtOf();
    if (peer.backlogOf() > 0) {
      if (silentMs >= limits.stalledSendMs) {
        peer.dead('takes nothing of what was sent');
        return;
      }
      timer = clock.after(limits.stalledSendMs - silentMs, look);
      return;
    }
    if (silentMs < limits.pingAfterSilentMs) {
      state = { kind: 'listening' };
      timer = clock.after(limits.pingAfterSilentMs - silentMs, look);
      return;
    }
    if (state.kind === 'asked' && peer.lastHeardAtOf() === state.heardAt) {
      if (now - state.at >= limits.deadAfterPingMs) {
        peer.dead('silent, also when asked');
        return;
      }
      timer = clock.after(untilNextLook(limits.deadAfterPingMs - (now - state.at)), look);
      return;
    }
    state = { kind: 'asked', at: now, heardAt: peer.lastHeardAtOf() };
    peer.ping();
    timer = clock.after(untilNextLook(limits.deadAfterPingMs), look);
  }

  /** The answer begins another silence, which is to be noticed as soon as the first one. */
  function untilNextLook(untilDeadMs: number): number {
    return Math.min(untilDeadMs, limits.pingAfterSilentMs);
  }

  return () => timer.cancel();
}
