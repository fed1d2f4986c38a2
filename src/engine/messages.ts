/**
 * What the supervisor and an engine say to each other. Both ends are the same build of the same program, so there is
 * no version. Values are structured-cloned.
 *
 *   supervisor → engine   start · connection, partner (with the socket) · command · drain
 *   engine → supervisor   progress* · ready | refused · statistics* · answer (of each command) · writingOut* · drained
 */

import type { DeviceAnswer, DeviceCommand } from './device-commands.ts';
import type { EngineSpec } from './spec.ts';
import type { EngineStatistics } from './statistics.ts';

export type ToEngine =
  | { readonly kind: 'start'; readonly spec: EngineSpec }
  | {
      /** A socket travels with it. */
      readonly kind: 'connection';
      /** What was read from the socket so far. */
      readonly head: Uint8Array;
      /** Login Responses already sent on it (RFC 7143 §6.1, C bit). */
      readonly answered: number;
    }
  | {
      /** Another node's; a socket travels with it. */
      readonly kind: 'partner';
      readonly head: Uint8Array;
    }
  /** What an administrator asks of a device of this engine. */
  | {
      readonly kind: 'command';
      readonly id: number;
      readonly device: string;
      readonly command: DeviceCommand;
    }
  /** Ask initiators to log out, finish what runs, flush, then say `drained`. Sessions get this long; what is
   *  in caches is written out, however long it takes. */
  | { readonly kind: 'drain'; readonly withinMs: number };

/** Why an engine could not start: a sentence for an administrator, and what the command's exit status is made of. */
export interface StartFault {
  readonly reason: 'configuration' | 'inUse' | 'system';
  readonly message: string;
}

export type FromEngine =
  | { readonly kind: 'progress'; readonly device: string; readonly done: number; readonly total: number }
  | { readonly kind: 'ready' }
  | { readonly kind: 'refused'; readonly fault: StartFault }
  | { readonly kind: 'statistics'; readonly statistics: EngineStatistics }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: DeviceAnswer }
  /** While it drains, every second: caches have so many bytes to write out, in about so many milliseconds. */
  | { readonly kind: 'writingOut'; readonly bytes: number; readonly forecastMs: number | undefined }
  | { readonly kind: 'drained' };
