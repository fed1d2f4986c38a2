/**
 * The simulated disk as ports/disk.ts wants it: bytes and promises over sectors and tokens. With latencies of 0 it
 * answers at once.
 */

import { copyTo, lengthOf, slice } from '../src/base/segments.ts';
import type { MaybeAsync, Result } from '../src/base/result.ts';
import { DONE, fail, ok, then } from '../src/base/result.ts';
import type { Loan } from '../src/ports/block-device.ts';
import type { Disk, DiskFault, GrowFault } from '../src/ports/disk.ts';
import type { DiskOperation, DiskOptions, DiskOutcome, SimulatedDisk } from './disk.ts';
import { createDisk } from './disk.ts';
import { SECTOR_LENGTH } from './medium.ts';

/** Bytes of a sector from `at` on; in the medium always all of them. */
export interface SectorPart {
  readonly at: number;
  readonly bytes: Uint8Array;
}

export interface DiskPort extends Disk {
  readonly device: SimulatedDisk<SectorPart>;
  /** Somebody has made it so many sectors long, while nobody used it. */
  lengthen(sectors: number): void;
  /** As `ReopenableDisk.reopen`, and as each new process does: flushes may succeed again. */
  reopen(): void;
}

export interface DiskPortOptions
  extends Omit<DiskOptions<SectorPart>, 'corrupt' | 'combine' | 'onCompletion'> {
  /** As long as it can be made; `sectorCount` unless told. */
  readonly sectorsMax?: number;
}

type Answer = MaybeAsync<DiskOutcome<SectorPart>>;

const ZERO_SECTOR = new Uint8Array(SECTOR_LENGTH);
const PUNCH_GRANULARITY = 4096;

export function createDiskPort(options: DiskPortOptions): DiskPort {
  const sectorsMax = options.sectorsMax ?? options.sectorCount;
  let length = options.sectorCount * SECTOR_LENGTH;
  const waiting = new Map<number, (outcome: DiskOutcome<SectorPart>) => void>();
  let tokens = 0;
  /** A flush has, since it was opened. */
  let failed: Result<void, DiskFault> | undefined;
  const device = createDisk<SectorPart>({
    ...options,
    sectorCount: sectorsMax,
    corrupt: ({ at, bytes }) => ({ at, bytes: bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte)) }),
    combine,
    onCompletion(token, outcome) {
      waiting.get(token)?.(outcome);
      waiting.delete(token);
    },
  });

  function ask(operation: DiskOperation<SectorPart>): Answer {
    const token = tokens++;
    let atOnce: DiskOutcome<SectorPart> | undefined;
    waiting.set(token, (outcome) => {
      atOnce = outcome;
    });
    device.submit(operation, token);
    if (atOnce !== undefined) return atOnce;
    return new Promise((resolve) => {
      waiting.set(token, resolve);
    });
  }

  function writeAll(offset: number, data: readonly Uint8Array[]): MaybeAsync<Result<void, DiskFault>> {
    if (lengthOf(data) === 0) return DONE;
    const sector = Math.floor(offset / SECTOR_LENGTH);
    const answer = ask({ kind: 'write', sector, values: cutIntoSectors(offset, data) });
    return then(answer, (outcome) => toResult(outcome, 'write'));
  }

  function punchSectors(from: number, to: number): Answer {
    const sector = from / SECTOR_LENGTH;
    return ask({ kind: 'punch', sector, count: (to - from) / SECTOR_LENGTH });
  }

  async function grow(from: number, wanted: number): Promise<Result<void, GrowFault>> {
    if (wanted > sectorsMax * SECTOR_LENGTH)
      return fail({ kind: 'mediumEnds', length: sectorsMax * SECTOR_LENGTH });
    if (device.conditions.noSpace) return fail({ kind: 'noSpace', offset: from });
    const end = Math.max(length, wanted);
    if (end > from) {
      const cleared = await punchSectors(from, end);
      if (!cleared.ok) return toFault(cleared, 'write');
    }
    const flushed = await flush();
    if (flushed.ok) length = end;
    return flushed;
  }

  function flush(): MaybeAsync<Result<void, DiskFault>> {
    if (failed !== undefined) return failed;
    return then(ask({ kind: 'flush' }), (outcome) => {
      const result = toResult(outcome, 'flush');
      if (!result.ok) failed = result;
      return failed ?? result;
    });
  }

  return {
    device,
    name: `disk ${options.source} of host ${options.host.id}`,
    get length() {
      return length;
    },
    readOnly: false,
    punchGranularity: PUNCH_GRANULARITY,
    physicalSectorLength: SECTOR_LENGTH,
    read(offset, bytes) {
      const sector = Math.floor(offset / SECTOR_LENGTH);
      const count = Math.ceil((offset + bytes) / SECTOR_LENGTH) - sector;
      return then(ask({ kind: 'read', sector, count }), (outcome): Result<Loan, DiskFault> => {
        if (!outcome.ok) return toFault(outcome, 'read');
        const sectors = outcome.values.map((value) => value?.bytes ?? ZERO_SECTOR);
        const segments = slice(sectors, offset - sector * SECTOR_LENGTH, bytes);
        return ok({ segments, release: () => undefined });
      });
    },
    write: writeAll,
    grow,
    lengthen(sectors) {
      length = Math.max(length, sectors * SECTOR_LENGTH);
    },
    flush,
    reopen() {
      device.reopen();
      failed = undefined;
    },
    punch(offset, bytes) {
      const end = offset + bytes;
      const from = Math.min(end, Math.ceil(offset / SECTOR_LENGTH) * SECTOR_LENGTH);
      const to = Math.max(from, Math.floor(end / SECTOR_LENGTH) * SECTOR_LENGTH);
      const before = writeAll(offset, [new Uint8Array(from - offset)]);
      const inside = to > from ? then(punchSectors(from, to), (outcome) => toResult(outcome, 'write')) : DONE;
      const after = writeAll(to, [new Uint8Array(end - to)]);
      return firstFault(firstFault(before, inside), after);
    },
    extentAt(offset) {
      const sector = Math.floor(offset / SECTOR_LENGTH);
      const data = device.medium.read(sector) !== undefined;
      let end = sector + 1;
      while (end * SECTOR_LENGTH < length && (device.medium.read(end) !== undefined) === data) end++;
      return ok({ data, end: end * SECTOR_LENGTH });
    },
    close: () => Promise.resolve(),
  };
}

