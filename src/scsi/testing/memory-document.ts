/** For tests only: a document that several nodes share, in memory; one change after the other, when it is let. */

import { DONE, fail, type Result } from '../../base/result.ts';
import type { DeviceFault, Ticket } from '../../ports/block-device.ts';
import type { SharedDocument } from '../../ports/shared-document.ts';

export class MemoryDocument implements SharedDocument {
  bytes: Uint8Array | undefined;
  /** Of every node. */
  readonly told: ((bytes: Uint8Array) => void)[] = [];
  /** What whoever asks is answered. */
  fault: DeviceFault | undefined;
  changes = 0;
  looks = 0;
  #until: Promise<void> = Promise.resolve();

  /** Nothing happens before the result is called. */
  hold(): () => void {
    let go: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    this.#until = this.#until.then(() => held);
    return go;
  }

  change(
    ticket: Ticket,
    decide: (before: Uint8Array | undefined) => Uint8Array | undefined,
  ): Promise<Result<void, DeviceFault>> {
    return this.#inTurn(ticket, () => {
      const after = decide(this.bytes);
      if (after === undefined) return;
      this.changes += 1;
      this.bytes = after;
      for (const tell of this.told) tell(after);
    });
  }

  current(ticket: Ticket, look: () => void): Promise<Result<void, DeviceFault>> {
    return this.#inTurn(ticket, () => {
      this.looks += 1;
      look();
    });
  }

  #inTurn(ticket: Ticket, action: () => void): Promise<Result<void, DeviceFault>> {
    const done = this.#until.then((): Result<void, DeviceFault> => {
      if (this.fault !== undefined) return fail(this.fault);
      if (!ticket.isAlive()) return fail({ kind: 'unavailable', reason: 'the session is over' });
      action();
      return DONE;
    });
    this.#until = done.then(() => undefined);
    return done;
  }
}
