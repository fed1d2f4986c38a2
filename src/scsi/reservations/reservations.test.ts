/**
 * Goal: the commands around the machine: parameter data, the durable record before GOOD, unit attentions to the right
 * nexuses, tasks aborted by PREEMPT AND ABORT. Method: nexuses of two ports against one unit; a record file in memory.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail, ok } from '../../base/result.ts';
import type { RecordFile } from '../../ports/record-file.ts';
import type { Command } from '../command.ts';
import { setU32 } from '../fields.ts';
import { createLogicalUnit, type LogicalUnit } from '../logical-unit.ts';
import { GOOD } from '../outcome.ts';
import { createInitiator, createPort, type Initiator } from '../testing/initiator.ts';
import { createMemoryDevice } from '../testing/memory-device.ts';
import { RESERVATION_COMMANDS } from './commands.ts';
import { resetHere } from '../unit-reset.ts';
import { createReservations, openReservations } from './reservations.ts';
import { encodeTransportId } from './transport-id.ts';

const REGISTER = 0;
const RESERVE = 1;
const RELEASE = 2;
const CLEAR = 3;
const PREEMPT = 4;
const PREEMPT_AND_ABORT = 5;
const REGISTER_AND_IGNORE = 6;
const REGISTER_AND_MOVE = 7;
const APTPL = 0x01;
const ALL_TG_PT = 0x04;
const SPEC_I_PT = 0x08;

/** A write that ends when it is told to. */
let endWrite: () => void = () => undefined;
const WRITE: Command = {
  name: 'WRITE',
  opcode: 0x2a,
  usage: [0x2a, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  access: 'write',
  execute: () =>
    new Promise((resolve) => {
      endWrite = () => resolve(GOOD);
    }),
};
const READ: Command = {
  name: 'READ',
  opcode: 0x28,
  usage: [0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  access: 'read',
  execute: () => GOOD,
};
const ROWS = [...RESERVATION_COMMANDS, WRITE, READ];

interface Stage {
  readonly unit: LogicalUnit;
  readonly a: Initiator;
  readonly b: Initiator;
  readonly c: Initiator;
}

/** a and b on port 1, c on port 2. */
function createStage(reservations = createReservations()): Stage {
  const unit = createLogicalUnit({
    device: createMemoryDevice(64),
    identity: {
      product: 'TEST',
      revision: '1',
      serial: 'S',
      naa: Uint8Array.from({ length: 16 }, () => 0x60),
    },
    reservations,
  });
  const port1 = createPort(1, [unit]);
  const port2 = createPort(2, [unit]);
  return {
    unit,
    a: createInitiator(unit, port1, 'iqn.a', ROWS),
    b: createInitiator(unit, port1, 'iqn.b', ROWS),
    c: createInitiator(unit, port2, 'iqn.c', ROWS),
  };
}

interface Out {
  readonly key?: number;
  readonly newKey?: number;
  readonly type?: number;
  readonly flags?: number;
  readonly more?: Uint8Array;
}

async function out(initiator: Initiator, action: number, options: Out = {}): Promise<string> {
  const { key = 0, newKey = 0, type = 0, flags = 0, more = new Uint8Array(0) } = options;
  const list = new Uint8Array(24 + more.length);
  setU32(list, 4, key);
  setU32(list, 12, newKey);
  list[20] = flags;
  list.set(more, 24);
  const cdb = [0x5f, action, type, 0, 0, 0, 0, list.length >>> 8, list.length & 0xff, 0];
  return (await initiator.send(cdb, list)).outcome;
}

async function read(initiator: Initiator, action: number, allocationLength = 8192): Promise<string> {
  const cdb = [0x5e, action, 0, 0, 0, 0, 0, allocationLength >>> 8, allocationLength & 0xff, 0];
  const ending = await initiator.send(cdb);
  assert.equal(ending.outcome, 'GOOD');
  return hexOf(ending.data);
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

const READ10 = [0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const WRITE10 = [0x2a, 0, 0, 0, 0, 0, 0, 0, 0, 0];

interface MemoryRecord extends RecordFile {
  saved: Uint8Array | undefined;
  broken: boolean;
  saves: number;
}

function createRecord(): MemoryRecord {
  const record: MemoryRecord = {
    name: 'memory',
    saved: undefined,
    broken: false,
    saves: 0,
    load: async () => ok(record.saved),
    async save(bytes) {
      await Promise.resolve();
      record.saves += 1;
      if (record.broken) return fail({ kind: 'ioError', name: 'memory', cause: 'test' });
      record.saved = bytes;
      return ok(undefined);
    },
  };
  return record;
}

test('PERSISTENT RESERVE IN shows keys, reservation, capabilities and full status', async () => {
  const { a, c } = createStage();
  assert.equal(await read(a, 0), '0000000000000000');
  assert.equal(await read(a, 1), '0000000000000000');
  assert.equal(await out(a, REGISTER, { newKey: 0x11 }), 'GOOD');
  assert.equal(await out(c, REGISTER_AND_IGNORE, { key: 0x99, newKey: 0x22 }), 'GOOD');
  assert.equal(await out(a, RESERVE, { key: 0x11, type: 5 }), 'GOOD');
  assert.equal(await read(a, 0), '0000000200000010' + '0000000000000011' + '0000000000000022');
  assert.equal(await read(a, 0, 8), '0000000200000010');
  assert.equal(await read(c, 1), '0000000200000010' + '0000000000000011' + '0000000000050000');
  assert.equal(await read(c, 2), '00081c80ea010000');
  const transportId = hexOf(encodeTransportId('iqn.a,i,0x00023d000001'));
  assert.equal(transportId, '4500001869716e2e612c692c3078303030323364303030303031' + '0000');
  const own = '0000000000000011' + '00000000' + '0105' + '00000000' + '0001' + '0000001c' + transportId;
  assert((await read(c, 3)).startsWith(`0000000200000068${own}`));
  await out(a, RELEASE, { key: 0x11, type: 5 });
  assert.deepEqual(c.attentions(), ['reservationsReleased']);
  await out(a, RESERVE, { key: 0x11, type: 8 });
  assert.equal(await read(c, 1), '0000000200000010' + '0000000000000000' + '0000000000080000');
});

test('malformed PERSISTENT RESERVE OUT is refused with the right sense', async () => {
  const { a } = createStage();
  assert.equal(await out(a, REGISTER, { newKey: 1 }), 'GOOD');
  assert.equal(await out(a, RESERVE, { key: 1, type: 0x15 }), '5/24/00');
  assert.equal(await out(a, RESERVE, { key: 1, type: 2 }), '5/24/00');
  assert.equal(await out(a, RESERVE, { key: 1, type: 1, flags: SPEC_I_PT }), '5/26/00');
  assert.equal(await out(a, RESERVE, { key: 1, type: 1, more: new Uint8Array(8) }), '5/1a/00');
  assert.equal(await out(a, REGISTER, { key: 1, newKey: 1, flags: APTPL }), '5/26/00');
  assert.equal((await a.send([0x5f, 0, 0, 0, 0, 0, 0, 0, 23, 0], new Uint8Array(23))).outcome, '5/1a/00');
  assert.equal((await a.send([0x16, 1, 0, 0, 0, 0])).outcome, '5/24/00');
});

test('unit attentions reach only the nexuses they are for', async () => {
  const { a, b, c } = createStage();
  for (const [initiator, newKey] of [
    [a, 1],
    [b, 2],
    [c, 3],
  ] as const) {
    assert.equal(await out(initiator, REGISTER, { newKey }), 'GOOD');
  }
  assert.equal(await out(a, RESERVE, { key: 1, type: 6 }), 'GOOD');
  assert.equal(await out(b, PREEMPT, { key: 2, newKey: 1, type: 6 }), 'GOOD');
  assert.deepEqual(
    [a, b, c].map((each) => each.attentions()),
    [['registrationsPreempted'], [], []],
  );
  assert.equal((await a.send(READ10)).outcome, 'CONFLICT');
  assert.equal((await c.send(READ10)).outcome, 'GOOD');
  assert.equal(await out(b, CLEAR, { key: 2 }), 'GOOD');
  assert.deepEqual(
    [a, b, c].map((each) => each.attentions()),
    [[], [], ['reservationsPreempted']],
  );
  assert.equal((await a.send(READ10)).outcome, 'GOOD');
});

test('PREEMPT AND ABORT answers when the tasks of the preempted have ended', async () => {
  const { a, b } = createStage();
  await out(a, REGISTER, { newKey: 1 });
  await out(b, REGISTER, { newKey: 2 });
  await out(a, RESERVE, { key: 1, type: 5 });
  const writing = a.send(WRITE10);
  let answered = false;
  const preempting = out(b, PREEMPT_AND_ABORT, { key: 2, newKey: 1, type: 5 }).then((outcome) => {
    answered = true;
    return outcome;
  });
  await new Promise(setImmediate);
  assert.equal(answered, false);
  endWrite();
  assert.equal((await writing).outcome, 'STATUS 64');
  assert.equal(await preempting, 'GOOD');
});

test('a nexus that preempts itself with an abort does not wait for itself', async () => {
  const { a, b } = createStage(createReservations({ record: createRecord() }));
  await out(a, REGISTER, { newKey: 1, flags: APTPL });
  await out(b, REGISTER, { newKey: 1, flags: APTPL });
  await out(a, RESERVE, { key: 1, type: 5 });
  const outcomes = await Promise.all([
    out(a, PREEMPT_AND_ABORT, { key: 1, newKey: 1, type: 6 }),
    out(b, PREEMPT_AND_ABORT, { key: 1, newKey: 1, type: 6 }),
  ]);
  assert.deepEqual(outcomes, ['GOOD', 'STATUS 64']);
});

test('with APTPL everything is there again after a restart, without it nothing', async () => {
  const record = createRecord();
  const first = createStage(createReservations({ record }));
  await out(first.a, REGISTER, { newKey: 1 });
  assert.equal(record.saves, 0);
  await out(first.b, REGISTER, { newKey: 2, flags: APTPL | ALL_TG_PT });
  await out(first.b, RESERVE, { key: 2, type: 3 });
  assert.equal(record.saves, 2);
  const reopened = await openReservations({ record });
  assert(reopened.ok);
  const second = createStage(reopened.value);
  assert.equal(
    await read(second.c, 0),
    `0000000000000018${['1', '2', '2'].map((key) => key.padStart(16, '0')).join('')}`,
  );
  assert.equal((await second.a.send(READ10)).outcome, 'CONFLICT');
  assert.equal((await second.b.send(READ10)).outcome, 'GOOD');
  assert.equal(await read(second.a, 2), '00081d81ea010000');
  await out(second.b, REGISTER, { key: 2, newKey: 5 });
  const third = await openReservations({ record });
  assert(third.ok);
  assert.deepEqual(third.value.state.registrations, []);
});

test('what could not be saved has not happened', async () => {
  const record = createRecord();
  const { a, b } = createStage(createReservations({ record }));
  record.broken = true;
  assert.equal(await out(a, REGISTER, { newKey: 1, flags: APTPL }), '4/44/00');
  assert.equal(await read(b, 0), '0000000000000000');
});

test('decisions wait for the record of the one before', async () => {
  const { a, b } = createStage(createReservations({ record: createRecord() }));
  await out(a, REGISTER, { newKey: 1, flags: APTPL });
  await out(b, REGISTER, { newKey: 2, flags: APTPL });
  const outcomes = await Promise.all([
    out(a, RESERVE, { key: 1, type: 1 }),
    out(b, RESERVE, { key: 2, type: 1 }),
  ]);
  assert.deepEqual(outcomes, ['GOOD', 'CONFLICT']);
});

test('a damaged record is a fault, not an empty one', async () => {
  const record = createRecord();
  for (const saved of [new Uint8Array(3), new Uint8Array(16), Uint8Array.of(0x4c, 0x53, 0x50, 0x52, 0, 9)]) {
    record.saved = saved;
    const opened = await openReservations({ record });
    assert(!opened.ok && opened.fault.kind === 'corrupt');
  }
});

test('SPEC_I_PT registers named ports, and a name alone means the ports known of it', async () => {
  const { a, b, c } = createStage();
  const port = encodeTransportId('IQN.X,i,0x1');
  const device = encodeTransportId('iqn.b');
  device[0] = 0x05;
  const more = new Uint8Array(4 + port.length + device.length);
  setU32(more, 0, port.length + device.length);
  more.set(port, 4);
  more.set(device, 4 + port.length);
  assert.equal(await out(a, REGISTER, { newKey: 7, flags: SPEC_I_PT, more }), 'GOOD');
  assert((await read(c, 0)).startsWith('0000000100000018'));
  assert.equal(await out(b, RESERVE, { key: 7, type: 1 }), 'GOOD');
  const unknown = encodeTransportId('iqn.nobody');
  unknown[0] = 0x05;
  const list = new Uint8Array(4 + unknown.length);
  setU32(list, 0, unknown.length);
  list.set(unknown, 4);
  assert.equal(await out(c, REGISTER, { newKey: 7, flags: SPEC_I_PT, more: list }), '5/26/00');
});

test('REGISTER AND MOVE takes its own parameter list', async () => {
  const { a, c } = createStage();
  await out(a, REGISTER, { newKey: 1 });
  await out(a, RESERVE, { key: 1, type: 3 });
  const id = encodeTransportId('iqn.c,i,0x00023d000001');
  const list = new Uint8Array(24 + id.length);
  setU32(list, 4, 1);
  setU32(list, 12, 9);
  list[17] = 0x02; // UNREG
  list[19] = 2;
  setU32(list, 20, id.length);
  list.set(id, 24);
  const cdb = [0x5f, REGISTER_AND_MOVE, 0, 0, 0, 0, 0, 0, list.length, 0];
  assert.equal((await a.send(cdb, list.with(19, 9))).outcome, '5/26/00');
  assert.equal((await a.send(cdb, list)).outcome, 'GOOD');
  assert.equal((await a.send(READ10)).outcome, 'CONFLICT');
  assert.equal((await c.send(READ10)).outcome, 'GOOD');
  assert.equal(await read(c, 0), '00000002000000080000000000000009');
});

test('an SPC-2 reservation ends with its nexus and with a reset', async () => {
  const { a, b, unit } = createStage();
  const reserve = [0x16, 0, 0, 0, 0, 0];
  assert.equal((await a.send(reserve)).outcome, 'GOOD');
  assert.equal((await b.send(reserve)).outcome, 'CONFLICT');
  assert.equal((await b.send([0x17, 0, 0, 0, 0, 0])).outcome, 'GOOD');
  assert.equal((await b.send(READ10)).outcome, 'CONFLICT');
  assert.equal((await b.send([0x5e, 0, 0, 0, 0, 0, 0, 0, 8, 0])).outcome, 'CONFLICT');
  await unit.reservations.resetUnit('unit', a.nexus, () => resetHere(unit, 'unit', a.nexus));
  assert.deepEqual([a.attentions(), b.attentions()], [['busDeviceReset'], ['busDeviceReset']]);
  assert.equal((await b.send(reserve)).outcome, 'GOOD');
  await b.close();
  assert.equal((await a.send([0x56, 0, 0, 0, 0, 0, 0, 0, 0, 0])).outcome, 'GOOD');
  assert.equal((await a.send([0x57, 0, 0, 0, 0, 0, 0, 0, 0, 0])).outcome, 'GOOD');
  assert.equal(unit.reservations.held, false);
});

test('an SPC-2 reservation is in no record, so a nexus that is lost right after leaves none behind', async () => {
  const record = createRecord();
  const { a, b } = createStage(createReservations({ record }));
  assert.equal(await out(a, REGISTER, { newKey: 1, flags: APTPL }), 'GOOD');
  assert.equal(await out(a, REGISTER, { key: 1, flags: APTPL }), 'GOOD');
  const { saves } = record;
  const reserved = a.send([0x16, 0, 0, 0, 0, 0]);
  const closed = a.close();
  await Promise.all([reserved, closed]);
  assert.equal((await b.send(WRITE10.with(0, 0x28))).outcome, 'GOOD');
  assert.equal(record.saves, saves);
});
