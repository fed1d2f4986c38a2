/**
 * Goal: whatever happens to the power or to the bytes, the log names every extent into which a write may have been
 * under way, or says that it cannot. Method: random writers over a disk whose power is cut at every call, with every
 * fate of unfinished sectors; then every byte of a good ring flipped, and its newest transaction torn at every byte.
 */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'node:test';
import { createPrng, type Prng } from '../base/prng.ts';
import { isAsync } from '../base/result.ts';
import { ActivityLog, BUSY, HOT } from './activity-log.ts';
import { ActivityLogFile, loadLog, LOG_FILE_LENGTH, type LogPlace } from './activity-log-file.ts';
import { type Replay, replay } from './activity-log-replay.ts';
import { decodeTransaction, type ReadTransaction, TRANSACTION_LENGTH } from './activity-log-format.ts';
import { CutDisk, fates } from './testing/cut-disk.ts';

const DEVICE = '0123456789abcdef0123456789abcdef';
const PER_EXTENT = 1024;
const EXTENTS = 3000;
const BLOCKS = EXTENTS * PER_EXTENT;
const BLOCK = 4096;

const placeOn = (disk: CutDisk): LogPlace => ({ disk, offset: 0, device: DEVICE });

async function beginOn(disk: CutDisk, slots: number): Promise<ActivityLogFile | undefined> {
  const log = new ActivityLog(BLOCKS, BLOCK, slots);
  const before = await loadLog(placeOn(disk));
  const begun = await Promise.race([
    ActivityLogFile.begin(log, placeOn(disk), before, () => ({ ok: true, value: undefined })),
    disk.cut,
  ]);
  return begun !== 'cut' && begun.ok ? begun.value : undefined;
}

/** Writers that come and go until the power is cut or `steps` are over; answers what was let go and not settled. */
async function work(file: ActivityLogFile, random: Prng, steps: number): Promise<Map<number, number>> {
  const inFlight = new Map<number, number>();
  const open: { lba: number; blocks: number }[] = [];
  const count = (lba: number, blocks: number, by: number): void => {
    for (let extent = Math.floor(lba / PER_EXTENT); extent * PER_EXTENT < lba + blocks; extent++) {
      const now = (inFlight.get(extent) ?? 0) + by;
      if (now === 0) inFlight.delete(extent);
      else inFlight.set(extent, now);
    }
  };
  for (let step = 0; step < steps; step++) {
    if (random.chance(0.4) && open.length > 0) {
      const [{ lba, blocks }] = open.splice(random.integer(0, open.length - 1), 1) as [(typeof open)[0]];
      count(lba, blocks, -1);
      file.settle(lba, blocks);
    } else {
      const blocks = random.integer(1, random.chance(0.2) ? 3000 : 8);
      const lba = random.chance(0.5) ? random.integer(0, 20_000) : random.integer(0, BLOCKS - blocks);
      const letGo = (): void => {
        count(lba, blocks, 1);
        open.push({ lba, blocks });
      };
      const admitted = file.admit(lba, blocks);
      if (!isAsync(admitted)) letGo();
      else void admitted.then((result) => (result.ok ? letGo() : undefined));
    }
    // oxlint-disable-next-line no-await-in-loop -- lets the log write now and then
    if (random.chance(0.3)) await turn();
  }
  await turn();
  return inFlight;
}

function assertCovers(found: Replay, inFlight: ReadonlyMap<number, number>, what: string): void {
  if (found.kind === 'unreadable') return;
  const extents = new Set(found.kind === 'readable' ? found.extents : []);
  for (const extent of inFlight.keys())
    assert.ok(extents.has(extent), `${what}: extent ${extent} is missing`);
}

for (const slots of [16, 40, 2000])
  test(`a power cut at any call loses no extent of a log of ${slots} slots, and the log is readable`, async () => {
    let torn = 0;
    for (let cutAt = 1; cutAt <= 90; cutAt += slots === 2000 ? 13 : slots === 40 ? 7 : 5) {
      const random = createPrng(cutAt * 1000 + slots);
      const disk = new CutDisk(LOG_FILE_LENGTH);
      disk.cutAt = cutAt;
      const file = await beginOn(disk, slots);
      const inFlight = file === undefined ? new Map<number, number>() : await work(file, random, 400);
      for (const [index, fate] of fates(() => random.chance(0.5)).entries()) {
        const left = disk.afterCut(fate);
        const found = await loadLog(placeOn(left));
        assert.notEqual(found.kind, 'unreadable', `cut ${cutAt}, fate ${index}: a torn write is no damage`);
        assertCovers(found, inFlight, `cut ${cutAt}, fate ${index}`);
        if (index > 1) torn += 1;
        // A second crash, while the next incarnation begins: the former one still counts, or nothing is lost.
        left.cutAt = 1 + (cutAt % 2);
        await beginOn(left, slots);
        const again = await loadLog(placeOn(left.afterCut(() => random.chance(0.5))));
        if (again.kind === 'readable' && found.kind === 'readable' && again.incarnation === found.incarnation)
          assertCovers(again, inFlight, `cut ${cutAt}, fate ${index}, again`);
        assert.notEqual(again.kind, 'unreadable', `cut ${cutAt}, fate ${index}: twice torn is no damage`);
      }
    }
    assert.ok(torn > 30);
  });

