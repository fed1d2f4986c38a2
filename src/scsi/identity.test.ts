/** Goal: what the unit says of itself is exact and agrees with what it does. Method: bytes; every promise cross-checked. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createRamStore } from '../store/ram-store.ts';
import { COMMANDS } from './command-table.ts';
import { encodeSense, SENSE, type SenseReason } from './sense.ts';
import { type Client, NAA, readyClient, said, targetAt, targetOver, unitOver } from './testing/client.ts';

function unit(removable = false) {
  const device = createRamStore({ blockLength: 512, blockCount: 2048, physicalBlockExponent: 3 });
  return unitOver(device, { removable });
}

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

async function vpd(client: Client, code: number): Promise<Uint8Array> {
  const { data } = await client.run([0x12, 1, code, 4, 0, 0]);
  assert.equal(data[1], code);
  assert.equal((data[2]! << 8) | data[3]!, data.length - 4);
  return data;
}

describe('INQUIRY', () => {
  test('standard data: padded names, versions, ALUA and copy bits', async () => {
    const client = await readyClient(targetOver(unit()));
    const { data } = await client.run([0x12, 0, 0, 0, 255, 0]);
    assert.equal(data.length, 96);
    assert.deepEqual([...data.subarray(0, 8)], [0, 0, 6, 0x12, 91, 0x18, 0, 2]);
    assert.equal(text(data.subarray(8, 36)), 'LOCKSTEPTEST DISK       1.0 ');
    assert.deepEqual([...data.subarray(58, 66)], [0x00, 0xa0, 0x09, 0x60, 0x04, 0x60, 0x04, 0xc0]);
  });

  test('a removable unit, a second port', async () => {
    const own = unit(true);
    targetAt(2, own);
    const client = await readyClient(targetOver(own));
    const { data } = await client.run([0x12, 0, 0, 0, 8, 0]);
    assert.deepEqual([data.length, data[1], data[6]], [8, 0x80, 0x10]);
  });

  test('a page code without EVPD and an unknown page are wrong fields', async () => {
    const client = await readyClient(targetOver(unit()));
    assert.equal(said(await client.run([0x12, 0, 0x80, 0, 255, 0])), '5/24/00');
    assert.equal(said(await client.run([0x12, 1, 0xb7, 0, 255, 0])), '5/24/00');
  });

  test('page 00h lists ascending pages, each of which is there', async () => {
    const client = await readyClient(targetOver(unit()));
    const codes = [...(await vpd(client, 0)).subarray(4)];
    assert.deepEqual(codes, [0x00, 0x80, 0x83, 0x86, 0x8f, 0xb0, 0xb1, 0xb2]);
    for (const code of codes) await vpd(client, code);
    for (const code of [0xb0, 0xb1, 0x86]) assert.equal((await vpd(client, code)).length, 64);
  });

  test('page 83h names unit, port and device; the unit the same through every port', async () => {
    const own = unit();
    const targets = [targetAt(1, own), targetAt(2, own)];
    const pages = await Promise.all(
      targets.map(async (target) => designators(await vpd(await readyClient(target), 0x83))),
    );
    const [first, second] = pages;
    assert.deepEqual(first!.slice(0, 3), second!.slice(0, 3));
    assert.deepEqual(first![0], { kind: '0/3', value: text(NAA) });
    assert.deepEqual(first![1], { kind: '0/1', value: 'LOCKSTEPTEST DISK       S-1' });
    assert.deepEqual(first![2], { kind: '0/8', value: `naa.60${hex(NAA.subarray(1))}` });
    assert.deepEqual(second!.slice(3), [
      { kind: '1/4', value: '\0\0\0\x02' },
      { kind: '1/5', value: '\0\0\0\x02' },
      { kind: '1/8', value: 'iqn.2026-01.test:disk2,t,0x0001' },
      { kind: '2/8', value: 'iqn.2026-01.test:disk2' },
    ]);
  });
});

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function designators(page: Uint8Array): { kind: string; value: string }[] {
  const found: { kind: string; value: string }[] = [];
  for (let at = 4; at < page.length; at += 4 + page[at + 3]!) {
    const type = page[at + 1]! & 0x0f;
    const raw = text(page.subarray(at + 4, at + 4 + page[at + 3]!));
    const value = type === 8 ? raw.replace(/\0+$/, '') : raw;
    if (type === 8) assert.equal(raw.length % 4, 0);
    found.push({ kind: `${(page[at + 1]! >>> 4) & 3}/${type}`, value });
  }
  return found;
}

test('capacity: (10) and (16) agree, and (16) tells thin and physical blocks', async () => {
  const client = await readyClient(targetOver(unit()));
  assert.deepEqual([...(await client.run([0x25])).data], [0, 0, 7, 255, 0, 0, 2, 0]);
  const { data } = await client.run([0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32]);
  assert.deepEqual([...data.subarray(0, 16)], [0, 0, 0, 0, 0, 0, 7, 255, 0, 0, 2, 0, 0, 3, 0xc0, 0]);
  assert.equal((await client.run([0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8])).data.length, 8);
});

describe('REPORT LUNS', () => {
  test('selects ordinary, well-known or all units', async () => {
    const client = await readyClient(targetOver(unit(), unit()));
    const report = async (select: number) => [
      ...(await client.run([0xa0, 0, select, 0, 0, 0, 0, 0, 1, 0])).data,
    ];
    const [zero, one, known] = [
      Array.from({ length: 8 }, () => 0),
      [0, 1, 0, 0, 0, 0, 0, 0],
      [0xc1, 1, 0, 0, 0, 0, 0, 0],
    ];
    assert.deepEqual(await report(0), [0, 0, 0, 16, 0, 0, 0, 0, ...zero, ...one]);
    assert.deepEqual(await report(1), [0, 0, 0, 8, 0, 0, 0, 0, ...known]);
    assert.deepEqual(await report(2), [0, 0, 0, 24, 0, 0, 0, 0, ...zero, ...one, ...known]);
    assert.equal(said(await client.run([0xa0, 0, 3, 0, 0, 0, 0, 0, 1, 0])), '5/24/00');
    assert.equal(said(await client.run([0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 15])), '5/24/00');
  });

  test('answers at its well-known logical unit, which does little else', async () => {
    const client = await readyClient(targetOver(unit()));
    assert.equal((await client.run([0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0], { lun: -1 })).data.length, 16);
    assert.equal((await client.run([0x12, 0, 0, 0, 36], { lun: -1 })).data[0], 0x1e);
    assert.equal(said(await client.run([0], { lun: -1 })), 'good');
    assert.equal(said(await client.run([0x28], { lun: -1 })), '5/20/00');
  });
});

describe('REPORT SUPPORTED OPERATION CODES', () => {
  const all = [0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 255, 255];
  const one = (options: number, opcode: number, action: number): number[] => [
    0xa3,
    0x0c,
    options,
    opcode,
    action >>> 8,
    action & 255,
    0,
    0,
    255,
    255,
  ];

  test('lists every row of the table, in order, with the timeouts asked for', async () => {
    const client = await readyClient(targetOver(unit(true)));
    const { data } = await client.run(all);
    assert.equal(data.length, 4 + 8 * COMMANDS.length);
    const timed = (await client.run(all.with(2, 0x80))).data;
    assert.equal(timed.length, 4 + 20 * COMMANDS.length);
    for (let at = 4; at < timed.length; at += 20) {
      assert.deepEqual([timed[at + 5]! & 2, timed[at + 8], timed[at + 9]], [2, 0, 10]);
    }
  });

  test('describes each command by its usage, and refuses the wrong way to ask', async () => {
    const client = await readyClient(targetOver(unit(true)));
    for (const row of COMMANDS) {
      const action = row.serviceAction;
      const right = await client.run(one(action === undefined ? 1 : 2, row.opcode, action ?? 0));
      assert.deepEqual([...right.data], [0, 3, 0, row.usage.length, ...row.usage], row.name);
      assert.deepEqual((await client.run(one(3, row.opcode, action ?? 0))).data, right.data);
      assert.equal(
        said(await client.run(one(action === undefined ? 2 : 1, row.opcode, action ?? 0))),
        '5/24/00',
      );
    }
    assert.deepEqual([...(await client.run(one(1, 0xff, 0))).data], [0, 1, 0, 0]);
    assert.deepEqual([...(await client.run(one(3, 0x9e, 0x1e))).data], [0, 1, 0, 0]);
  });

  test('the task management functions', async () => {
    const client = await readyClient(targetOver(unit()));
    assert.deepEqual([...(await client.run([0xa3, 0x0d, 0, 0, 0, 0, 0, 0, 0, 4])).data], [0xda, 0, 0, 0]);
    assert.equal((await client.run([0xa3, 0x0d, 0x80, 0, 0, 0, 0, 0, 0, 64])).data.length, 16);
  });
});

describe('medium control', () => {
  test('ejecting and loading; the others hear of a new medium', async () => {
    const target = targetOver(unit(true));
    const [a, b] = [await readyClient(target), await readyClient(target, 'iqn.2026-01.test:b')];
    assert.equal(said(await a.run([0x1b, 0, 0, 0, 2, 0])), 'good');
    assert.equal(said(await b.run([0])), '2/3a/00');
    assert.equal((await a.run([0x03, 0, 0, 0, 18, 0])).data[12], 0x3a);
    assert.equal(said(await a.run([0x1b, 0, 0, 0, 3, 0])), 'good');
    assert.equal(said(await a.run([0])), 'good');
    assert.deepEqual(await b.attentions(), ['6/28/00']);
  });

  test('PREVENT holds the medium until that nexus allows or goes', async () => {
    const target = targetOver(unit(true));
    const [a, b] = [await readyClient(target), await readyClient(target, 'iqn.2026-01.test:b')];
    const eject = [0x1b, 0, 0, 0, 2, 0];
    await b.run([0x1e, 0, 0, 0, 1, 0]);
    await a.run([0x1e, 0, 0, 0, 1, 0]);
    await a.run([0x1e, 0, 0, 0, 0, 0]);
    assert.equal(said(await a.run(eject)), '5/53/02');
    await b.nexus.close();
    assert.equal(said(await a.run(eject)), 'good');
  });

  test('stopping and power conditions change nothing; a fixed unit has no eject', async () => {
    const client = await readyClient(targetOver(unit()));
    for (const flags of [0, 1, 4, 0x10, 0x32, 0xb2])
      assert.equal(said(await client.run([0x1b, 0, 0, 0, flags, 0])), 'good');
    assert.equal(said(await client.run([0])), 'good');
    assert.equal(said(await client.run([0x1b, 0, 0, 0, 2, 0])), '5/24/00');
    assert.equal(said(await client.run([0x1e, 0, 0, 0, 1, 0])), '5/20/00');
  });
});

test('REQUEST SENSE gives a unit attention once, in the format asked for', async () => {
  const target = targetOver(unit());
  const client = await readyClient(target);
  await client.manage('logicalUnitReset');
  assert.deepEqual([...(await client.run([0x03, 1, 0, 0, 255, 0])).data], [0x72, 6, 0x29, 3, 0, 0, 0, 0]);
  const { data } = await client.run([0x03, 0, 0, 0, 255, 0]);
  assert.deepEqual([...data], [0x70, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

test('LOG SENSE lists its pages and has those', async () => {
  const client = await readyClient(targetOver(unit()));
  const sense = async (code: number, subpage = 0) =>
    client.run([0x4d, 0, 0x40 | code, subpage, 0, 0, 0, 1, 0, 0]);
  assert.deepEqual([...(await sense(0)).data], [0, 0, 0, 2, 0, 0x2f]);
  assert.deepEqual([...(await sense(0, 0xff)).data], [0x40, 0xff, 0, 6, 0, 0, 0, 0xff, 0x2f, 0]);
  assert.equal((await sense(0x2f)).data.length, 12);
  assert.equal(said(await sense(0x0d)), '5/24/00');
});

describe('sense data', () => {
  test('every reason in both formats', () => {
    for (const [reason, [key, asc, ascq]] of Object.entries(SENSE)) {
      const fixed = encodeSense({ reason: reason as SenseReason }, 'fixed')!;
      assert.deepEqual(
        [fixed.length, fixed[0], fixed[2], fixed[7], fixed[12], fixed[13]],
        [18, 0x70, key, 10, asc, ascq],
      );
      const descriptor = encodeSense({ reason: reason as SenseReason }, 'descriptor')!;
      assert.deepEqual([...descriptor], [0x72, key, asc, ascq, 0, 0, 0, 0]);
    }
  });

  test('INFORMATION beyond 32 bits is left out of fixed format and whole in descriptor format', () => {
    const cause = { reason: 'unrecoveredReadError', information: 0x1_0000_0002 } as const;
    assert.equal(encodeSense(cause, 'fixed')![0], 0x70);
    assert.deepEqual(
      [...encodeSense(cause, 'descriptor')!].slice(8),
      [0, 10, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 2],
    );
  });

  test('progress stands in the sense-key specific bytes', () => {
    const sense = encodeSense({ reason: 'sanitizeInProgress', progress: 0x8001 }, 'fixed')!;
    assert.deepEqual([...sense.subarray(15)], [0x80, 0x80, 0x01]);
  });
});
