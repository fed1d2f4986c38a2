/**
 * Goal: whatever waits on a copy that is opened again is answered: a session ends when its last command has. Method: a node
 * alone over a store whose writes stop answering; time that moves when told.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail, ok, type Result } from '../../base/result.ts';
import { crc32c } from '../../base/crc32c.ts';
import { SUPERBLOCK_FILE_LENGTH } from '../../cluster/superblock.ts';
import { journalLength } from '../../journal/journal.ts';
import { CutDisk } from '../../journal/testing/cut-disk.ts';
import type { GrowableDevice } from '../../ports/block-device.ts';
import { ManualClock } from '../../replication/testing/manual-clock.ts';
import { platformCrypto } from '../../runtime/crypto.ts';
import { createRamStore } from '../../store/ram-store.ts';
import { CopyRecords } from './copy-records.ts';
import { MirrorDevice } from './mirror-device.ts';
import { MirrorHost } from './mirror-host.ts';

const BLOCK = 4096;
const BLOCKS = 64;
const DEVICE = 'd'.repeat(32);
const COPY = 'c'.repeat(32);

/** Writes wait while `isStuck`, for `letGo`. */
function stickyStore() {
  const store = createRamStore({ blockLength: BLOCK, blockCount: BLOCKS });
  const state = { isStuck: false, letGo: () => undefined as void };
  const write: GrowableDevice['write'] = async (...words) => {
    if (state.isStuck) await new Promise<void>((go) => (state.letGo = go));
    return store.write(...words);
  };
  return { store: Object.assign(Object.create(store) as GrowableDevice, { write }), state };
}

async function hostAlone(
  clock: ManualClock,
  store: GrowableDevice,
  dropped: string[],
  reopen: () => Promise<Result<void, string>> = () => Promise.resolve(ok(undefined)),
  letGo: () => Promise<void> = () => Promise.resolve(),
) {
  const records = new CutDisk(SUPERBLOCK_FILE_LENGTH + journalLength(BLOCKS, BLOCK, 2));
  const identity = {
    device: DEVICE,
    node: 1,
    copy: COPY,
    blockLength: BLOCK,
    blockCount: BLOCKS,
    writePolicy: 'through',
    journal: 'ram',
  } as const;
  const made = new CopyRecords(records, 0, identity, clock);
  await made.load();
  await made.create({ term: 1, id: 'f'.repeat(32), members: [1], learners: [] });
  let incarnation = 0;
  const served = new MirrorDevice(store, clock);
  const host = new MirrorHost({
    self: 1,
    device: DEVICE,
    copyId: COPY,
    site: { nodes: [1, 2], strategy: { kind: 'heartbeat', policy: 'suspendLow' } },
    neighbours: [2],
    policy: 'through',
    journal: 'ram',
    slotCount: 64,
    confirmsReads: false,
    store,
    blockCount: BLOCKS,
    records,
    served,
    letGo,
    reopen,
    votes: undefined,
    ports: {
      clock,
      crypto: platformCrypto,
      crc32c,
      trace: () => undefined,
      openNetwork: () => ({
        links: [],
        start: () => undefined,
        connect: () => assert.fail('there is no link'),
        sendDatagram: () => false,
        close: () => undefined,
      }),
      nextIncarnation: () => ok(++incarnation),
      events: {
        attached: () => undefined,
        detached: () => undefined,
        dropSessions: (reason) => void dropped.push(reason),
        onChanged: () => undefined,
        onDocument: () => undefined,
      },
    },
  });
  return { host, served };
}

async function wait(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    clock.advance(50);
    for (let turn = 0; turn < 40; turn++) await new Promise(setImmediate);
  }
}

test('what waited on a copy that is opened again is refused', async () => {
  const clock = new ManualClock();
  const { store, state } = stickyStore();
  const dropped: string[] = [];
  const { host, served } = await hostAlone(clock, store, dropped);
  assert.ok((await host.start()).ok);
  await wait(clock, 3000);
  assert.equal(host.state?.isServing, true);

  state.isStuck = true;
  const data = [new Uint8Array(BLOCK).fill(1)];
  void served.write(0, data, 'durable');
  await wait(clock, 3500);
  assert.match(host.failure ?? '', /stopped answering/);
  state.isStuck = false;
  state.letGo();
  // A command that would be refused for its age only after the copy is opened again.
  await wait(clock, 2000);
  let answer: { readonly ok: boolean } | undefined;
  void Promise.resolve(served.read(5, 1)).then((given) => (answer = given));
  await wait(clock, 6000);
  assert.equal(host.failure, undefined);
  assert.ok(dropped.includes('the copy of this node is opened again'));
  assert.equal(answer?.ok, false);
});

test('a copy whose disks cannot be opened again is tried until they can', async () => {
  const clock = new ManualClock();
  const { store, state } = stickyStore();
  let tries = 0;
  const reopen = (): Promise<Result<void, string>> =>
    Promise.resolve(++tries < 3 ? fail('EIO') : ok(undefined));
  let [isLetGo, votesOn] = [(): void => assert.fail('not yet'), false];
  const letGo = (): Promise<void> => {
    assert.equal(tries, 0, 'the disks are those of before');
    votesOn = host.state?.role === 'failed';
    return new Promise((resolve) => (isLetGo = resolve));
  };
  const { host, served } = await hostAlone(clock, store, [], reopen, letGo);
  assert.ok((await host.start()).ok);
  await wait(clock, 3000);

  state.isStuck = true;
  void served.write(0, [new Uint8Array(BLOCK).fill(1)], 'durable');
  await wait(clock, 3500);
  state.isStuck = false;
  state.letGo();
  await wait(clock, 4000);
  assert.deepEqual([tries, votesOn], [0, true], 'its cache is waited for, and the node is there meanwhile');
  isLetGo();
  await wait(clock, 100);
  assert.equal(tries, 1);
  assert.equal(host.failure, 'it could not be opened again: EIO');
  await wait(clock, 40_000);
  assert.equal(tries, 3);
  assert.equal(host.failure, undefined);
  assert.equal(host.state?.isServing, true);
});
