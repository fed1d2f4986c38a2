/**
 * What lies in a VoteStore: the vote of a witness, or the last claim made at the arbiter (layout: docs/FORMATS.md, "Vote
 * register", "Claim register"); and operations on it with a limit, for a store may never answer.
 *
 * A register that is empty or damaged is blank. One of another device or of a later program is left alone, as if it could
 * not be reached.
 */

import { getCount, putCount } from '../base/count.ts';
import { crc32c } from '../base/crc32c.ts';
import { getUuid, putUuid, type Uuid } from '../base/uuid.ts';
import type { Clock } from '../ports/clock.ts';
import type { VoteStore } from '../ports/vote-store.ts';
import type { Configuration } from './configuration.ts';
import {
  CONFIGURATION_RECORD_LENGTH,
  getConfigurationRecord,
  getNodes,
  MEMBERS_MAX,
  putConfigurationRecord,
  putNodes,
} from './fields.ts';
import { STORE_MS } from './times.ts';

export interface VoteRecord {
  readonly promised: number;
  /** Term 0: none. */
  readonly accepted: Configuration;
}

/** Who could go on last. */
export interface ClaimRecord {
  readonly term: number;
  readonly members: readonly number[];
}

export interface RegisterFormat<T> {
  readonly magic: number;
  /** Of what follows the head. */
  readonly length: number;
  put(view: DataView, offset: number, record: T): void;
  get(view: DataView, offset: number): T | undefined;
}

const VERSION = 1;
const HEAD_LENGTH = 24;
const CHECKSUM_LENGTH = 4;

export const VOTE: RegisterFormat<VoteRecord> = {
  magic: 0x4c535652, // 'LSVR'
  length: 8 + CONFIGURATION_RECORD_LENGTH,
  put(view, offset, { promised, accepted }) {
    putCount(view, offset, promised);
    putConfigurationRecord(view, offset + 8, accepted);
  },
  get(view, offset) {
    const promised = getCount(view, offset);
    const accepted = getConfigurationRecord(view, offset + 8);
    return accepted === undefined || promised < accepted.term ? undefined : { promised, accepted };
  },
};

export const CLAIM: RegisterFormat<ClaimRecord> = {
  magic: 0x4c534352, // 'LSCR'
  length: 20,
  put(view, offset, { term, members }) {
    putCount(view, offset, term);
    putNodes(view, offset + 8, members, MEMBERS_MAX);
  },
  get(view, offset) {
    const term = getCount(view, offset);
    const members = getNodes(view, offset + 8, MEMBERS_MAX);
    return members === undefined || term < 0 ? undefined : { term, members };
  },
};

export function encodeRegister<T>(format: RegisterFormat<T>, device: Uuid, record: T): Uint8Array {
  const end = HEAD_LENGTH + format.length;
  const bytes = new Uint8Array(end + CHECKSUM_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, format.magic);
  view.setUint16(4, VERSION);
  putUuid(view, 8, device);
  format.put(view, HEAD_LENGTH, record);
  view.setUint32(end, crc32c(bytes.subarray(0, end), 0));
  return bytes;
}

export type DecodedRegister<T> =
  | { readonly kind: 'found'; readonly record: T }
  | { readonly kind: 'damaged' }
  /** Of a later program, or of another device: nothing is concluded from it, and it is not overwritten. */
  | { readonly kind: 'foreign' };

export function decodeRegister<T>(
  format: RegisterFormat<T>,
  device: Uuid,
  bytes: Uint8Array,
): DecodedRegister<T> {
  // The checksum stands at the end whatever a later version has added before it.
  const end = bytes.length - CHECKSUM_LENGTH;
  if (end < HEAD_LENGTH) return { kind: 'damaged' };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(end) !== crc32c(bytes.subarray(0, end), 0)) return { kind: 'damaged' };
  const isOurs = view.getUint32(0) === format.magic && getUuid(view, 8) === device;
  if (!isOurs || view.getUint16(4) > VERSION) return { kind: 'foreign' };
  if (bytes.length !== HEAD_LENGTH + format.length + CHECKSUM_LENGTH) return { kind: 'damaged' };
  const record = format.get(view, HEAD_LENGTH);
  return record === undefined ? { kind: 'damaged' } : { kind: 'found', record };
}

export interface FoundRegister<T> {
  /** Undefined: blank. */
  readonly record: T | undefined;
  readonly version: number;
}

export interface RegisterOptions<T> {
  readonly store: VoteStore;
  readonly format: RegisterFormat<T>;
  readonly device: Uuid;
  readonly clock: Clock;
}

export class Register<T> {
  readonly #options: RegisterOptions<T>;

  constructor(options: RegisterOptions<T>) {
    this.#options = options;
  }

  /** Undefined: nothing can be said. */
  async read(): Promise<FoundRegister<T> | undefined> {
    const { store, format, device } = this.#options;
    const read = await this.#limited(store.read());
    if (read?.ok !== true) return undefined;
    if (read.value === undefined) return { record: undefined, version: 0 };
    const { bytes, version } = read.value;
    const decoded = decodeRegister(format, device, bytes);
    if (decoded.kind === 'foreign') return undefined;
    return { record: decoded.kind === 'found' ? decoded.record : undefined, version };
  }

  /** False: somebody was faster. Undefined: it may be done, now or later. */
  async write(record: T, version: number): Promise<boolean | undefined> {
    const { store, format, device } = this.#options;
    const written = await this.#limited(store.write(encodeRegister(format, device, record), version));
    return written?.ok === true ? written.value : undefined;
  }

  #limited<A>(answer: Promise<A>): Promise<A | undefined> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(STORE_MS, () => resolve(undefined));
      void answer.then((value) => {
        timer.cancel();
        resolve(value);
      });
    });
  }
}
