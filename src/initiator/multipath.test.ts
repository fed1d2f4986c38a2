/**
 * Goal: a command reaches the unit as long as one path does, goes to another path only when it may, and fails when it
 * must. Method: two targets made by hand behind two portals; time that moves when told.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '../base/crc32c.ts';
import { fail, ok } from '../base/result.ts';
import { ManualClock } from '../iscsi/testing/raw-initiator.ts';
import { compareAndWrite, readBlocks, type ScsiRequest } from './commands.ts';
import { DEFAULT_PATH_TIMES, Multipath, type Outcome } from './multipath.ts';
import { type FakeAnswer, FakeTarget } from './testing/fake-target.ts';

const READ = 0x88;
const COMPARE_AND_WRITE = 0x89;
const TEST_UNIT_READY = 0x00;
const PORTALS = ['192.0.2.1:3260', '192.0.2.2:3260'];
const QUEUE_MS_MAX = 20_000;

type Answers = (opcode: number) => FakeAnswer | undefined;

class Host {
  readonly clock = new ManualClock();
  /** By portal, the latest; none: nobody listens. */
  readonly targets = new Map<string, FakeTarget>();
  readonly answers = new Map<string, Answers>();
  readonly refused = new Set<string>();
  readonly multipath: Multipath;

  constructor() {
    this.multipath = new Multipath({
      paths: PORTALS.map((portal) => ({ portal, targetName: 'iqn.2026-01.test:disk' })),
      initiatorName: 'iqn.2026-01.test:host',
      isidRandom: 1,
      times: DEFAULT_PATH_TIMES,
      queueMsMax: QUEUE_MS_MAX,
      ports: {
        clock: this.clock,
        crc32c,
        connect: (portal) => {
          if (this.refused.has(portal)) return Promise.resolve(fail('refused'));
          const target = new FakeTarget();
          target.answers = (opcode) => (this.answers.get(portal) ?? (() => ({})))(opcode);
          this.targets.set(portal, target);
          return Promise.resolve(ok(target));
        },
      },
    });
  }

  target(index: number): FakeTarget {
    return this.targets.get(PORTALS[index]!)!;
  }

  answer(index: number, answers: Answers): void {
    this.answers.set(PORTALS[index]!, answers);
  }

  begin(request: ScsiRequest = readBlocks(0, 1, 4096), isRepeatable = true): Outcome[] {
    const outcomes: Outcome[] = [];
    this.multipath.execute({
      request: () => request,
      isRepeatable,
      done: (outcome) => outcomes.push(outcome),
    });
    return outcomes;
  }

  async wait(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 50) {
      this.clock.advance(50);
      await turn();
    }
  }

  /** READs that came to a target. */
  reads(index: number): number {
    return this.target(index).commands.filter((opcode) => opcode === READ).length;
  }
}

async function turn(): Promise<void> {
  for (let i = 0; i < 60; i++) await Promise.resolve();
}

async function ready(): Promise<Host> {
  const host = new Host();
  await turn();
  assert.equal(host.multipath.usablePaths, 2);
  assert.deepEqual(await host.multipath.capacity, { blocks: 2048, blockLength: 4096 });
  return host;
}

test('commands take turns over the paths', async () => {
  const host = await ready();
  const all = Array.from({ length: 6 }, () => host.begin());
  await turn();
  assert.ok(all.every(([outcome]) => outcome?.kind === 'good'));
  assert.deepEqual([host.reads(0), host.reads(1)], [3, 3]);
});

test('when a connection ends, what was on it goes on over another path', async () => {
  const host = await ready();
  host.answer(0, (opcode) => (opcode === READ ? undefined : {}));
  const all = [host.begin(), host.begin()];
  await turn();
  assert.deepEqual(
    all.map((outcomes) => outcomes.length).toSorted((a, b) => a - b),
    [0, 1],
  );
  host.target(0).hangUp();
  await turn();
  assert.deepEqual(
    all.map(([outcome]) => outcome?.kind),
    ['good', 'good'],
  );
});

test('a silent path keeps its commands for five seconds', async () => {
  const host = await ready();
  host.target(0).isSilent = true;
  const all = [host.begin(), host.begin()];
  await host.wait(4700);
  assert.equal(host.reads(1), 1);
  await host.wait(600);
  assert.equal(host.reads(1), 2);
  assert.deepEqual(
    all.map(([outcome]) => outcome?.kind),
    ['good', 'good'],
  );
});

test('a unit that is not ready is asked no more until its path checker says so', async () => {
  const host = await ready();
  let serves = false;
  host.answer(0, (opcode) =>
    !serves && (opcode === READ || opcode === TEST_UNIT_READY) ? { sense: [2, 4, 12] } : {},
  );
  for (let i = 0; i < 10; i++) {
    const outcomes = host.begin();
    await host.wait(100);
    assert.equal(outcomes[0]?.kind, 'good');
  }
  assert.equal(host.reads(0), 1);
  assert.equal(host.multipath.usablePaths, 1);
  serves = true;
  await host.wait(1500);
  assert.equal(host.multipath.usablePaths, 2);
});

test('a unit attention is no failure', async () => {
  const host = await ready();
  let told = false;
  host.answer(0, (opcode) => {
    if (opcode !== READ || told) return {};
    told = true;
    return { sense: [6, 0x2a, 0x06] };
  });
  const all = [host.begin(), host.begin()];
  await turn();
  assert.deepEqual(
    all.map(([outcome]) => outcome?.kind),
    ['good', 'good'],
  );
});

test('without a path commands wait, and fail after the time they may', async () => {
  const host = await ready();
  for (const portal of PORTALS) host.refused.add(portal);
  host.target(0).hangUp();
  host.target(1).hangUp();
  const early = host.begin();
  await host.wait(10_000);
  const late = host.begin();
  assert.equal(early.length + late.length, 0);
  await host.wait(10_200);
  assert.equal(early[0]?.kind, 'failed');
  assert.equal(late.length, 0);
  host.refused.clear();
  await host.wait(1000);
  assert.equal(late[0]?.kind, 'good');
});

test('COMPARE AND WRITE is not repeated when nobody knows whether it was done', async () => {
  const host = await ready();
  for (const index of [0, 1]) host.answer(index, (opcode) => (opcode === COMPARE_AND_WRITE ? undefined : {}));
  const block = new Uint8Array(4096);
  const swap = compareAndWrite(0, { expected: block, data: block }, 4096);
  const lost = host.begin(swap, false);
  await turn();
  host.target(0).hangUp();
  host.target(1).hangUp();
  await turn();
  assert.deepEqual(lost, [{ kind: 'unknown' }]);
});

test('errors of the medium and of the command are failures', async () => {
  const host = await ready();
  for (const index of [0, 1])
    host.answer(index, (opcode) => (opcode === READ ? { sense: [3, 0x11, 0] } : {}));
  const outcomes = host.begin();
  await turn();
  assert.equal(outcomes[0]?.kind, 'failed');
});
