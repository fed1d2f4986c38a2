/**
 * Questions to all peers that are answered once by each: flush markers, confirmations that the term still stands, room.
 * One object for each question under way; a configuration change ends them all.
 */

export interface Round {
  readonly need: Set<number>;
  readonly onEach: ((from: number, answer: string | undefined) => void) | undefined;
  readonly done: (complete: boolean) => void;
}

export class Rounds {
  readonly #rounds = new Map<number, Round>();
  #ids = 0;

  /** `send` is called for each peer with the number of the round; `done(false)` when the configuration ends before. */
  begin(
    peers: readonly number[],
    send: (peer: number, id: number) => void,
    done: (complete: boolean) => void,
    onEach?: (from: number, answer: string | undefined) => void,
  ): void {
    if (peers.length === 0) return done(true);
    const id = ++this.#ids;
    this.#rounds.set(id, { need: new Set(peers), onEach, done });
    for (const peer of peers) send(peer, id);
  }

  onAnswer(from: number, id: number, answer?: string): void {
    const round = this.#rounds.get(id);
    if (round === undefined || !round.need.delete(from)) return;
    round.onEach?.(from, answer);
    if (round.need.size > 0) return;
    this.#rounds.delete(id);
    round.done(true);
  }

  clear(): void {
    const rounds = [...this.#rounds.values()];
    this.#rounds.clear();
    for (const { done } of rounds) done(false);
  }
}