function combine(before: SectorPart | undefined, written: SectorPart): SectorPart {
  if (written.bytes.length === SECTOR_LENGTH) return written;
  const bytes = new Uint8Array(SECTOR_LENGTH);
  if (before !== undefined) bytes.set(before.bytes);
  bytes.set(written.bytes, written.at);
  return { at: 0, bytes };
}

/** Copies: what the caller does with its buffers afterwards is no concern of the disk's. */
function cutIntoSectors(offset: number, data: readonly Uint8Array[]): SectorPart[] {
  const all = new Uint8Array(lengthOf(data));
  copyTo(data, all, 0);
  const parts: SectorPart[] = [];
  for (let done = 0; done < all.length; ) {
    const at = (offset + done) % SECTOR_LENGTH;
    const bytes = all.subarray(done, done + Math.min(SECTOR_LENGTH - at, all.length - done));
    parts.push({ at, bytes });
    done += bytes.length;
  }
  return parts;
}

function firstFault(
  a: MaybeAsync<Result<void, DiskFault>>,
  b: MaybeAsync<Result<void, DiskFault>>,
): MaybeAsync<Result<void, DiskFault>> {
  return then(a, (result) => then(b, (other) => (result.ok ? other : result)));
}

function toResult(
  outcome: DiskOutcome<SectorPart>,
  operation: 'read' | 'write' | 'flush',
): Result<void, DiskFault> {
  return outcome.ok ? DONE : toFault(outcome, operation);
}

function toFault(
  outcome: Extract<DiskOutcome<SectorPart>, { ok: false }>,
  operation: 'read' | 'write' | 'flush',
): Result<never, DiskFault> {
  const offset = outcome.sector * SECTOR_LENGTH;
  if (outcome.fault === 'noSpace') return fail({ kind: 'noSpace', offset });
  return fail({ kind: 'ioError', operation, offset, cause: 'simulated' });
}
