/**
 * A small durable record in two files, `<path>.0` and `<path>.1`, written in turn (layout: docs/FORMATS.md, "Record
 * file"). A record is written to `<path>.new`, synced, and renamed over the older of the two; then the directory is
 * synced. Whatever happens in between, the newer one of before is untouched. The checksum finds what a file system or
 * a medium does against its promises; the other copy is then taken, and when there is none the answer is `corrupt`.
 */

import { open, readFile, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fail, ok, type Result } from '../base/result.ts';
import type { RecordFault, RecordFile } from '../ports/record-file.ts';
import { crc32c } from './crc32c.ts';

const MAGIC = 0x4c535246; // 'LSRF'
const VERSION = 1;
const HEADER_LENGTH = 24;
const CHECKSUM_LENGTH = 4;
const RECORD_LENGTH_MAX = 16 * 1024 * 1024;

interface Copy {
  readonly slot: 0 | 1;
  readonly sequence: number;
  readonly record: Uint8Array;
}

/** The folder must exist. One RecordFile per path and process. */
export function openRecordFile(path: string): RecordFile {
  /** Undefined until it has been read; `sequence` 0: none was ever saved. */
  let newest: { slot: 0 | 1; sequence: number } | undefined;
  let last: Promise<unknown> = Promise.resolve();

  /** One at a time, in order of the calls. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work);
    last = turn.catch(() => {});
    return turn;
  }

  async function load(): Promise<Result<Uint8Array | undefined, RecordFault>> {
    const found = await readCopies(path);
    if (!found.ok) return found;
    newest = found.value ?? { slot: 1, sequence: 0 };
    return ok(found.value?.record);
  }

  async function save(record: Uint8Array): Promise<Result<void, RecordFault>> {
    if (record.length > RECORD_LENGTH_MAX) return fail(ioFault(path, 'the record is too long'));
    if (newest === undefined) {
      const loaded = await load();
      if (!loaded.ok) return loaded;
    }
    const next = { slot: newest!.slot === 0 ? 1 : 0, sequence: newest!.sequence + 1 } as const;
    try {
      await replace(path, next.slot, encode(record, next.sequence));
    } catch (error) {
      // Perhaps it is there and perhaps not: the next call looks.
      newest = undefined;
      return fail(ioFault(path, String(error)));
    }
    newest = next;
    return ok(undefined);
  }

  return { name: path, load: () => inTurn(load), save: (record) => inTurn(() => save(record)) };
}

async function readCopies(path: string): Promise<Result<Copy | undefined, RecordFault>> {
  const copies: Copy[] = [];
  const causes: string[] = [];
  for (const slot of [0, 1] as const) {
    const name = `${path}.${slot}`;
    try {
      // oxlint-disable-next-line no-await-in-loop -- two of them
      const copy = decode(await readFile(name), slot);
      if (typeof copy === 'string') causes.push(`${basename(name)}: ${copy}`);
      else copies.push(copy);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return fail(ioFault(path, String(error)));
    }
  }
  const best = copies.toSorted((a, b) => b.sequence - a.sequence)[0];
  if (best === undefined && causes.length > 0)
    return fail({ kind: 'corrupt', name: path, cause: causes.join('; ') });
  return ok(best);
}

async function replace(path: string, slot: 0 | 1, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, `${path}.${slot}`);
  const folder = await open(join(dirname(path), '.'), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function encode(record: Uint8Array, sequence: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_LENGTH + record.length + CHECKSUM_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint16(4, VERSION);
  view.setBigUint64(8, BigInt(sequence));
  view.setUint32(16, record.length);
  bytes.set(record, HEADER_LENGTH);
  const end = HEADER_LENGTH + record.length;
  view.setUint32(end, crc32c(bytes.subarray(0, end), 0));
  return bytes;
}

/** The copy, or why it is none. */
function decode(bytes: Uint8Array, slot: 0 | 1): Copy | string {
  if (bytes.length < HEADER_LENGTH + CHECKSUM_LENGTH) return 'too short';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0) !== MAGIC) return 'not a record file';
  if (view.getUint16(4) > VERSION) return `version ${view.getUint16(4)}, written by a later Lockstep`;
  const end = HEADER_LENGTH + view.getUint32(16);
  if (bytes.length !== end + CHECKSUM_LENGTH) return 'wrong length';
  if (view.getUint32(end) !== crc32c(bytes.subarray(0, end), 0)) return 'wrong checksum';
  const sequence = Number(view.getBigUint64(8));
  return { slot, sequence, record: bytes.slice(HEADER_LENGTH, end) };
}

function ioFault(name: string, cause: string): RecordFault {
  return { kind: 'ioError', name, cause };
}
