/**
 * Goal: whatever strategy, whatever happened, the chunks that a journal names are at least those that may differ, or
 * it says full and why. Method: random histories of writes, flushes, losses and returns of a partner over a disk whose
 * power goes at every call; beside it a plain set of what the partner lacks.
 */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'node:test';
import { createPrng, type Prng } from '../base/prng.ts';
import { EXTENT_LENGTH } from './activity-log.ts';
import { CHUNK_LENGTH } from './dirty-map.ts';
import { Journal, journalLength, type JournalOptions, recoveredMap, SELF } from './journal.ts';
import type { Ending, JournalStrategy } from './recovery.ts';
import { CutDisk, fates } from './testing/cut-disk.ts';

const BLOCK = 4096;
const PER_CHUNK = 16;
const BLOCKS = (300 * 4 * 2 ** 20) / BLOCK;
const CHUNKS_PER_EXTENT = EXTENT_LENGTH / CHUNK_LENGTH;
const PARTNER = 2;
const base = (term: number) => ({ term, id: term.toString(16).padStart(32, '0') });

function optionsOn(disk: CutDisk, strategy: JournalStrategy): JournalOptions {
  const shape = { strategy, device: 'd'.repeat(32), blockCount: BLOCKS, blockLength: BLOCK, slotCount: 16 };
  return { ...shape, partners: [PARTNER, 3], disk, offset: 4096 };
}

const newDisk = (): CutDisk => new CutDisk(4096 + journalLength(BLOCKS, BLOCK, 2));

interface Story {
  /** Chunks in which the partner may differ from this node's medium. */
  readonly differs: Set<number>;
  state: 'inSync' | 'absent';
  base: { term: number; id: string };
  stopped: boolean;
}

/** Lives with a partner that goes and comes; gives up when the power is gone. */
async function live(journal: Journal, disk: CutDisk, random: Prng, story: Story): Promise<void> {
  const open: { lba: number; blocks: number }[] = [];
  let term = 1;
  const alive = async <T>(action: Promise<T>): Promise<T | undefined> => {
    const answer = await Promise.race([action, disk.cut]);
    return answer === 'cut' ? undefined : (answer as T);
  };
  const settleAll = (): void => {
    for (const { lba, blocks } of open.splice(0)) journal.written(lba, blocks, 'durable');
    if (story.state === 'inSync') story.differs.clear();
  };
  for (let step = 0; step < 250 && disk.calls < disk.cutAt; step++) {
    const dice = random.next();
    if (dice < 0.75) {
      const lba = random.chance(0.7) ? random.integer(0, 9000) : random.integer(0, BLOCKS - 40);
      const blocks = random.integer(1, 40);
      if (open.length > 8) settleAll();
      // oxlint-disable-next-line no-await-in-loop -- one event after the other
      const let_ = await alive(Promise.resolve(journal.beforeWrite(lba, blocks)));
      if (let_ === undefined || !let_.ok) return;
      for (let chunk = Math.floor(lba / PER_CHUNK); chunk * PER_CHUNK < lba + blocks; chunk++)
        story.differs.add(chunk);
      open.push({ lba, blocks });
    } else if (dice < 0.85) {
      settleAll();
    } else if (dice < 0.93 && story.state === 'inSync') {
      const pending = open.splice(0);
      for (const { lba, blocks } of pending) journal.written(lba, blocks, 'durable');
      term += 1;
      // oxlint-disable-next-line no-await-in-loop
      if (!(await alive(journal.partnerLeft(PARTNER, base(term), pending)))?.ok) return;
      story.base = base(term);
      story.state = 'absent';
    } else if (dice > 0.985 && story.state === 'absent') {
      settleAll();
      const map = journal.mapOf(PARTNER)!;
      for (const chunk of story.differs) assert.ok(map.has(chunk), 'the map in memory has it');
      for (let chunk = map.next(0); chunk >= 0; chunk = map.next(chunk + 1)) {
        if (random.chance(0.3)) continue;
        map.clear(chunk);
        story.differs.delete(chunk);
      }
      // oxlint-disable-next-line no-await-in-loop
      if ((await alive(journal.saveProgress(PARTNER))) === undefined) return;
      if (map.count > 20) continue;
      journal.partnerLearns(PARTNER);
      for (let chunk = map.next(0); chunk >= 0; chunk = map.next(chunk + 1)) map.clear(chunk);
      story.differs.clear();
      journal.partnerReturned(PARTNER);
      story.state = 'inSync';
      // oxlint-disable-next-line no-await-in-loop
      if (!(await alive(journal.endLogIfIdle()))?.ok) return;
    }
    // oxlint-disable-next-line no-await-in-loop
    if (random.chance(0.1)) await turn();
  }
  settleAll();
  if ((await alive(journal.stop()))?.ok) story.stopped = true;
}

function endingOf({ state, stopped }: Story): Ending {
  if (stopped) return state === 'inSync' ? 'stopInSync' : 'stopDegraded';
  return state === 'inSync' ? 'outageInSync' : 'outageDegraded';
}

