/**
 * Connections of partners that ask something beside mirroring (how fast a link is, how a device is): proven like all others,
 * and few at a time. Whoever comes when there are too many takes the place of the oldest, which gets no answer.
 */

import type { Socket } from 'node:net';
import { PREAMBLE_LENGTH } from '../base/partner-preamble.ts';
import type { Result } from '../base/result.ts';
import type { Trace } from '../ports/trace.ts';
import type { Proof } from './partner-tls.ts';
import { prepare } from './tcp-options.ts';

export interface VisitorsOptions {
  /** The fault is a clause for people. */
  readonly proof: () => Result<Proof, string>;
  /** Who may ask, as their certificates have it. */
  readonly names: readonly string[];
  /** `preamble`: as it came. The connection is the answerer's. */
  readonly answer: (socket: Socket, preamble: Uint8Array) => void;
  readonly trace: Trace;
}

/** Exported for tests. */
export const VISITORS_MAX = 16;

export class Visitors {
  readonly #options: VisitorsOptions;
  readonly #open = new Set<Socket>();

  constructor(options: VisitorsOptions) {
    this.#options = options;
  }

  /** `head`: all that was read, from the preamble on. */
  accept(raw: Socket, head: Uint8Array): void {
    const { names, answer, trace } = this.#options;
    raw.on('error', () => undefined); // 'close' follows
    const proof = this.#options.proof();
    if (!proof.ok) {
      trace('warn', 'partner.notAnswered', { from: raw.remoteAddress, cause: proof.fault });
      raw.destroy();
      return;
    }
    const [oldest] = this.#open;
    if (this.#open.size >= VISITORS_MAX) oldest!.destroy();
    this.#open.add(raw);
    raw.once('close', () => this.#open.delete(raw));
    const rest = head.subarray(PREAMBLE_LENGTH);
    if (rest.length > 0) raw.unshift(rest);
    prepare(raw);
    void proof.value.accept(raw, names).then((proven) => {
      if (proven.ok) answer(proven.value.socket, head.subarray(0, PREAMBLE_LENGTH));
      else trace('warn', 'partner.notProven', { from: raw.remoteAddress, ...proven.fault });
    });
  }
}
