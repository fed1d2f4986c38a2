/**
 * Goal: EXTENDED COPY moves exactly the bytes it was asked to move, within a unit and across, at odd offsets and over
 * itself, and stops where reservations, protection, aborts and faults say so. Method: devices in memory; the expected
 * bytes are made by a copy of the whole array.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BlockLength } from '../../ports/block-device.ts';
import { unitDesignators } from '../device-identification.ts';
import { abortTasks } from '../execution.ts';
import { setU16, setU32, setU64 } from '../fields.ts';
import { createLogicalUnit, type LogicalUnit } from '../logical-unit.ts';
import { createReservations } from '../reservations/reservations.ts';
import { createInitiator, createPort, type Ending, type Initiator } from '../testing/initiator.ts';
import { createMemoryDevice, type MemoryDevice } from '../testing/memory-device.ts';
import { thirdPartyCopy } from '../third-party-copy-page.ts';
import { COPY_COMMANDS } from './commands.ts';
import { decodeCopyList } from './parameter-list.ts';

interface Stage {
  readonly units: readonly [LogicalUnit, LogicalUnit];
  readonly devices: readonly [MemoryDevice, MemoryDevice];
  /** Of the first unit, logged in to the second too. */
  readonly a: Initiator;
  /** The same initiator's nexus with the second unit. */
  readonly there: Initiator;
}

const BYTES = 1 << 18;

function createStage(lengths: readonly [BlockLength, BlockLength] = [512, 512], thin = false): Stage {
  const devices = lengths.map((blockLength) =>
    createMemoryDevice(BYTES / blockLength, { blockLength, thin }),
  );
  for (const [index, device] of devices.entries()) {
    for (let at = 0; at < BYTES; at += 1) device.bytes[at] = (at * 7 + index * 31 + (at >>> 8)) & 0xff;
  }
  const units = devices.map((device, index) =>
    createLogicalUnit({
      device,
      identity: {
        product: 'TEST',
        revision: '1',
        serial: `S${index}`,
        naa: Uint8Array.from({ length: 16 }, (_, at) => (at === 15 ? index : 0x60)),
      },
      reservations: createReservations(),
    }),
  );
  const port = createPort(1, units);
  return {
    units: [units[0]!, units[1]!],
    devices: [devices[0]!, devices[1]!],
    a: createInitiator(units[0]!, port, 'iqn.a', COPY_COMMANDS),
    there: createInitiator(units[1]!, port, 'iqn.a', COPY_COMMANDS),
  };
}

function target(unit: LogicalUnit, blockLength = unit.device.geometry.blockLength): Uint8Array {
  const bytes = new Uint8Array(32);
  bytes[0] = 0xe4;
  bytes.set(unitDesignators(unit)[0]!, 4);
  setU16(bytes, 30, blockLength);
  return bytes;
}

interface Ends {
  readonly source: number;
  readonly destination: number;
  readonly sourceLba: number;
  readonly destinationLba: number;
}

function blocks(count: number, ends: Ends, flags = 0): Uint8Array {
  const bytes = new Uint8Array(28);
  bytes[0] = 0x02;
  bytes[1] = flags;
  setU16(bytes, 2, 24);
  setU16(bytes, 10, count);
  return withEnds(bytes, ends);
}

function withOffset(count: number, ends: Ends, sourceOffset: number, destinationOffset: number): Uint8Array {
  const bytes = new Uint8Array(32);
  bytes[0] = 0x0a;
  setU16(bytes, 2, 28);
  setU32(bytes, 8, count);
  setU16(bytes, 28, sourceOffset);
  setU16(bytes, 30, destinationOffset);
  return withEnds(bytes, ends);
}

function withEnds(bytes: Uint8Array, ends: Ends): Uint8Array {
  setU16(bytes, 4, ends.source);
  setU16(bytes, 6, ends.destination);
  setU64(bytes, 12, ends.sourceLba);
  setU64(bytes, 20, ends.destinationLba);
  return bytes;
}

interface ListOptions {
  readonly identifier?: number;
  readonly usage?: number;
  readonly cut?: number;
}

function copy(
  initiator: Initiator,
  targets: readonly Uint8Array[],
  segments: readonly Uint8Array[],
  { identifier = 1, usage = 0, cut = 0 }: ListOptions = {},
): Promise<Ending> {
  const join = (parts: readonly Uint8Array[]): number[] => parts.flatMap((part) => [...part]);
  const header = new Uint8Array(16);
  header[0] = identifier;
  header[1] = usage << 3;
  setU16(header, 2, join(targets).length);
  setU32(header, 8, join(segments).length);
  const whole = Uint8Array.from([...header, ...join(targets), ...join(segments)]);
  const list = whole.subarray(0, whole.length - cut);
  return initiator.send(
    [0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, list.length >>> 8, list.length & 0xff, 0, 0],
    list,
  );
}

