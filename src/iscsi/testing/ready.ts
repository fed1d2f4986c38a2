/** Common beginnings of wire-level tests: a logged-in initiator, and devices that answer by themselves. */

import { assert } from '../../base/assert.ts';
import { Status } from '../../ports/scsi-target.ts';
import type { NegotiationLimits } from '../login/parameters.ts';
import type { MemoryStream } from './memory-stream.ts';
import { type Bench, openBench, RawInitiator } from './raw-initiator.ts';

export interface Ready extends Bench {
  readonly bench: Bench;
  readonly initiator: RawInitiator;
  readonly stream: MemoryStream;
}

export function ready(
  limits: Partial<NegotiationLimits> = {},
  keys: readonly string[] = [],
  cmdSN = 1,
): Ready {
  const bench = openBench(limits);
  const initiator = new RawInitiator(bench);
  const login = initiator.login({ keys, cmdSN });
  assert(login !== undefined && login.word(36) >>> 16 === 0, 'login succeeds');
  return { ...bench, bench, initiator, stream: initiator.stream };
}

/** Every task gets GOOD at once. */
export function answering(context: Ready): Ready {
  context.device.onTask = (task, nexus) => nexus.finish(task, Status.GOOD);
  return context;
}

/** Every task wants `length` bytes and then gets GOOD; the result collects what was written. */
export function writing(context: Ready, length: number): Uint8Array[] {
  const received: Uint8Array[] = [];
  context.device.onTask = (task) => task.receiveDataOut(length);
  context.device.onData = (task, data) => {
    received.push(data.slice());
    context.device.last.finish(task, Status.GOOD);
  };
  return received;
}

/** A task management function with the tag 900. */
export function tmf(
  initiator: RawInitiator,
  code: number,
  words: Readonly<Record<number, number>> = {},
): void {
  initiator.request({ opcode: 0x02, flags: 0x80 | code, itt: 900, words });
}

export function bytes(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 7) & 0xff);
}

/** Sense key, ASC and ASCQ of a SCSI Response's data segment. */
export function senseOf(response: { readonly data: Uint8Array }): number[] {
  return [response.data[4]! & 0x0f, response.data[14]!, response.data[15]!];
}
