/**
 * Goal: through every node of a mirrored unit there is one set of reservations, and each nexus hears once of what concerns
 * it. Method: two units that share a document in memory, an initiator at each; tasks that wait in a slow device.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DONE, fail } from '../../base/result.ts';
import type { BlockDevice } from '../../ports/block-device.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { AccessState, GroupStatus } from '../target-port-groups.ts';
import type { TargetDevice } from '../target-device.ts';
import { Client, readyClient, said, type Sent, targetAt, unitOver } from '../testing/client.ts';
import { createMemoryDevice, type MemoryDevice } from '../testing/memory-device.ts';
import { MemoryDocument } from '../testing/memory-document.ts';
import { SharedReservations } from './shared.ts';

const REGISTER = 0;
const RESERVE = 1;
const CLEAR = 3;
const PREEMPT = 4;
const PREEMPT_AND_ABORT = 5;
const WRITE_EXCLUSIVE = 1;
const EXCLUSIVE_ACCESS_REGISTRANTS = 6;
const RESERVE_6 = [0x16];
const RELEASE_6 = [0x17];
const TEST_UNIT_READY = [0];
const WRITE = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const READ = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const CONFLICT = 'status 18';

interface NodeStage {
  readonly unit: LogicalUnit;
  readonly target: TargetDevice;
  readonly device: MemoryDevice;
  readonly reservations: SharedReservations;
}

const portGroups = () => ({
  groups: [1, 2].map((node) => ({
    group: node,
    state: AccessState.ACTIVE_OPTIMIZED,
    preferred: false,
    status: GroupStatus.NONE,
    ports: [node],
  })),
  implicitTransitionSeconds: 0,
});

/** What waits until the test says that its time has come. */
const timers: (() => void)[] = [];
const clock = {
  now: () => 0,
  after(_delayMs: number, action: () => void) {
    timers.push(action);
    return { cancel: () => undefined };
  },
};

function createNode(document: MemoryDocument, node: number): NodeStage {
  const device = createMemoryDevice(64);
  const reservations = new SharedReservations({
    document,
    ownPort: node,
    clock,
    trace: () => undefined,
  });
  const unit = unitOver(device, { reservations, portGroups });
  reservations.begin(unit);
  void reservations.told(document.bytes);
  document.told.push((bytes) => void reservations.told(bytes));
  return { unit, target: targetAt(node, unit), device, reservations };
}

async function stage() {
  const document = new MemoryDocument();
  const [one, two] = [createNode(document, 1), createNode(document, 2)];
  const a = await readyClient(one.target, 'iqn.a');
  const b = await readyClient(two.target, 'iqn.b');
  return { document, one, two, a, b };
}

interface OutOptions {
  readonly type?: number;
  readonly key?: number;
  readonly actionKey?: number;
  readonly flags?: number;
}

function sendOut(client: Client, action: number, options: OutOptions = {}): Sent {
  const { type = 0, key = 0, actionKey = 0, flags = 0 } = options;
  const dataOut = new Uint8Array(24);
  dataOut[7] = key;
  dataOut[15] = actionKey;
  dataOut[20] = flags;
  return client.send([0x5f, action, type, 0, 0, 0, 0, 0, 24, 0], { dataOut });
}

async function out(client: Client, action: number, options: OutOptions = {}): Promise<string> {
  return said(await sendOut(client, action, options).ended);
}

async function seen(client: Client, action: number): Promise<string> {
  const ending = await client.run([0x5e, action, 0, 0, 0, 0, 0, 1, 0, 0]);
  return said(ending) === 'good' ? Buffer.from(ending.data).toString('hex') : said(ending);
}

async function bothRegistered() {
  const all = await stage();
  assert.equal(await out(all.a, REGISTER, { actionKey: 1 }), 'good');
  assert.equal(await out(all.b, REGISTER, { actionKey: 2 }), 'good');
  return all;
}