test('the ring goes round many times and forgets nothing, over several incarnations', async () => {
  const random = createPrng(7);
  let disk = new CutDisk(LOG_FILE_LENGTH);
  for (let life = 0; life < 4; life++) {
    const file = (await beginOn(disk, 64))!;
    const inFlight = await work(file, random, 1500);
    const left = disk.afterCut(() => random.chance(0.5));
    const found = await loadLog(placeOn(left));
    assert.equal(found.kind, 'readable');
    assert.ok(
      found.kind === 'readable' && found.incarnation === life + 1 && found.last.sequence > 128 * (life + 1),
    );
    assertCovers(found, inFlight, `life ${life}`);
    disk = left;
  }
});

async function goodRing(): Promise<{ disk: CutDisk; inFlight: Map<number, number>; found: Replay }> {
  const disk = new CutDisk(LOG_FILE_LENGTH);
  const file = (await beginOn(disk, 2500))!;
  const inFlight = await work(file, createPrng(3), 1200);
  const left = new CutDisk(disk.durable);
  return { disk: left, inFlight, found: await loadLog(placeOn(left)) };
}

/** The ring as read, and a way to read it with one page changed, which is cheap enough to do for every byte. */
function pagesOf(disk: CutDisk): { ring: ReadTransaction[]; replayWith: (page: number) => Replay } {
  const read = (page: number): ReadTransaction =>
    decodeTransaction(
      disk.bytes.subarray(page * TRANSACTION_LENGTH, (page + 1) * TRANSACTION_LENGTH),
      DEVICE,
    );
  const ring = Array.from({ length: disk.length / TRANSACTION_LENGTH }, (_, page) => read(page));
  return { ring, replayWith: (page) => replay(ring.with(page, read(page))) };
}

test('a flipped byte anywhere is noticed: nothing is missing, or the log says that it is unreadable', async () => {
  const { disk, inFlight, found } = await goodRing();
  assert.ok(found.kind === 'readable' && inFlight.size > 5 && found.last.sequence > 130);
  const { replayWith } = pagesOf(disk);
  let noticed = 0;
  const newest = found.last.sequence % 128;
  for (let at = 0; at < disk.length; at += Math.floor(at / TRANSACTION_LENGTH) === newest ? 1 : 61) {
    const page = Math.floor(at / TRANSACTION_LENGTH);
    disk.bytes[at]! ^= 0x40;
    const read = replayWith(page);
    // A flipped tag looks like a torn write, and can fool only in the very newest batch; see FORMATS.md.
    if (!(at % 512 >= 508 && page === newest)) assertCovers(read, inFlight, `byte ${at}`);
    if (read.kind === 'unreadable') noticed += 1;
    disk.bytes[at]! ^= 0x40;
  }
  assert.ok(noticed > 4000, `${noticed}`);
});

test('the newest transaction torn at every byte loses nothing of what was durable before', async () => {
  const disk = new CutDisk(LOG_FILE_LENGTH);
  const file = (await beginOn(disk, 2000))!;
  const inFlight = await work(file, createPrng(5), 600);
  const before = disk.durable.slice();
  const cold = [...Array(EXTENTS).keys()].find((extent) => !inFlight.has(extent) && extent > 500)!;
  await file.admit(cold * PER_EXTENT, 1);
  const after = disk.durable;
  const page = Math.floor(before.findIndex((byte, at) => byte !== after[at]) / TRANSACTION_LENGTH);
  const start = page * TRANSACTION_LENGTH;
  const left = new CutDisk(before);
  const { replayWith } = pagesOf(left);
  let [readable, unreadable] = [0, 0];
  for (const tail of [false, true])
    for (let cut = 0; cut < TRANSACTION_LENGTH; cut++) {
      const [from, to] = tail ? [start + cut, start + TRANSACTION_LENGTH] : [start, start + cut];
      left.bytes.set(before.subarray(start, start + TRANSACTION_LENGTH), start);
      left.bytes.set(after.subarray(from, to), from);
      const found = replayWith(page);
      assertCovers(found, inFlight, `cut at ${cut}`);
      if (found.kind === 'readable') readable += 1;
      else unreadable += 1;
    }
  // Only a cut within the first or the last sector can look like decay, and that is no way in which disks tear.
  assert.ok(readable > 7000 && unreadable < 1030, `${readable} ${unreadable}`);
});

