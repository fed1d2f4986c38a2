/**
 * Goal: a token gives exactly the data of its moment or nothing, to whoever knows it and to nobody else; what is wrong
 * is said before anything is written, and how far a copy came is known. Method: a whole target with devices in memory;
 * parameter lists and answers are written out here from the figures, not by the code under test.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockLength } from '../../ports/block-device.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { Client, type Ending, NAA, readyClient, said, targetOver, unitOver } from '../testing/client.ts';
import { createMemoryDevice, type MemoryDevice } from '../testing/memory-device.ts';
import { HandClock } from '../testing/token-ports.ts';

type Range = readonly [lba: number, blocks: number];

interface Stage {
  readonly units: readonly LogicalUnit[];
  readonly devices: readonly MemoryDevice[];
  readonly clock: HandClock;
  readonly a: Client;
  readonly b: Client;
}

const BYTES = 1 << 19;

async function createStage(
  lengths: readonly BlockLength[] = [512, 512],
  { thin = true, bytes = BYTES } = {},
): Promise<Stage> {
  const clock = new HandClock();
  const devices = lengths.map((blockLength) =>
    createMemoryDevice(bytes / blockLength, { blockLength, thin }),
  );
  for (const [index, device] of devices.entries()) {
    for (let at = 0; at < bytes; at += 1) device.bytes[at] = (at * 7 + index * 31 + (at >>> 8)) & 0xff;
    device.mapped.fill(1);
  }
  const units = devices.map((device, index) =>
    unitOver(device, {
      clock,
      identity: { product: 'T', revision: '1', serial: `S${index}`, naa: NAA.with(15, index) },
    }),
  );
  const target = targetOver(...units);
  const a = await readyClient(target, 'iqn.2026-01.test:a');
  const b = await readyClient(target, 'iqn.2026-01.test:b');
  return { units, devices, clock, a, b };
}

const be = (value: number, length: number): number[] =>
  Array.from({ length }, (_, at) => Math.floor(value / 256 ** (length - 1 - at)) % 256);
const zeros = (length: number): number[] => Array.from({ length }, () => 0);
const cdb = (action: number, identifier: number, length: number): number[] => [
  0x83,
  action,
  0,
  0,
  0,
  0,
  ...be(identifier, 4),
  ...be(length, 4),
  0,
  0,
];
const descriptors = (ranges: readonly Range[]): number[] =>
  ranges.flatMap(([lba, blocks]) => [...be(lba, 8), ...be(blocks, 4), 0, 0, 0, 0]);

interface PopulateOptions {
  readonly identifier?: number;
  readonly lun?: number;
  readonly flags?: number;
  readonly timeout?: number;
  readonly type?: number;
}

function populate(client: Client, ranges: readonly Range[], options: PopulateOptions = {}): Promise<Ending> {
  const { identifier = 1, lun = 0, flags = 0, timeout = 0, type = 0 } = options;
  const list = descriptors(ranges);
  const dataOut = Uint8Array.from([
    ...be(14 + list.length, 2),
    flags,
    0,
    ...be(timeout, 4),
    ...be(type, 4),
    0,
    0,
    ...be(list.length, 2),
    ...list,
  ]);
  return client.run(cdb(0x10, identifier, dataOut.length), { dataOut, lun });
}

interface WriteOptions {
  readonly identifier?: number;
  readonly lun?: number;
  readonly flags?: number;
  readonly offset?: number;
}

function writeList(token: Uint8Array, ranges: readonly Range[], flags: number, offset: number): Uint8Array {
  const list = descriptors(ranges);
  return Uint8Array.from([
    ...be(534 + list.length, 2),
    flags,
    ...zeros(5),
    ...be(offset, 8),
    ...token,
    ...zeros(6),
    ...be(list.length, 2),
    ...list,
  ]);
}

function write(
  client: Client,
  token: Uint8Array,
  ranges: readonly Range[],
  { identifier = 2, lun = 0, flags = 0, offset = 0 }: WriteOptions = {},
): Promise<Ending> {
  const dataOut = writeList(token, ranges, flags, offset);
  return client.run(cdb(0x11, identifier, dataOut.length), { dataOut, lun });
}

async function receive(client: Client, identifier: number, lun = 0): Promise<Uint8Array> {
  const ending = await client.run([0x84, 7, ...be(identifier, 4), 0, 0, 0, 0, ...be(1024, 4), 0, 0], { lun });
  assert.equal(said(ending), 'good');
  return ending.data;
}

async function tokenFor(
  client: Client,
  ranges: readonly Range[],
  options: PopulateOptions = {},
): Promise<Uint8Array> {
  assert.equal(said(await populate(client, ranges, options)), 'good');
  const { identifier = 1, lun = 0 } = options;
  return (await receive(client, identifier, lun)).slice(38);
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const zeroToken = Uint8Array.from([0xff, 0xff, 0, 1, 0, 0, 0x01, 0xf8, ...zeros(504)]);

test('as Windows copies: page 8Fh, populate, the token, writes with offsets, and their results', async () => {
  const { a, devices } = await createStage();
  const page = (await a.run([0x12, 1, 0x8f, 4, 0, 0])).data;
  const types = ['00800001' + '03', '0080ffff' + '01', 'ffff0001' + '02'];
  assert.equal(
    hex(page.subarray(4)),
    '00000020' +
      '000000000000' +
      '0040' +
      '00000258' +
      '0000003c' +
      ('0000000000080000' + '0000000000020000') +
      ('0001000c' + '0b' + '8303001011' + '840400030407') +
      ('0004001c' + '00000000' + '00100040' + '00000a00' + '00'.repeat(16)) +
      ('00080004' + '03020ae4') +
      ('000c0004' + '00000000') +
      ('0106005c' + '00'.repeat(12) + '00000000' + 'ffffffff' + '00000258' + '00'.repeat(18) + '0030') +
      ('0000002c' + '00000000' + '0000000010000000' + '0000000004000000'.repeat(3) + '00'.repeat(8)) +
      ('010800c4' + '0000' + '00c0' + types.map((type) => type + '00'.repeat(59)).join('')) +
      ('80010020' + '00000010' + '00000010' + '10000000' + '09' + '00'.repeat(19)),
  );
  const ranges: Range[] = [
    [8, 16],
    [100, 4],
  ];
  assert.equal(said(await populate(a, ranges, { identifier: 0x01020304 })), 'good');
  const information = await receive(a, 0x01020304);
  assert.equal(
    hex(information.subarray(0, 38)),
    '00000222' +
      '10' +
      '01' +
      '0000' +
      'fffffffe' +
      '00000000'.replace(/..$/, 'f1') +
      ('0000000000000014' + '0000' + '000000000000') +
      ('00000202' + '0000'),
  );
  const token = information.slice(38);
  assert.equal(token.length, 512);
  assert.equal(hex(token.subarray(0, 8)), '00800001' + '0000' + '01f8');
  const creator = 'e4000000' + ('01030010' + hex(NAA.with(15, 0))) + '00'.repeat(5) + '000200';
  assert.equal(hex(token.subarray(16, 48)), creator);
  assert.equal(hex(token.subarray(48, 64)), '0'.repeat(28) + '2800');
  assert.equal(hex(token.subarray(96, 104)), '00000200' + '0000c000');
  const held = Buffer.concat([
    devices[0]!.bytes.slice(8 * 512, 24 * 512),
    devices[0]!.bytes.slice(51200, 53248),
  ]);
  assert.equal(
    said(
      await write(
        a,
        token,
        [
          [500, 6],
          [600, 4],
        ],
        { identifier: 5, lun: 1 },
      ),
    ),
    'good',
  );
  assert.equal(said(await write(a, token, [[700, 10]], { identifier: 6, lun: 1, offset: 10 })), 'good');
  const to = devices[1]!.bytes;
  assert(held.subarray(0, 3072).equals(to.subarray(500 * 512, 506 * 512)));
  assert(held.subarray(3072, 5120).equals(to.subarray(600 * 512, 604 * 512)));
  assert(held.subarray(5120).equals(to.subarray(700 * 512, 710 * 512)), 'over both ranges of the token');
  const result =
    '0000002011010002' + 'fffffffe' + '000000f1' + '000000000000000a' + '00'.repeat(8) + '00000000';
  assert.equal(hex(await receive(a, 5, 1)), result);
  assert.equal(hex(await receive(a, 5, 1)), result, 'held');
});

test('whatever changes a block of it, from whichever nexus, revokes a token', async () => {
  const block = new Uint8Array(512);
  const changes: Record<string, (client: Client, stage: Stage) => Promise<Ending>> = {
    WRITE: (client) => client.run([0x2a, 0, ...be(11, 4), 0, 0, 1, 0], { dataOut: block }),
    UNMAP: (client) =>
      client.run([0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0], {
        dataOut: Uint8Array.from([0, 22, 0, 16, 0, 0, 0, 0, ...descriptors([[4, 8]])]),
      }),
    'WRITE SAME': (client) => client.run([0x93, 0, ...be(0, 8), ...be(9, 4), 0, 0], { dataOut: block }),
    'COMPARE AND WRITE': (client, { devices }) =>
      client.run([0x89, 0, ...be(8, 8), 0, 0, 0, 1, 0, 0], {
        dataOut: Uint8Array.from([...devices[0]!.bytes.slice(8 * 512, 9 * 512), ...block]),
      }),
    'EXTENDED COPY': (client) => {
      const target = [0xe4, 0, 0, 0, 1, 3, 0, 16, ...NAA.with(15, 0), ...zeros(6), 2, 0];
      const segment = [2, 0, 0, 24, ...zeros(6), 0, 1, ...be(50, 8), ...be(11, 8)];
      const dataOut = Uint8Array.from([
        1,
        0,
        0,
        32,
        ...zeros(4),
        ...be(28, 4),
        ...zeros(4),
        ...target,
        ...segment,
      ]);
      return client.run([0x83, 0, ...zeros(8), ...be(dataOut.length, 4), 0, 0], { dataOut });
    },
    SANITIZE: (client) =>
      client.run([0x48, 1, 0, 0, 0, 0, 0, 0, 5, 0], { dataOut: Uint8Array.from([1, 0, 0, 1, 0xaa]) }),
    'WRITE USING TOKEN': (client) => write(client, zeroToken, [[0, 9]]),
  };
  for (const [name, change] of Object.entries(changes)) {
    const stage = await createStage();
    const token = await tokenFor(stage.a, [[8, 4]]);
    const aside = name === 'SANITIZE' ? undefined : await tokenFor(stage.a, [[64, 4]]);
    assert.equal(said(await change(stage.b, stage)), 'good', name);
    assert.equal(said(await write(stage.a, token, [[200, 4]], { lun: 1 })), '5/23/06', name);
    if (aside) assert.equal(said(await write(stage.a, aside, [[200, 4]], { lun: 1 })), 'good', name);
    assert(!stage.devices[1]!.log.includes('write 200+4') || aside, 'nothing was written');
  }
});

test('a token that is forged, foreign, expired, deleted or of no such kind is refused', async () => {
  const { a, clock, devices } = await createStage();
  const token = await tokenFor(a, [[8, 4]], { timeout: 10 });
  const refused = async (bytes: Uint8Array): Promise<string> => said(await write(a, bytes, [[200, 4]]));
  assert.equal(await refused(token.with(300, token[300]! ^ 1)), '5/23/05');
  assert.equal(await refused(token.with(63, 1)), '5/23/05');
  assert.equal(await refused(token.with(9, token[9]! ^ 1)), '5/23/04');
  assert.equal(await refused(token.with(30, 0x77)), '5/23/02');
  assert.equal(await refused(token.with(3, 2)), '5/23/01');
  assert.equal(await refused(token.with(7, 0)), '5/23/0a');
  assert.deepEqual(devices[0]!.log, []);
  clock.advance(9_000);
  assert.equal(await refused(token), 'good', 'and its time begins again');
  clock.advance(9_000);
  assert.equal(said(await write(a, token, [[300, 4]])), 'good');
  clock.advance(10_000);
  assert.equal(await refused(token), '5/23/07');
  const once = await tokenFor(a, [[8, 4]]);
  assert.equal(said(await write(a, once, [[300, 4]], { flags: 2 })), 'good');
  assert.equal(await refused(once), '5/23/09');
});

test('what is wrong with a list is said before anything happens', async () => {
  const { a, devices } = await createStage([512], { bytes: 1 << 16 });
  const many = Array.from({ length: 65 }, (_, at): Range => [at, 1]);
  assert.equal(said(await populate(a, many)), '5/26/08');
  assert.equal(said(await populate(a, many.slice(1))), 'good');
  assert.equal(said(await populate(a, [[127, 2]])), '5/21/00');
  assert.equal(
    said(
      await populate(a, [
        [0, 4],
        [3, 4],
      ]),
    ),
    '5/26/00',
  );
  assert.equal(said(await populate(a, [])), '5/26/00');
  assert.equal(said(await populate(a, [[0, 1]], { timeout: 601 })), '5/26/00');
  assert.equal(said(await populate(a, [[0, 1]], { flags: 2, type: 0x10000 })), '5/26/00');
  assert.equal(said(await populate(a, [[0, 1]], { flags: 2, type: 0x80ffff })), 'good');
  assert.equal(said(await a.run(cdb(0x10, 1, 15), { dataOut: new Uint8Array(15) })), '5/1a/00');
  assert.equal(said(await a.run(cdb(0x11, 1, 535), { dataOut: new Uint8Array(535) })), '5/1a/00');
  assert.equal(said(await a.run(cdb(0x10, 1, 0))), 'good');
  const token = await tokenFor(a, [[8, 4]]);
  assert.equal(said(await write(a, token, [[50, 4]], { offset: 1 })), '5/26/00', 'more than the token holds');
  assert.equal(said(await write(a, token, [[50, 1]], { offset: 5 })), '5/26/00');
  assert.equal(said(await write(a, token, [[127, 2]])), '5/21/00');
  assert.equal(said(await a.run([0x84, 7, 0, 0, 9, 9, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0])), '5/24/00');
  assert.deepEqual(devices[0]!.log, []);
});

test('the zero token unmaps where a unit is thin, and writes zeros where it is not', async () => {
  for (const thin of [true, false]) {
    const { a, devices } = await createStage([512], { thin });
    assert.equal(
      said(
        await write(a, zeroToken, [
          [8, 16],
          [40, 8],
        ]),
      ),
      'good',
    );
    assert.deepEqual(devices[0]!.log, thin ? ['unmap 8+16', 'unmap 40+8'] : ['write 8+16', 'write 40+8']);
    assert(devices[0]!.bytes.subarray(8 * 512, 24 * 512).every((byte) => byte === 0));
    assert.equal((await receive(a, 2))[23], 24);
  }
});

test('blocks of 4096 bytes, alone and beside blocks of 512', async () => {
  const { a, devices } = await createStage([4096, 512]);
  const token = await tokenFor(a, [[3, 2]]);
  assert.equal(said(await write(a, token, [[20, 1]], { offset: 1 })), 'good');
  const from = Buffer.from(devices[0]!.bytes.subarray(3 * 4096, 5 * 4096));
  assert(from.subarray(4096).equals(devices[0]!.bytes.subarray(20 * 4096, 21 * 4096)));
  assert.equal(said(await write(a, token, [[100, 15]], { lun: 1, offset: 1 })), 'good');
  assert(from.subarray(512).equals(devices[1]!.bytes.subarray(100 * 512, 115 * 512)));
});

test('a token waits for the writes under way, and not for those that come', async () => {
  const { a, b, devices } = await createStage();
  let go: () => void = () => undefined;
  devices[0]!.before = () =>
    new Promise((resolve) => {
      go = () => resolve(undefined);
    });
  const writing = b.run([0x2a, 0, ...be(8, 4), 0, 0, 1, 0], { dataOut: new Uint8Array(512).fill(0x5a) });
  await new Promise(setImmediate);
  devices[0]!.before = undefined;
  const populating = populate(a, [[8, 1]]);
  await new Promise(setImmediate);
  assert.equal((await receive(a, 1))[5], 0x11, 'in progress');
  assert.equal(said(await populate(a, [[8, 1]])), '5/00/16', 'its identifier is taken');
  go();
  await writing;
  assert.equal(said(await populating), 'good');
  const token = (await receive(a, 1)).slice(38);
  assert.equal(said(await write(a, token, [[20, 1]])), 'good');
  assert(devices[0]!.bytes.subarray(20 * 512, 21 * 512).every((byte) => byte === 0x5a));
});

test('data that changes while it is copied is not written, and the count says how far it came', async () => {
  const { a, b, devices } = await createStage([512, 512], { bytes: 4 << 20 });
  const token = await tokenFor(a, [[0, 5000]]);
  let reads = 0;
  devices[0]!.before = async (operation) => {
    if (operation !== 'read') return undefined;
    reads += 1;
    if (reads === 2) {
      await b.run([0x2a, 0, ...be(4999, 4), 0, 0, 1, 0], { dataOut: new Uint8Array(512) });
    }
    return undefined;
  };
  assert.equal(said(await write(a, token, [[100, 5000]], { lun: 1, identifier: 7 })), '5/23/06');
  assert.deepEqual(devices[1]!.log, ['write 100+2048']);
  const result = await receive(a, 7, 1);
  assert.equal(
    hex(result.subarray(4, 24)),
    '11020001' + 'fffffffe' + '02' + '14' + '12' + 'f1' + '0000000000000800',
  );
  assert.equal(hex(result.subarray(32, 48)), '70000500' + '0000000a' + '00000000' + '23060000');
  assert.equal(hex(result.subarray(52)), '00000000');
});

test('IMMED answers first; the copy goes on, is asked about, and ends with a reset', async () => {
  const { a, devices } = await createStage([512, 512], { bytes: 4 << 20 });
  const token = await tokenFor(a, [[0, 5000]]);
  let go: () => void = () => undefined;
  devices[1]!.before = () =>
    new Promise((resolve) => {
      go = () => resolve(undefined);
    });
  assert.equal(said(await write(a, token, [[0, 5000]], { lun: 1, flags: 1 })), 'good');
  await new Promise(setImmediate);
  assert.equal((await receive(a, 2, 1))[5], 0x12);
  devices[1]!.before = undefined;
  go();
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  assert.equal(hex((await receive(a, 2, 1)).subarray(5, 6)), '01');
  devices[1]!.before = () =>
    new Promise((resolve) => {
      go = () => resolve(undefined);
    });
  assert.equal(said(await write(a, token, [[0, 5000]], { lun: 1, flags: 1 })), 'good');
  await new Promise(setImmediate);
  const resetting = Promise.resolve(
    a.nexus.manage({ kind: 'logicalUnitReset', lunHigh: 0x0001_0000, lunLow: 0 }),
  );
  await new Promise(setImmediate);
  devices[1]!.before = undefined;
  go();
  await resetting;
  const writes = devices[1]!.log.length;
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  assert.equal(devices[1]!.log.length, writes, 'nothing further was written');
  await a.attentions(1);
  assert.equal((await receive(a, 2, 1))[5], 0x60);
});

test('tokens and results are kept up to a number; the token unused for longest goes first', async () => {
  const { a } = await createStage();
  const first = await tokenFor(a, [[0, 1]], { identifier: 0 });
  const second = await tokenFor(a, [[1, 1]], { identifier: 1 });
  assert.equal(said(await write(a, first, [[900, 1]])), 'good');
  for (let at = 2; at < 257; at += 1) await tokenFor(a, [[at, 1]], { identifier: at });
  assert.equal(said(await write(a, second, [[900, 1]])), '5/23/08');
  assert.equal(said(await write(a, first, [[900, 1]])), 'good');
  const old = await a.run([0x84, 7, ...be(100, 4), 0, 0, 0, 0, 0, 0, 4, 0, 0, 0]);
  assert.equal(said(old), '5/24/00');
});

test('who could not read or write there cannot by token', async () => {
  const { a, b, units } = await createStage();
  const token = await tokenFor(a, [[8, 4]]);
  units[1]!.mode.softwareWriteProtect = true;
  assert.equal(said(await write(a, token, [[0, 4]], { lun: 1 })), '7/27/02');
  units[1]!.mode.softwareWriteProtect = false;
  assert.equal(said(await b.run([0x16, 0, 0, 0, 0, 0])), 'good'); // RESERVE (6)
  assert.equal(said(await write(a, token, [[0, 4]])), 'status 18');
  assert.equal(said(await write(a, token, [[0, 4]], { lun: 1 })), 'a/0d/01', 'the source is reserved');
  assert.equal(said(await b.run([0x17, 0, 0, 0, 0, 0])), 'good');
  assert.equal(said(await write(b, token, [[0, 4]], { lun: 1 })), 'good', 'a token may be handed on');
});