/** From now on a write waits in the device until the result is called. */
function hold(device: MemoryDevice): () => void {
  let go: () => void = () => undefined;
  const held = new Promise<undefined>((resolve) => {
    go = () => resolve(undefined);
  });
  device.before = () => held;
  return () => {
    device.before = undefined;
    go();
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what is registered and reserved through one node is seen and kept through the other', async () => {
  const { a, b } = await bothRegistered();
  assert.equal(await out(a, RESERVE, { key: 1, type: WRITE_EXCLUSIVE }), 'good');
  assert.equal(await seen(b, 0), '00000002' + '00000010' + '0000000000000001' + '0000000000000002');
  assert.equal(await seen(b, 1), '00000002' + '00000010' + '0000000000000001' + '00000000' + '00010000');
  assert.equal(said(await b.run(WRITE, { dataOut: new Uint8Array(512) })), CONFLICT);
  assert.equal(said(await b.run(READ)), 'good');
  assert.equal(said(await a.run(WRITE, { dataOut: new Uint8Array(512) })), 'good');
  assert.equal(await out(b, RESERVE, { key: 2, type: WRITE_EXCLUSIVE }), CONFLICT);
  assert.deepEqual([await a.attentions(), await b.attentions()], [[], []]);
});

test('READ FULL STATUS names the relative target ports of all nodes', async () => {
  const { a, b } = await bothRegistered();
  const status = await seen(a, 3);
  assert.equal(status, await seen(b, 3));
  const bytes = Buffer.from(status, 'hex');
  assert.equal(bytes.length, 8 + 2 * 52);
  assert.deepEqual([bytes.readUInt16BE(8 + 18), bytes.readUInt16BE(8 + 52 + 18)], [1, 2]);
});

test('ALL_TG_PT registers the initiator at the ports of all nodes', async () => {
  const { one, two, a, document } = await stage();
  assert.equal(await out(a, REGISTER, { actionKey: 1, flags: 0x04 }), 'good');
  for (const { reservations } of [one, two])
    assert.deepEqual(
      reservations.state.registrations.map(({ targetPort }) => targetPort),
      [1, 2],
    );
  assert.equal(document.changes, 1);
});

test('registrations always survive, whatever was asked for, and the capabilities say so', async () => {
  const { a, document } = await stage();
  assert.equal((await seen(a, 2)).slice(4, 8), '1d81'); // CRH, SIP_C, ATP_C, PTPL_C; TMV, PTPL_A
  assert.equal(await out(a, REGISTER, { actionKey: 1, flags: 0x01 }), 'good');
  assert.equal(await out(a, REGISTER, { key: 1, actionKey: 3 }), 'good');
  const restarted = createNode(document, 1);
  assert.deepEqual(
    restarted.reservations.state.registrations.map(({ key }) => key),
    [3n],
  );
});

test('each nexus hears of what concerns it once, at whichever node it is', async () => {
  const { one, a, b } = await bothRegistered();
  const c = await readyClient(one.target, 'iqn.c');
  assert.equal(await out(c, REGISTER, { actionKey: 3 }), 'good');
  assert.equal(await out(b, RESERVE, { key: 2, type: EXCLUSIVE_ACCESS_REGISTRANTS }), 'good');
  assert.equal(await out(b, REGISTER, { key: 2 }), 'good');
  assert.deepEqual(await a.attentions(), ['6/2a/04']);
  assert.deepEqual(await c.attentions(), ['6/2a/04']);
  assert.deepEqual(await b.attentions(), []);
  assert.equal(await out(b, REGISTER, { actionKey: 2 }), 'good');
  assert.equal(await out(b, PREEMPT, { key: 2, actionKey: 1, type: WRITE_EXCLUSIVE }), 'good');
  assert.deepEqual([await a.attentions(), await c.attentions(), await b.attentions()], [['6/2a/05'], [], []]);
  assert.equal(await out(b, CLEAR, { key: 2 }), 'good');
  assert.deepEqual([await a.attentions(), await c.attentions(), await b.attentions()], [[], ['6/2a/03'], []]);
});

test('PREEMPT AND ABORT ends the tasks of the preempted nexus at the other node', async () => {
  const { one, a, b } = await bothRegistered();
  assert.equal(await out(a, RESERVE, { key: 1, type: WRITE_EXCLUSIVE }), 'good');
  const go = hold(one.device);
  const written = a.send(WRITE, { dataOut: new Uint8Array(512) });
  const waiting = a.send(WRITE, { dataOut: new Uint8Array(512), withhold: true });
  const preempted = out(b, PREEMPT_AND_ABORT, { key: 2, actionKey: 1, type: WRITE_EXCLUSIVE });
  assert.equal(await preempted, 'good');
  assert.equal(said(waiting.ending), 'status 40');
  go();
  assert.equal(said(await written.ended), 'status 40');
  assert.deepEqual(await a.attentions(), ['6/2a/05']);
  assert.equal(said(await a.run(WRITE, { dataOut: new Uint8Array(512) })), CONFLICT);
});