test('a sector that cannot be read makes the log unreadable where it is needed, and nowhere else', async () => {
  const { disk, inFlight } = await goodRing();
  let unreadable = 0;
  for (let at = 0; at < disk.length; at += TRANSACTION_LENGTH) {
    disk.unreadable.add(at + 512);
    const found = await loadLog(placeOn(disk));
    assertCovers(found, inFlight, `page at ${at}`);
    if (found.kind === 'unreadable') unreadable += 1;
    disk.unreadable.clear();
  }
  assert.ok(unreadable >= 2 && unreadable <= 3 + 16, `${unreadable}`);
});

test('a disk of another device proves nothing', async () => {
  const { disk } = await goodRing();
  const found = await loadLog({ disk, offset: 0, device: 'f'.repeat(32) });
  assert.deepEqual(found, { kind: 'unreadable', reason: 'noTransaction' });
});

test('after a clean stop nothing may differ, and a crash during it loses nothing', async () => {
  for (let cutAt = 0; cutAt < 3; cutAt++) {
    const disk = new CutDisk(LOG_FILE_LENGTH);
    const file = (await beginOn(disk, 2000))!;
    for (let extent = 0; extent < 100; extent++) await file.admit(extent * PER_EXTENT, 1);
    if (cutAt > 0) disk.cutAt = disk.calls + cutAt;
    for (let extent = 0; extent < 100; extent++) file.settle(extent * PER_EXTENT, 1);
    await Promise.race([file.clear(), disk.cut]);
    const found = await loadLog(placeOn(disk.afterCut((sector) => sector % 2 === 0)));
    assert.ok(found.kind === 'readable');
    assert.equal(found.extents.length, cutAt === 0 ? 0 : 100);
  }
});

test('a failed write or flush lets nobody go, then or later', async () => {
  for (let failAt = 3; failAt <= 4; failAt++) {
    const disk = new CutDisk(LOG_FILE_LENGTH);
    disk.failAt = failAt;
    const file = (await beginOn(disk, 16))!;
    const results = await Promise.all([file.admit(0, 1), file.admit(9 * PER_EXTENT, 1)]);
    assert.deepEqual(
      results.map((result) => result.ok),
      [false, false],
    );
    assert.equal((await file.admit(0, 1)).ok, false);
  }
});

test('misses of one moment share one write and one flush', async () => {
  const disk = new CutDisk(LOG_FILE_LENGTH);
  const file = (await beginOn(disk, 1000))!;
  const before = disk.calls;
  const all = await Promise.all(
    Array.from({ length: 500 }, async (_, i) => file.admit(i * 3 * PER_EXTENT, 1)),
  );
  assert.ok(all.every((result) => result.ok));
  assert.equal(disk.calls - before, 2);
});

test('an extent keeps its slot while a write is under way or unflushed, and loses it to the least recently used', () => {
  const log = new ActivityLog(BLOCKS, BLOCK, 16);
  const admit = (extent: number): number => log.admit(extent * PER_EXTENT + 5, 1);
  const settle = (): void => {
    log.takeBatch();
    log.batchDurable();
  };
  for (let i = 0; i < 16; i++) assert.ok(admit(i * 50) > 0);
  assert.equal(admit(900), BUSY);
  settle();
  for (let i = 0; i < 16; i++) assert.equal(admit(i * 50), HOT);
  for (let i = 0; i < 16; i++) log.settle(i * 50 * PER_EXTENT, PER_EXTENT);
  assert.equal(admit(900), BUSY, 'each is still held once');
  log.settle(3 * 50 * PER_EXTENT, 1);
  log.settleAtFlush(4 * 50 * PER_EXTENT, 1);
  assert.ok(admit(900) > 0);
  assert.deepEqual(log.takeBatch()?.evicted, [150]);
  log.batchDurable();
  assert.equal(admit(901), BUSY, 'what is not flushed is not evicted');
  log.seal();
  assert.equal(admit(901), BUSY);
  log.confirm();
  assert.ok(admit(901) > 0);
});

test('a sequential writer waits once, however far it goes', () => {
  const log = new ActivityLog(BLOCKS, BLOCK, 64);
  for (let lba = 0; lba < 2000 * PER_EXTENT; lba += 256) {
    if (log.admit(lba, 256) !== HOT && lba >= 256) assert.ok(lba <= 2 * PER_EXTENT, `waits at ${lba}`);
    if (log.hasStaged) {
      log.takeBatch();
      log.batchDurable();
    }
    log.settle(lba, 256);
  }
  assert.ok(log.statistics.waited <= 2, `${log.statistics.waited}`);
});
