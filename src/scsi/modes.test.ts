/** Goal: mode pages say what is so, change what they say they change, and nothing else. Method: CDBs and bytes. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createRamStore } from '../store/ram-store.ts';
import { type Client, pointed, readyClient, said, targetOver, unitOver } from './testing/client.ts';

function unit(readOnly = false) {
  return unitOver(createRamStore({ blockLength: 512, blockCount: 1 << 20, readOnly }));
}

const sense6 = (page: number, subpage = 0, control = 0, dbd = true): number[] => [
  0x1a,
  dbd ? 8 : 0,
  (control << 6) | page,
  subpage,
  255,
  0,
];

async function page(client: Client, code: number, control = 0): Promise<Uint8Array> {
  const { data } = await client.run(sense6(code, 0, control));
  return data.slice(4);
}

function select6(client: Client, list: readonly number[]) {
  return client.run([0x15, 0x10, 0, 0, list.length, 0], { dataOut: Uint8Array.from(list) });
}

/** The current page with some bytes replaced, as a MODE SELECT (6) list. */
async function changed(client: Client, code: number, bytes: Record<number, number>): Promise<number[]> {
  const current = await page(client, code);
  for (const [at, value] of Object.entries(bytes)) current[Number(at)] = value;
  return [0, 0, 0, 0, ...current];
}

describe('MODE SENSE', () => {
  test('(6) and (10) return the same pages behind their own headers', async () => {
    const client = await readyClient(targetOver(unit()));
    const six = (await client.run(sense6(0x3f, 0xff, 0, false))).data;
    const ten = (await client.run([0x5a, 0, 0x3f, 0xff, 0, 0, 0, 1, 0, 0])).data;
    assert.equal(six[0], six.length - 1);
    assert.equal((ten[0]! << 8) | ten[1]!, ten.length - 2);
    assert.deepEqual(six.subarray(4), ten.subarray(8));
    assert.deepEqual([...six.subarray(2, 12)], [0x10, 8, 0, 16, 0, 0, 0, 0, 2, 0]);
  });

  test('gives a long block descriptor when asked to', async () => {
    const client = await readyClient(targetOver(unit()));
    const { data } = await client.run([0x5a, 0x10, 0x08, 0, 0, 0, 0, 1, 0, 0]);
    assert.deepEqual([data[4], data[7]], [1, 16]);
    assert.deepEqual([...data.subarray(8, 24)], [0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0]);
  });

  test('is cut to the allocation length', async () => {
    const client = await readyClient(targetOver(unit()));
    assert.equal((await client.run([0x1a, 0, 0x3f, 0, 4, 0])).data.length, 4);
  });

  test('all pages: each once, ascending, subpages only when asked for', async () => {
    const client = await readyClient(targetOver(unit()));
    const codes = (data: Uint8Array): string[] => {
      const found: string[] = [];
      for (let at = 4; at < data.length; ) {
        const hasSubpage = (data[at]! & 0x40) !== 0;
        found.push(`${(data[at]! & 0x3f).toString(16)}/${hasSubpage ? data[at + 1] : 0}`);
        at += hasSubpage ? 4 + ((data[at + 2]! << 8) | data[at + 3]!) : 2 + data[at + 1]!;
      }
      return found;
    };
    assert.deepEqual(codes((await client.run(sense6(0x3f))).data), ['1/0', '8/0', 'a/0', '1c/0']);
    assert.deepEqual(codes((await client.run(sense6(0x3f, 0xff))).data), [
      '1/0',
      '8/0',
      'a/0',
      'a/1',
      '1c/0',
    ]);
    assert.deepEqual(codes((await client.run(sense6(0x0a, 0xff))).data), ['a/0', 'a/1']);
  });

  test('has no saved values and no other pages', async () => {
    const client = await readyClient(targetOver(unit()));
    assert.equal(said(await client.run(sense6(0x0a, 0, 3))), '5/39/00');
    assert.equal(pointed(await client.run(sense6(0x20))), 'cdb 2.5');
    assert.equal(said(await client.run(sense6(0x0a, 7))), '5/24/00');
  });

  test('says that a read-only device is write-protected', async () => {
    const client = await readyClient(targetOver(unit(true)));
    assert.equal((await client.run(sense6(0x3f))).data[2], 0x90);
  });
});

