/**
 * Extents held still over all members: for read-modify-writes (COMPARE AND WRITE, reservations, settings). The owner
 * asks the first member, which lets owners of the same extent through one after the other, and then all others at
 * once: nobody who is through waits for somebody who is not, so there is no deadlock.
 *
 *   ask the first ──locked──► ask the others ──all locked──► quiet: read, decide, change ──► unlock
 *
 * Invariants
 *  1. A member grants when no earlier lock overlaps and none of its own changes does; while the lock stands, granted or
 *     waiting, none of its own changes begins there but the owner's.
 *  2. At most one owner has all grants for an extent in a term. A configuration change ends all locks.
 */

import { assert } from '../base/assert.ts';
import type { LockedExtent, LockName } from './messages.ts';
import { otherMembers, type ReplicaContext } from './ports.ts';

interface Entry {
  readonly lock: LockName;
  readonly extents: readonly LockedExtent[];
  granted: boolean;
}

interface OwnLock {
  readonly lock: LockName;
  readonly extents: readonly LockedExtent[];
  /** Members that have not granted; undefined while the first one is asked. */
  need: Set<number> | undefined;
  isLocked: boolean;
  readonly onLocked: () => void;
}

export interface HeldLock {
  readonly lock: LockName;
  release(): void;
}

export class LockTable {
  readonly #context: ReplicaContext;
  readonly #isBusy: (lba: number, blocks: number) => boolean;
  /** In order of arrival. */
  #entries: Entry[] = [];
  readonly #own = new Map<number, OwnLock>();
  #numbers = 0;

  constructor(context: ReplicaContext, isBusy: (lba: number, blocks: number) => boolean) {
    this.#context = context;
    this.#isBusy = isBusy;
  }

  /** Whether a change of this node must wait; `except`: the lock it runs under. */
  blocks(lba: number, blocks: number, except: LockName | undefined): boolean {
    return this.#entries.some(
      ({ lock, extents }) => !isSame(lock, except) && extents.some((extent) => touches(extent, lba, blocks)),
    );
  }

  /** `onLocked` is called when every member holds still; never, when the configuration ends before. */
  acquire(extents: readonly LockedExtent[], onLocked: (held: HeldLock) => void): void {
    const { self, installed, ports } = this.#context;
    const lock = { owner: self, number: ++this.#numbers };
    const held = { lock, release: () => this.#release(lock) };
    this.#own.set(lock.number, {
      lock,
      extents,
      need: undefined,
      isLocked: false,
      onLocked: () => onLocked(held),
    });
    const first = installed!.members[0]!;
    if (first === self) this.request(lock, extents);
    else ports.send(first, { kind: 'lock', lock, extents });
  }

  /** Somebody, perhaps this node, wants the extents. */
  request(lock: LockName, extents: readonly LockedExtent[]): void {
    this.#entries.push({ lock, extents, granted: false });
    this.pump();
  }

  /** A member grants. */
  onLocked(from: number, lock: LockName): void {
    const own = this.#own.get(lock.number);
    if (own === undefined) return;
    const { self, installed, ports } = this.#context;
    const members = installed!.members;
    if (own.need === undefined) {
      assert(from === members[0], 'the first member is asked first');
      own.need = new Set(members.slice(1));
      for (const member of otherMembers(installed!, self))
        if (own.need.has(member)) ports.send(member, { kind: 'lock', lock, extents: own.extents });
      if (own.need.has(self)) this.request(lock, own.extents);
    } else {
      own.need.delete(from);
    }
    if (own.need.size > 0 || own.isLocked) return;
    own.isLocked = true;
    own.onLocked();
  }

  onUnlock(lock: LockName): void {
    this.#entries = this.#entries.filter((entry) => !isSame(entry.lock, lock));
    this.pump();
    this.#context.wake();
  }

  /** Grants what can be granted: a lock has gone, or a change of this node has ended. */
  pump(): void {
    for (const [at, entry] of this.#entries.entries()) {
      if (entry.granted || this.#isBlocked(entry, at)) continue;
      entry.granted = true;
      const { self, ports } = this.#context;
      if (entry.lock.owner === self) this.onLocked(self, entry.lock);
      else ports.send(entry.lock.owner, { kind: 'locked', lock: entry.lock });
    }
  }

  clear(): void {
    this.#entries = [];
    this.#own.clear();
  }

  #isBlocked(entry: Entry, at: number): boolean {
    return entry.extents.some(
      ({ lba, blocks }) =>
        this.#isBusy(lba, blocks) ||
        this.#entries.slice(0, at).some((earlier) => earlier.extents.some((e) => touches(e, lba, blocks))),
    );
  }

  #release(lock: LockName): void {
    if (!this.#own.delete(lock.number)) return;
    const { self, installed, ports } = this.#context;
    if (installed === undefined) return;
    for (const member of otherMembers(installed, self)) ports.send(member, { kind: 'unlock', lock });
    this.onUnlock(lock);
  }
}

function touches(extent: LockedExtent, lba: number, blocks: number): boolean {
  return extent.lba < lba + blocks && lba < extent.lba + extent.blocks;
}

function isSame(a: LockName, b: LockName | undefined): boolean {
  return b !== undefined && a.owner === b.owner && a.number === b.number;
}