test('PREEMPT AND ABORT waits for the tasks at its own node', async () => {
  const { one, a } = await bothRegistered();
  const c = await readyClient(one.target, 'iqn.c');
  assert.equal(await out(c, REGISTER, { actionKey: 3 }), 'good');
  const go = hold(one.device);
  const written = c.send(WRITE, { dataOut: new Uint8Array(512) });
  const preempting = sendOut(a, PREEMPT_AND_ABORT, { key: 1, actionKey: 3, type: WRITE_EXCLUSIVE });
  await turn();
  assert.equal(preempting.ending, undefined);
  go();
  assert.equal(said(await written.ended), 'status 40');
  assert.equal(said(await preempting.ended), 'good');
});

test('a command that was aborted while it waited for its turn decides nothing', async () => {
  const { document, a, two } = await stage();
  const go = document.hold();
  const sent = sendOut(a, REGISTER, { actionKey: 1 });
  const aborted = a.abort(sent.tag);
  go();
  assert.equal(await aborted, 'complete');
  assert.equal(said(sent.ending), 'abandoned');
  assert.equal(two.reservations.state.registrations.length, 0);
});

test('a conflict is looked at once more before it is answered, and so is what PERSISTENT RESERVE IN says', async () => {
  const { document, two, a, b } = await bothRegistered();
  assert.equal(await out(a, RESERVE, { key: 1, type: WRITE_EXCLUSIVE }), 'good');
  // Node 2 is not told that there is no reservation any more.
  const [, tellTwo] = document.told.splice(1, 1, () => undefined);
  assert.equal(tellTwo, undefined);
  assert.equal(await out(a, CLEAR, { key: 1 }), 'good');
  const go = document.hold();
  const written = b.send(WRITE, { dataOut: new Uint8Array(512) });
  await turn();
  assert.equal(written.ending, undefined);
  await two.reservations.told(document.bytes!);
  go();
  assert.deepEqual(said(await written.ended), '6/2a/03');
  assert.equal(said(await b.run(WRITE, { dataOut: new Uint8Array(512) })), 'good');
});

test('a write that waits at the device is looked at again when it begins', async () => {
  const { two, a, b, document } = await bothRegistered();
  let go: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  let begun = 0;
  const write: BlockDevice['write'] = async (_lba, _data, _durability, ticket) => {
    await held;
    if (!ticket!.isAlive()) return fail({ kind: 'unavailable', reason: 'it must not begin any more' });
    begun += 1;
    return DONE;
  };
  Object.assign(two.device, { write });
  const written = b.send(WRITE, { dataOut: new Uint8Array(512) });
  assert.equal(await out(a, RESERVE, { key: 1, type: WRITE_EXCLUSIVE }), 'good');
  const { looks } = document;
  go();
  assert.equal(said(await written.ended), CONFLICT);
  assert.deepEqual([begun, document.looks - looks], [0, 1]);
});

test('where the document cannot be asked nothing is refused for its sake, and nothing is claimed', async () => {
  const { document, a, b } = await bothRegistered();
  assert.equal(await out(a, RESERVE, { key: 1, type: WRITE_EXCLUSIVE }), 'good');
  document.fault = { kind: 'unavailable', reason: 'test' };
  assert.equal(said(await b.run(WRITE, { dataOut: new Uint8Array(512) })), '2/04/0c');
  assert.equal(await seen(b, 0), '2/04/0c');
  assert.equal(await out(b, CLEAR, { key: 2 }), '2/04/0c');
  assert.equal(await b.manage('logicalUnitReset'), 'rejected');
});

test('an SPC-2 reservation holds through the other node and ends with its nexus', async () => {
  const { one, two, a, b } = await stage();
  assert.equal(said(await a.run(RESERVE_6)), 'good');
  assert.equal(said(await b.run(TEST_UNIT_READY)), CONFLICT);
  assert.equal(said(await b.run(RELEASE_6)), 'good');
  assert.equal(said(await b.run(RESERVE_6)), CONFLICT);
  await a.nexus.close();
  await turn();
  assert.equal(said(await b.run(RESERVE_6)), 'good');
  const again = await readyClient(one.target, 'iqn.a');
  assert.equal(said(await again.run(TEST_UNIT_READY)), CONFLICT);
  assert.equal(two.reservations.state.legacyHolder?.targetPort, 2);
});

