/**
 * The ROD tokens that a logical unit has made. A token never stands for anything but the data of its moment: the first
 * mutation of a block of it, by whatever command of whichever nexus, revokes it before the mutation begins.
 *
 *   live ──► revoked (data changed) | expired (unused for too long) | cancelled (too many) | deleted (DEL_TKN)
 *
 * Tokens live in memory: a restart forgets them, and their users copy by other means.
 */

import { isAsync, type MaybeAsync } from '../../base/result.ts';
import type { Extent } from '../../ports/block-device.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Crypto } from '../../ports/crypto.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import type { SenseReason } from '../sense.ts';
import type { WatchedDevice } from '../watched-device.ts';
import { ENDED_TOKENS_MAX, INACTIVITY_SECONDS_DEFAULT, TOKENS_MAX } from './limits.ts';
import { encodeToken, identifierOf } from './token-format.ts';

type TokenEnd = 'revoked' | 'expired' | 'cancelled' | 'deleted';

const SENSE_OF_END = {
  revoked: 'tokenRevoked',
  expired: 'tokenExpired',
  cancelled: 'tokenCancelled',
  deleted: 'tokenDeleted',
} as const satisfies Record<TokenEnd, SenseReason>;

export interface Token {
  readonly bytes: Uint8Array;
  readonly identifier: string;
  /** In the order of the data. */
  readonly extents: readonly Extent[];
  readonly blocks: number;
  readonly inactivityMs: number;
  lastUsed: number;
  /** Commands that copy from it: it does not expire meanwhile. */
  users: number;
  /** Why it can no longer be used. */
  ended: SenseReason | undefined;
}

export class Tokens {
  readonly #device: WatchedDevice;
  readonly #clock: Clock;
  readonly #crypto: Crypto;
  /** By identifier, the one unused for longest first. */
  readonly #live = new Map<string, Token>();
  readonly #ended = new Map<string, SenseReason>();
  /** Chunks that copies write just now. */
  readonly #writing = new Set<Promise<unknown>>();

  constructor(device: WatchedDevice, clock: Clock, crypto: Crypto) {
    this.#device = device;
    this.#clock = clock;
    this.#crypto = crypto;
  }

  /** A token for `extents`, watched from now on. */
  create(unit: LogicalUnit, extents: readonly Extent[], inactivitySeconds: number): Token {
    this.#expire();
    if (this.#live.size >= TOKENS_MAX) this.#cancelOne();
    const blocks = extents.reduce((sum, extent) => sum + extent.blocks, 0);
    const bytes = encodeToken(unit, blocks, this.#crypto);
    const token: Token = {
      bytes,
      identifier: identifierOf(bytes),
      extents,
      blocks,
      inactivityMs: (inactivitySeconds === 0 ? INACTIVITY_SECONDS_DEFAULT : inactivitySeconds) * 1000,
      lastUsed: this.#clock.now(),
      users: 0,
      ended: undefined,
    };
    this.#live.set(token.identifier, token);
    this.#watch();
    return token;
  }

  /** The token that is these very bytes, or why there is none. */
  find(bytes: Uint8Array): Token | SenseReason {
    this.#expire();
    const identifier = identifierOf(bytes);
    const token = this.#live.get(identifier);
    if (token === undefined) return this.#ended.get(identifier) ?? 'tokenUnknown';
    return this.#crypto.equal(token.bytes, bytes) ? token : 'tokenCorrupt';
  }

  use(token: Token): void {
    token.users += 1;
  }

  /** Ends a use; the time for which it may be unused begins again. */
  used(token: Token, deletes: boolean): void {
    token.users -= 1;
    if (token.ended !== undefined) return;
    token.lastUsed = this.#clock.now();
    this.#live.delete(token.identifier);
    this.#live.set(token.identifier, token);
    if (deletes) this.#end(token, 'deleted');
  }

  /** Remembers that a copy writes to the unit until `done`. */
  track<T>(done: MaybeAsync<T>): MaybeAsync<T> {
    if (!isAsync(done)) return done;
    this.#writing.add(done);
    const forget = (): void => void this.#writing.delete(done);
    done.then(forget, forget);
    return done;
  }

  /** What copies write just now. */
  get writing(): Iterable<Promise<unknown>> {
    return this.#writing;
  }

  #watch(): void {
    this.#device.watcher = this.#live.size === 0 ? undefined : this.#mutation;
  }

  readonly #mutation = (lba: number, blocks: number): void => {
    const overlaps = (extent: Extent): boolean =>
      lba < extent.lba + extent.blocks && extent.lba < lba + blocks;
    for (const token of this.#live.values()) if (token.extents.some(overlaps)) this.#end(token, 'revoked');
  };

  #expire(): void {
    const now = this.#clock.now();
    for (const token of this.#live.values()) {
      if (token.users === 0 && now - token.lastUsed >= token.inactivityMs) this.#end(token, 'expired');
    }
  }

  #cancelOne(): void {
    for (const token of this.#live.values()) {
      if (token.users > 0) continue;
      this.#end(token, 'cancelled');
      return;
    }
  }

  #end(token: Token, end: TokenEnd): void {
    token.ended = SENSE_OF_END[end];
    this.#live.delete(token.identifier);
    this.#ended.set(token.identifier, token.ended);
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= ENDED_TOKENS_MAX) break;
      this.#ended.delete(oldest);
    }
    this.#watch();
  }
}