const receive = (initiator: Initiator, action: number, identifier = 0): Promise<Ending> =>
  initiator.send([0x84, action, identifier, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0]);

const WITHIN: Ends = { source: 0, destination: 0, sourceLba: 0, destinationLba: 0 };

test('any byte range lands where it should, in one unit or two, and nothing else changes', async () => {
  const length = fc.constantFrom(512 as const, 4096 as const);
  const scenario = fc.record({
    lengths: fc.tuple(length, length),
    across: fc.boolean(),
    sourceLba: fc.nat(10),
    destinationLba: fc.nat(10),
    sourceOffset: fc.nat(5000),
    destinationOffset: fc.nat(5000),
    count: fc.nat(40000),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async (s) => {
      const { a, units, devices } = createStage(s.lengths);
      const to = s.across ? 1 : 0;
      const expected = devices[to].bytes.slice();
      const start = s.sourceLba * s.lengths[0] + s.sourceOffset;
      const data = devices[0].bytes.slice(start, start + s.count);
      expected.set(data, s.destinationLba * s.lengths[to] + s.destinationOffset);
      const ends = { source: 0, destination: to, sourceLba: s.sourceLba, destinationLba: s.destinationLba };
      const segment = withOffset(s.count, ends, s.sourceOffset, s.destinationOffset);
      const { outcome } = await copy(
        a,
        units.map((unit) => target(unit)),
        [segment],
      );
      assert.equal(outcome, 'GOOD');
      assert(Buffer.from(expected).equals(devices[to].bytes));
    }),
    { numRuns: 150 },
  );
});

test('whole blocks are copied in chunks, forwards and over themselves', async () => {
  const device = createMemoryDevice(16384, { thin: false });
  for (let at = 0; at < device.bytes.length; at += 1) device.bytes[at] = (at >>> 9) & 0xff;
  const naa = Uint8Array.from({ length: 16 }, () => 0x61);
  const unit = createLogicalUnit({ device, identity: { product: 'T', revision: '1', serial: 'S', naa } });
  const a = createInitiator(unit, createPort(1, [unit]), 'iqn.a', COPY_COMMANDS);
  const expected = device.bytes.slice();
  expected.copyWithin(100 * 512, 0, 5000 * 512);
  const segment = blocks(5000, { ...WITHIN, destinationLba: 100 });
  assert.equal((await copy(a, [target(unit)], [segment])).outcome, 'GOOD');
  assert(Buffer.from(expected).equals(device.bytes));
  assert.deepEqual(device.log, [
    'read 4096+904',
    'write 4196+904',
    'read 2048+2048',
    'write 2148+2048',
    'read 0+2048',
    'write 100+2048',
  ]);
});

test('block counts between unequal block lengths must come out even', async () => {
  const { a, units, devices } = createStage([512, 4096]);
  const targets = units.map((unit) => target(unit));
  const ends = { source: 0, destination: 1, sourceLba: 1, destinationLba: 2 };
  assert.equal((await copy(a, targets, [blocks(7, ends)])).outcome, 'a/26/0a');
  assert.equal((await copy(a, targets, [blocks(8, ends)])).outcome, 'GOOD');
  assert(
    Buffer.from(devices[0].bytes.subarray(512, 512 + 4096)).equals(devices[1].bytes.subarray(8192, 12288)),
  );
  const DC = 0x02;
  assert.equal((await copy(a, targets, [blocks(2, ends, DC)])).outcome, 'GOOD');
  assert(
    Buffer.from(devices[0].bytes.subarray(512, 512 + 8192)).equals(devices[1].bytes.subarray(8192, 16384)),
  );
});

test('what is wrong with the list is said before anything is copied', async () => {
  const { a, units, devices } = createStage();
  const own = target(units[0]);
  const good = blocks(1, { ...WITHIN, destinationLba: 5 });
  const many = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);
  assert.equal((await copy(a, many(17, own), [good])).outcome, '5/26/06');
  assert.equal((await copy(a, [own], many(65, good))).outcome, '5/26/08');
  assert.equal((await copy(a, many(17, own), many(90, good))).outcome, '5/1a/00');
  assert.equal((await copy(a, [own.with(0, 0xe0)], [good])).outcome, '5/26/07');
  assert.equal((await copy(a, [own], [good.with(0, 0x03)])).outcome, '5/26/09');
  assert.equal((await copy(a, [own], [good], { cut: 1 })).outcome, '5/1a/00');
  assert.equal((await copy(a, [own], [good], { cut: 29 })).outcome, '5/1a/00');
  assert.equal((await copy(a, [own], [good], { usage: 1 })).outcome, '5/26/00');
  assert.equal((await copy(a, [own], [good], { usage: 3 })).outcome, '5/26/00');
  assert.equal((await a.send([0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 15, 0, 0])).outcome, '5/1a/00');
  assert.equal((await a.send([0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])).outcome, 'GOOD');
  assert.deepEqual(devices[0].log, []);
});