test('what ended with a nexus never takes away what the same nexus reserves later', async () => {
  const { document, one, two, a, b } = await stage();
  assert.equal(said(await a.run(RESERVE_6)), 'good');
  const go = document.hold();
  await a.nexus.close();
  const again = new Client(one.target, 'iqn.a');
  assert.equal(said(await again.run(TEST_UNIT_READY)), '6/29/00');
  const reserved = again.send(RESERVE_6);
  go();
  assert.equal(said(await reserved.ended), 'good');
  await turn();
  assert.equal(said(await b.run(TEST_UNIT_READY)), CONFLICT);
  assert.equal(two.reservations.state.legacyHolder?.initiatorPort.slice(0, 5), 'iqn.a');
});

test('a release that cannot be made is made later', async () => {
  const { document, a, b } = await stage();
  assert.equal(said(await a.run(RESERVE_6)), 'good');
  document.fault = { kind: 'unavailable', reason: 'test' };
  await a.nexus.close();
  await turn();
  document.fault = undefined;
  assert.equal(said(await b.run(RESERVE_6)), CONFLICT);
  for (const action of timers.splice(0)) action();
  await turn();
  assert.equal(said(await b.run(RESERVE_6)), 'good');
});

test('an SPC-2 reservation ends with the node of its nexus, and the nexus hears of it if it lives on', async () => {
  const { two, a, b } = await stage();
  assert.equal(said(await a.run(RESERVE_6)), 'good');
  two.reservations.portsAre([1, 2]);
  await turn();
  assert.equal(said(await b.run(TEST_UNIT_READY)), CONFLICT);
  two.reservations.portsAre([2]);
  await turn();
  assert.equal(said(await b.run(RESERVE_6)), 'good');
  assert.deepEqual(await a.attentions(), ['6/29/07']);
});

test('an SPC-2 reservation of a former process of this node has ended', async () => {
  const { document, a, b } = await stage();
  assert.equal(said(await a.run(RESERVE_6)), 'good');
  createNode(document, 1);
  await turn();
  assert.equal(said(await b.run(RESERVE_6)), 'good');
});

test('a reset through one node aborts, resets and is heard of at the other', async () => {
  const { one, two, a, b } = await stage();
  assert.equal(said(await b.run(RESERVE_6)), 'good');
  two.unit.mode.softwareWriteProtect = true;
  const waiting = b.send(WRITE, { dataOut: new Uint8Array(512), withhold: true });
  assert.equal(said(waiting.ending), '7/27/02');
  const go = hold(two.device);
  const reading = b.send(READ);
  assert.equal(await a.manage('logicalUnitReset'), 'complete');
  go();
  assert.equal(said(await reading.ended), 'status 40');
  assert.deepEqual([await a.attentions(), await b.attentions()], [['6/29/03'], ['6/29/03']]);
  assert.equal(two.unit.mode.softwareWriteProtect, false);
  assert.equal(said(await a.run(RESERVE_6)), 'good');
  assert.equal(one.reservations.state.legacyHolder?.targetPort, 1);
});

test('TARGET WARM RESET is the same for every unit of the target', async () => {
  const { a, b } = await stage();
  assert.equal(await a.nexus.manage({ kind: 'targetWarmReset' }), 'complete');
  assert.deepEqual([await a.attentions(), await b.attentions()], [['6/29/02'], ['6/29/02']]);
});

test('persistent reservations outlive a reset', async () => {
  const { a, b } = await bothRegistered();
  assert.equal(await out(a, RESERVE, { key: 1, type: WRITE_EXCLUSIVE }), 'good');
  assert.equal(await b.manage('logicalUnitReset'), 'complete');
  await b.attentions();
  assert.equal(said(await b.run(WRITE, { dataOut: new Uint8Array(512) })), CONFLICT);
});

test('what is told twice is told once', async () => {
  const { document, two, a, b } = await bothRegistered();
  assert.equal(await out(a, CLEAR, { key: 1 }), 'good');
  await two.reservations.told(document.bytes!.slice());
  assert.deepEqual(await b.attentions(), ['6/2a/03']);
});

test('reservations of a later program are not guessed at', async () => {
  const { document, two, b } = await bothRegistered();
  document.bytes = document.bytes!.with(5, 2);
  await two.reservations.told(document.bytes);
  assert.equal(two.reservations.isReadable, false);
  assert.equal(await out(b, CLEAR, { key: 2 }), '2/04/0c');
});
