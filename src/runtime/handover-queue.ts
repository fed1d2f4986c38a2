/**
 * Connections on their way to a child. Node hands over one after the other, each when the child has taken the one
 * before, about a thousand in a second: a source that floods us with logins would keep all others waiting for seconds.
 * So only a few are in Node's hands, and the sources of the rest take turns.
 */

export interface Handover {
  /** Sends it; `done` is called once, when it has left. */
  send(done: () => void): void;
  /** Lets go of our end of the connection. */
  release(): void;
}

/** One that leaves while the child takes the other. */
const LEAVING_MAX = 2;
/** The most that a child may be behind; then the source that has most here loses its last one. */
export const HANDOVERS_MAX = 4096;

export class HandoverQueue {
  private readonly leaving = new Set<Handover>();
  /** In the order of their turns; none is empty. */
  private readonly waiting = new Map<string, Handover[]>();
  private count = 0;

  push(source: string, handover: Handover): void {
    if (this.count >= HANDOVERS_MAX) this.dropOne();
    const same = this.waiting.get(source);
    if (same === undefined) this.waiting.set(source, [handover]);
    else same.push(handover);
    this.count++;
    this.pump();
  }

  /** The child is gone. */
  clear(): void {
    const all = [...this.leaving, ...[...this.waiting.values()].flat()];
    this.leaving.clear();
    this.waiting.clear();
    this.count = 0;
    for (const handover of all) handover.release();
  }

  private pump(): void {
    while (this.leaving.size < LEAVING_MAX) {
      const next = this.shift();
      if (next === undefined) return;
      this.leaving.add(next);
      next.send(() => {
        if (!this.leaving.delete(next)) return;
        next.release();
        this.pump();
      });
    }
  }

  private shift(): Handover | undefined {
    for (const [source, same] of this.waiting) {
      const next = same.shift();
      this.waiting.delete(source);
      if (same.length > 0) this.waiting.set(source, same);
      this.count--;
      return next;
    }
    return undefined;
  }

  private dropOne(): void {
    let longest: [source: string, same: Handover[]] | undefined;
    for (const entry of this.waiting) {
      if (longest === undefined || entry[1].length > longest[1].length) longest = entry;
    }
    if (longest === undefined) return;
    const [source, same] = longest;
    same.pop()?.release();
    if (same.length === 0) this.waiting.delete(source);
    this.count--;
  }
}