test('a segment that cannot be copied ends the copy with its number, and the details are kept', async () => {
  const { a, units } = createStage();
  const own = target(units[0]);
  const good = blocks(1, { ...WITHIN, destinationLba: 5 });
  const noTarget = await copy(a, [own], [good, blocks(1, { ...WITHIN, destination: 1 })], { identifier: 9 });
  assert.equal(noTarget.outcome, 'a/0d/02');
  assert.deepEqual([...noTarget.sense!.subarray(8, 12)], [0, 0, 0, 1]);
  assert.equal((await copy(a, [own], [blocks(2, { ...WITHIN, destinationLba: 511 })])).outcome, 'a/00/00');
  const elsewhere = target(units[0]).with(8, 0x77);
  assert.equal((await copy(a, [elsewhere], [good])).outcome, 'a/0d/02');
  const wrongBlockLength = target(units[0], 4096);
  assert.equal((await copy(a, [wrongBlockLength], [good])).outcome, 'a/26/00');
  const status = await receive(a, 0, 9);
  assert.deepEqual([...status.data], [0, 0, 0, 8, 2, 0, 1, 0, 0, 0, 2, 0]);
  const details = await receive(a, 4, 9);
  assert.equal(details.data.length, 78);
  assert.deepEqual([...details.data.subarray(56, 63)], [2, 0, 0, 18, 0x70, 0, 0x0a]);
  assert.equal((await receive(a, 4, 9)).outcome, '5/24/00', 'told once');
});

test('a copy that runs shows its progress, keeps its identifier to itself and can be aborted', async () => {
  const { a, units, devices } = createStage();
  let go: () => void = () => undefined;
  devices[0].before = (operation) =>
    operation === 'write'
      ? new Promise((resolve) => {
          go = () => resolve(undefined);
        })
      : undefined;
  const two = [blocks(2, { ...WITHIN, destinationLba: 9 }), blocks(2, { ...WITHIN, destinationLba: 20 })];
  const copying = copy(a, [target(units[0])], two, { identifier: 3 });
  await new Promise(setImmediate);
  assert.equal((await receive(a, 0, 3)).data[4], 0);
  assert.equal((await copy(a, [target(units[0])], two, { identifier: 3 })).outcome, '5/00/16');
  const aborting = abortTasks(units[0], () => true, a.nexus);
  devices[0].before = undefined;
  go();
  await aborting;
  assert.equal((await copying).outcome, 'ABANDONED');
  assert(!devices[0].log.includes('write 20+2'), 'nothing further was written');
});

test('list usage decides what is kept', async () => {
  const { a, units } = createStage();
  const good = [blocks(1, { ...WITHIN, destinationLba: 5 })];
  await copy(a, [target(units[0])], good, { identifier: 4 });
  assert.deepEqual([...(await receive(a, 0, 4)).data], [0, 0, 0, 8, 1, 0, 1, 0, 0, 0, 2, 0]);
  assert.deepEqual([...(await receive(a, 4, 4)).data], [0, 0, 0, 0], 'nothing failed');
  await copy(a, [target(units[0])], good, { identifier: 5, usage: 2 });
  assert.equal((await receive(a, 0, 5)).outcome, '5/24/00');
  await copy(a, [target(units[0])], good, { identifier: 0, usage: 3 });
  assert.equal((await receive(a, 0, 0)).outcome, '5/24/00');
});

