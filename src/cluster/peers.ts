/**
 * Which nodes are heard, on what, and what they last said of themselves: voters, and others that have, or are to get, a
 * copy of the device. Decides nothing.
 */

import type { Beat } from './messages.ts';
import { SUSPECT_MS } from './times.ts';

export interface Peer {
  /** When its process was heard first. */
  knownSince: number;
  heardAt: number;
  heardSyncAt: number;
  beat: Beat | undefined;
}

export class Peers {
  readonly #self: number;
  readonly #peers = new Map<number, Peer>();

  constructor(self: number) {
    this.#self = self;
  }

  heard(from: number, beat: Beat, onSync: boolean, now: number): void {
    if (from === this.#self) return;
    const peer = this.#peers.get(from) ?? newPeer(now);
    this.#peers.set(from, peer);
    // Late datagrams of an earlier moment say nothing new.
    const { beat: last } = peer;
    if (last === undefined || last.incarnation !== beat.incarnation || last.sentAt <= beat.sentAt) {
      if (last !== undefined && last.incarnation > beat.incarnation) return;
      if (last !== undefined && last.incarnation !== beat.incarnation) peer.knownSince = now;
      peer.beat = beat;
    }
    peer.heardAt = now;
    if (onSync) peer.heardSyncAt = now;
  }

  beatOf(node: number): Beat | undefined {
    return this.#peers.get(node)?.beat;
  }

  /** How long ago its present process was heard for the first time. */
  knownFor(node: number, now: number): number {
    return now - (this.#peers.get(node)?.knownSince ?? now);
  }

  hears(node: number, now: number): boolean {
    return node === this.#self || now - (this.#peers.get(node)?.heardAt ?? -Infinity) < SUSPECT_MS;
  }

  hearsSync(node: number, now: number): boolean {
    return node === this.#self || now - (this.#peers.get(node)?.heardSyncAt ?? -Infinity) < SUSPECT_MS;
  }

  /** Both hear each other on a sync link. */
  isJoined(node: number, now: number): boolean {
    if (node === this.#self) return true;
    return this.hearsSync(node, now) && this.beatOf(node)?.hearsSync.includes(this.#self) === true;
  }

  heardNodes(now: number): number[] {
    return [...this.#peers.keys()].filter((node) => this.hears(node, now));
  }

  syncNodes(now: number): number[] {
    return [...this.#peers.keys()].filter((node) => this.hearsSync(node, now));
  }
}

function newPeer(now: number): Peer {
  return { knownSince: now, heardAt: -Infinity, heardSyncAt: -Infinity, beat: undefined };
}