for (const strategy of ['ram', 'failure', 'continuous'] as const)
  test(`journal '${strategy}': a power cut at any call leaves no chunk out, or a full resync with its reason`, async () => {
    const seen = new Map<string, number>();
    for (let cutAt = 1; cutAt < 400; cutAt += cutAt < 40 ? 1 : 9) {
      const random = createPrng(cutAt);
      const disk = newDisk();
      disk.cutAt = cutAt < 380 ? cutAt : Number.POSITIVE_INFINITY;
      const story: Story = { differs: new Set(), state: 'inSync', base: base(1), stopped: false };
      const journal = new Journal(optionsOn(disk, strategy));
      // oxlint-disable-next-line no-await-in-loop
      await journal.load(true);
      // oxlint-disable-next-line no-await-in-loop
      const started = await Promise.race([journal.start(new Map()), disk.cut]);
      // oxlint-disable-next-line no-await-in-loop
      if (started !== 'cut') await live(journal, disk, random, story);
      for (const fate of fates(() => random.chance(0.5)).slice(0, 7)) {
        const left = disk.afterCut(fate);
        const options = optionsOn(left, strategy);
        // oxlint-disable-next-line no-await-in-loop
        const found = await new Journal(options).load(true);
        const ending = endingOf(story);
        const { proof, map } = recoveredMap(options, found, { partner: PARTNER, ending, base: story.base });
        for (const chunk of story.differs)
          assert.ok(map.has(chunk), `cut ${cutAt}: chunk ${chunk} is missing`);
        const said = `${ending} ${proof.kind === 'full' ? proof.reason : 'fast'}`;
        seen.set(said, (seen.get(said) ?? 0) + 1);
      }
    }
    assert.ok(
      [...seen.keys()].some((said) => said.startsWith('stop')),
      JSON.stringify([...seen]),
    );
    if (strategy === 'continuous')
      assert.ok((seen.get('outageInSync fast') ?? 0) > 50 && (seen.get('outageDegraded fast') ?? 0) > 20);
    if (strategy === 'failure')
      assert.ok((seen.get('outageDegraded fast') ?? 0) > 20, JSON.stringify([...seen]));
  });

test('what a partner or this node had only in its cache is dirty when the partner leaves', async () => {
  const journal = new Journal(optionsOn(newDisk(), 'ram'));
  await journal.load(true);
  await journal.start(new Map());
  const write = async (chunk: number): Promise<void> => {
    await journal.beforeWrite(chunk * PER_CHUNK, 1);
    journal.written(chunk * PER_CHUNK, 1, 'cached');
  };
  await write(1);
  journal.sealUnflushed();
  await write(2);
  for (const partner of [PARTNER, 3, SELF]) journal.confirmUnflushed(partner);
  await write(3);
  journal.sealUnflushed();
  await write(4);
  await journal.partnerLeft(PARTNER, base(2), [{ lba: 9 * PER_CHUNK, blocks: 1 }]);
  const map = journal.mapOf(PARTNER)!;
  assert.deepEqual(
    [1, 2, 3, 4, 9].map((chunk) => map.has(chunk)),
    [false, true, true, true, true],
  );
  assert.equal(map.count, 4);
});

test('a map of another epoch is not trusted', async () => {
  const disk = newDisk();
  const options = optionsOn(disk, 'failure');
  const journal = new Journal(options);
  await journal.load(true);
  await journal.start(new Map());
  await journal.partnerLeft(PARTNER, base(5), []);
  await journal.stop();
  const found = await new Journal(options).load(true);
  const at = (term: number) =>
    recoveredMap(options, found, { partner: PARTNER, ending: 'stopDegraded', base: base(term) }).proof;
  assert.deepEqual(at(5), { kind: 'fast', from: ['map'] });
  assert.deepEqual(at(6), { kind: 'full', reason: 'mapOfOtherEpoch' });
});

test('with its disk gone the journal goes on in memory when it is told to, and lets nothing go before', async () => {
  const disk = newDisk();
  const journal = new Journal(optionsOn(disk, 'continuous'));
  await journal.load(true);
  await journal.start(new Map());
  disk.failAt = disk.calls + 1;
  assert.equal((await journal.beforeWrite(0, 1)).ok, false);
  assert.equal((await journal.beforeWrite(0, 1)).ok, false);
  journal.declareLost();
  assert.equal((await journal.beforeWrite(0, 1)).ok, true);
});

test('after an outage of copies in sync what the log was busy with is dirty, and nothing else', async () => {
  const disk = newDisk();
  const options = optionsOn(disk, 'continuous');
  const journal = new Journal(options);
  await journal.load(true);
  await journal.start(new Map());
  assert.ok((await journal.beforeWrite(2 * CHUNKS_PER_EXTENT * PER_CHUNK, 1)).ok);
  const found = await new Journal(
    optionsOn(
      disk.afterCut(() => false),
      'continuous',
    ),
  ).load(true);
  const { map } = recoveredMap(options, found, { partner: PARTNER, ending: 'outageInSync', base: base(1) });
  assert.deepEqual([map.next(0), map.count], [2 * CHUNKS_PER_EXTENT, CHUNKS_PER_EXTENT]);
});