test('another unit is reached as the initiator itself would reach it', async () => {
  const { a, there, units, devices } = createStage();
  const targets = units.map((unit) => target(unit));
  const over = [blocks(1, { ...WITHIN, destination: 1 })];
  units[1].mode.softwareWriteProtect = true;
  assert.equal((await copy(a, targets, over)).outcome, 'a/0d/01');
  units[1].mode.softwareWriteProtect = false;
  units[1].medium = 'ejected';
  assert.equal((await copy(a, targets, over)).outcome, 'a/0d/01');
  units[1].medium = 'loaded';
  const registrations = [{ initiatorPort: 'iqn.z,i,0x1', targetPort: 1, key: 1n }];
  const reservation = { type: 1 as const, holder: registrations[0] };
  units[1].reservations = createReservations(
    {},
    {
      generation: 1,
      aptpl: false,
      registrations,
      reservation,
      legacyHolder: undefined,
    },
  );
  assert.equal((await copy(a, targets, over)).outcome, 'a/0d/01');
  const back = [blocks(1, { ...WITHIN, source: 1 })];
  assert.equal((await copy(a, targets, back)).outcome, 'GOOD', 'write exclusive lets others read');
  assert.deepEqual(devices[1].log, ['read 0+1']);
  assert.deepEqual(there.attentions(), []);
  await there.close();
  assert.equal((await copy(a, targets, back)).outcome, 'a/0d/02', 'not logged in there');
});

test('a chunk at another unit is waited for by what aborts there', async () => {
  const { a, units, devices } = createStage();
  let go: () => void = () => undefined;
  devices[1].before = () =>
    new Promise((resolve) => {
      go = () => resolve(undefined);
    });
  const copying = copy(
    a,
    units.map((unit) => target(unit)),
    [blocks(1, { ...WITHIN, destination: 1 })],
  );
  await new Promise(setImmediate);
  let aborted = false;
  const aborting = Promise.resolve(abortTasks(units[1], () => true, 'deviceServer')).then(() => {
    aborted = true;
  });
  await new Promise(setImmediate);
  assert.equal(aborted, false);
  go();
  await aborting;
  assert.equal((await copying).outcome, 'a/0d/01');
});

test('a thin destination stays thin where the source has nothing', async () => {
  const { a, units, devices } = createStage([512, 512], true);
  devices[0].bytes.fill(0);
  devices[1].mapped.fill(1);
  const segment = blocks(16, { ...WITHIN, destination: 1, destinationLba: 8 });
  assert.equal(
    (
      await copy(
        a,
        units.map((unit) => target(unit)),
        [segment],
      )
    ).outcome,
    'GOOD',
  );
  assert.deepEqual(devices[1].log, ['unmap 8+16']);
});

test('a fault of a device is a third party failure, and an unavailable one not reachable', async () => {
  const { a, units, devices } = createStage();
  const good = [blocks(1, { ...WITHIN, destinationLba: 5 })];
  devices[0].before = () => ({ kind: 'mediumError', operation: 'read', lba: 0, cause: 'test' });
  assert.equal((await copy(a, [target(units[0])], good)).outcome, 'a/0d/01');
  devices[0].before = () => ({ kind: 'unavailable', reason: 'test' });
  assert.equal((await copy(a, [target(units[0])], good)).outcome, 'a/0d/02');
  devices[0].before = (operation) => (operation === 'write' ? { kind: 'noSpace', lba: 5 } : undefined);
  assert.equal((await copy(a, [target(units[0])], good)).outcome, '7/27/07');
});

test('operating parameters and the third-party copy page promise the same limits', async () => {
  const { a, units } = createStage();
  const { data } = await receive(a, 3);
  assert.equal(
    Buffer.from(data).toString('hex'),
    '0000002b01000000' +
      '0010004000000a00' +
      '1000000000000000' +
      '0000000000000000' +
      '0000001010090000' +
      '00000003020ae4',
  );
  assert.equal(
    Buffer.from(thirdPartyCopy(units[0])).toString('hex'),
    '0001000c' +
      '0883010084030003040000' +
      '00' +
      ('0004001c' + '00000000' + '00100040' + '00000a00' + '00'.repeat(16)) +
      ('00080004' + '03020ae4') +
      ('000c0004' + '00000000') +
      ('80010020' + '00000010' + '00000010' + '10000000' + '09' + '00'.repeat(19)),
  );
});

test('any parameter list is a list or a fault', () => {
  const head = fc.tuple(fc.nat(255), fc.constantFrom(0, 0x10, 0x18), fc.nat(200), fc.nat(200));
  fc.assert(
    fc.property(
      head,
      fc.uint8Array({ minLength: 16, maxLength: 400 }),
      ([id, usage, targets, segments], tail) => {
        const list = Uint8Array.from([
          id,
          usage,
          0,
          targets,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          segments,
          0,
          0,
          0,
          0,
          ...tail,
        ]);
        for (let at = 16; at < 16 + targets && at < list.length; at += 32) list[at] = 0xe4;
        const decoded = decodeCopyList(list);
        if (decoded.ok) assert.equal(decoded.value.targets.length * 32, targets);
      },
    ),
    { numRuns: 2000 },
  );
});