describe('MODE SELECT', () => {
  test('SWP really protects, until it is taken back; the others are told', async () => {
    const target = targetOver(unit());
    const [a, b] = [await readyClient(target), await readyClient(target, 'iqn.2026-01.test:b')];
    assert.equal(said(await select6(a, await changed(a, 0x0a, { 4: 8 }))), 'good');
    assert.deepEqual(await b.attentions(), ['6/2a/01']);
    assert.deepEqual(await a.attentions(), []);
    const write = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    assert.equal(said(await b.run(write, { dataOut: new Uint8Array(512) })), '7/27/02');
    assert.equal(said(await select6(a, await changed(a, 0x0a, { 4: 0 }))), 'good');
    assert.equal(said(await a.run(write, { dataOut: new Uint8Array(512) })), 'good');
  });

  test('WCE is the cache policy of the device', async () => {
    const own = unit();
    const client = await readyClient(targetOver(own));
    const before = own.device.writeCache;
    const on = before === 'back';
    assert.equal((await page(client, 8))[2], on ? 4 : 0);
    assert.equal(said(await select6(client, await changed(client, 8, { 2: on ? 0 : 4 }))), 'good');
    assert.notEqual(own.device.writeCache, before);
    assert.equal((await page(client, 8, 2))[2], on ? 4 : 0);
    await client.manage('logicalUnitReset');
    assert.equal(own.device.writeCache, before);
  });

  test('WCE that is not for initiators is shown as such, and refused as a field', async () => {
    let isFixed = true;
    const device = createRamStore({ blockLength: 512, blockCount: 1 << 20 });
    const own = unitOver(device, { isWriteCacheFixed: () => isFixed });
    const client = await readyClient(targetOver(own));
    const before = device.writeCache;
    assert.equal((await page(client, 8, 1))[2], 0);
    const list = await changed(client, 8, { 2: before === 'back' ? 0 : 4 });
    const refused = await select6(client, list);
    assert.deepEqual([said(refused), pointed(refused)], ['5/26/00', 'list 6.2']);
    assert.equal(device.writeCache, before);
    isFixed = false;
    assert.equal((await page(client, 8, 1))[2], 4);
    assert.equal(said(await select6(client, list)), 'good');
    assert.notEqual(device.writeCache, before);
  });

  test('SWP is not for initiators where it would hold on one path of several', async () => {
    const device = createRamStore({ blockLength: 512, blockCount: 1 << 20 });
    const client = await readyClient(targetOver(unitOver(device, { isWriteProtectFixed: true })));
    assert.equal((await page(client, 0x0a, 1))[4], 0);
    const refused = await select6(client, await changed(client, 0x0a, { 4: 0x08 }));
    assert.deepEqual([said(refused), pointed(refused)], ['5/26/00', 'list 8.3']);
    assert.equal(said(await select6(client, await changed(client, 0x0a, { 2: 6 }))), 'good');
  });

  test('D_SENSE changes the format of sense data', async () => {
    const client = await readyClient(targetOver(unit()));
    assert.equal(said(await select6(client, await changed(client, 0x0a, { 2: 6 }))), 'good');
    const ending = await client.run([0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0]);
    assert.deepEqual([...ending.sense!.subarray(0, 8)], [0x72, 5, 0x21, 0, 0, 0, 0, 0]);
    const field = await client.run([0x28, 1, 0, 0, 0, 0, 0, 0, 1, 0]);
    assert.deepEqual([...field.sense!], [0x72, 5, 0x24, 0, 0, 0, 0, 8, 2, 6, 0, 0, 0xc8, 0, 1, 0]);
  });

  test('changes exactly the bits that the changeable mask shows', async () => {
    for (const code of [0x01, 0x08, 0x0a, 0x1c]) {
      const client = await readyClient(targetOver(unit()));
      const mask = await page(client, code, 1);
      for (let byte = 2; byte < mask.length; byte += 1) {
        for (let bit = 0; bit < 8; bit += 1) {
          const current = await page(client, code);
          const list = await changed(client, code, { [byte]: current[byte]! ^ (1 << bit) });
          const ending = await select6(client, list);
          if (((mask[byte]! >>> bit) & 1) === 1)
            assert.equal(said(ending), 'good', `page ${code} byte ${byte} bit ${bit}`);
          else if (ending.sense![0] === 0x70) assert.equal(pointed(ending), `list ${4 + byte}.${bit}`);
        }
      }
    }
  });

  test('changes nothing when anything is wrong', async () => {
    const own = unit();
    const client = await readyClient(targetOver(own));
    const good = (await changed(client, 0x0a, { 4: 8 })).slice(4);
    const bad = (await changed(client, 0x1c, { 3: 1 })).slice(4);
    assert.equal(pointed(await select6(client, [0, 0, 0, 0, ...good, ...bad])), 'list 19.0');
    assert.equal(own.mode.softwareWriteProtect, false);
  });

  test('refuses lists that end too early, unknown pages and other block sizes', async () => {
    const client = await readyClient(targetOver(unit()));
    const control = (await changed(client, 0x0a, {})).slice(4);
    assert.equal(said(await select6(client, [0, 0, 0])), '5/1a/00');
    assert.equal(said(await select6(client, [0, 0, 0, 0, ...control.slice(0, 8)])), '5/1a/00');
    assert.equal(said(await select6(client, [0, 0, 0, 0, 0x20, 0])), '5/26/00');
    assert.equal(said(await select6(client, [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 16, 0, ...control])), '5/26/00');
    assert.equal(said(await select6(client, [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 2, 0, ...control])), 'good');
    assert.equal(said(await client.run([0x15, 0x11, 0, 0, 0, 0])), '5/24/00');
  });
});

test('a MODE SELECT that was reset changes nothing after the reset', async () => {
  const store = createRamStore({ blockLength: 512, blockCount: 1024 });
  const { promise, resolve } = Promise.withResolvers<void>();
  const slow = Object.create(store, {
    geometry: { value: store.geometry },
    writeCache: { value: 'back' },
    setWriteCache: { value: () => promise.then(() => ({ ok: true, value: undefined })) },
  }) as typeof store;
  const target = targetOver(unitOver(slow));
  const client = await readyClient(target);
  const other = await readyClient(target, 'iqn.2026-01.test:b');
  const caching = await changed(client, 0x08, { 2: 0 });
  const control = await changed(client, 0x0a, { 4: 0x08 });
  const select = client.send([0x15, 0x10, 0, 0, caching.length + control.length - 4, 0], {
    dataOut: Uint8Array.from([...caching, ...control.slice(4)]),
  });
  const reset = client.manage('logicalUnitReset');
  resolve();
  assert.equal(await reset, 'complete');
  assert.equal(said(await select.ended), 'abandoned');
  assert.deepEqual(await other.attentions(), ['6/29/03', '6/2a/01']);
  assert.equal((await page(other, 0x0a))[4], 0, 'software write protection is off, as after any reset');
});
