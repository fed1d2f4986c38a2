/** What every VoteStore promises (src/ports/vote-store.ts). `open` gives one more way to the same register each time. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { StoredVote, VoteStore } from '../../src/ports/vote-store.ts';
import { expectOk } from './block-device.ts';

/** Ways to one new, empty register. */
export type OpenWay = () => VoteStore;

const RACERS = 4;
const SWAPS = 12;

export function voteStoreContract(name: string, newRegister: () => Promise<OpenWay>): void {
  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

  async function current(store: VoteStore): Promise<StoredVote | undefined> {
    return expectOk(store.read());
  }

  test(`${name}: nothing, then what was written last, through any way to it`, async () => {
    const open = await newRegister();
    const [a, b] = [open(), open()];
    assert.equal(await current(a), undefined);
    assert.equal(await expectOk(a.write(bytes(1, 2, 3), 0)), true);
    const first = (await current(b))!;
    assert.deepEqual(first.bytes, bytes(1, 2, 3));
    assert.ok(first.version > 0);
    assert.equal(await expectOk(b.write(bytes(), first.version)), true);
    const second = (await current(a))!;
    assert.deepEqual(second.bytes, bytes());
    assert.ok(second.version !== first.version);
    assert.deepEqual(await current(open()), second);
  });

  test(`${name}: a version that was replaced is not replaced again`, async () => {
    const open = await newRegister();
    const [a, b] = [open(), open()];
    assert.equal(await expectOk(a.write(bytes(1), 0)), true);
    const { version } = (await current(b))!;
    assert.equal(await expectOk(b.write(bytes(2), 0)), false);
    assert.equal(await expectOk(b.write(bytes(3), version)), true);
    assert.equal(await expectOk(a.write(bytes(4), version)), false);
    assert.equal(await expectOk(a.write(bytes(4), 0)), false);
    assert.deepEqual((await current(a))!.bytes, bytes(3));
  });

  test(`${name}: of several at the same moment one wins, and every win is kept`, async () => {
    const open = await newRegister();
    const counter = (vote: StoredVote | undefined): number => vote?.bytes[0] ?? 0;
    const race = async (): Promise<void> => {
      const store = open();
      for (let swaps = 0; swaps < SWAPS; ) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        const found = await current(store);
        const next = bytes(counter(found) + 1);
        // oxlint-disable-next-line no-await-in-loop -- as above
        if (await expectOk(store.write(next, found?.version ?? 0))) swaps += 1;
      }
    };
    await Promise.all(Array.from({ length: RACERS }, race));
    assert.equal(counter(await current(open())), RACERS * SWAPS);
  });

  test(`${name}: reads never go back while others write`, async () => {
    const open = await newRegister();
    const writer = open();
    const readers = [open(), open()];
    let answered = 0;
    let isOver = false;
    const read = async (store: VoteStore): Promise<void> => {
      let last = 0;
      while (!isOver) {
        const before = answered;
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        const value = (await current(store))?.bytes[0] ?? 0;
        assert.ok(value >= Math.max(before, last), `${value} after ${last}, answered ${before}`);
        last = value;
      }
    };
    const reading = Promise.all(readers.map(read));
    reading.catch(() => undefined);
    for (let value = 1; value <= 30; value++) {
      // oxlint-disable-next-line no-await-in-loop -- as above
      const found = await current(writer);
      // oxlint-disable-next-line no-await-in-loop -- as above
      assert.equal(await expectOk(writer.write(bytes(value), found?.version ?? 0)), true);
      answered = value;
    }
    isOver = true;
    await reading;
  });
}
