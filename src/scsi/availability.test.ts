/**
 * Goal: a node that may not serve a unit says so, for now or for longer, and never that something is broken. Method: every
 * row of the command table at a unit whose availability the test decides.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail } from '../base/result.ts';
import { COMMANDS } from './command-table.ts';
import type { Availability } from './logical-unit.ts';
import { AccessState, GroupStatus } from './target-port-groups.ts';
import { Client, readyClient, said, targetOver, unitOver } from './testing/client.ts';
import { createMemoryDevice } from './testing/memory-device.ts';

const TRANSITION = '2/04/0a';
const UNAVAILABLE = '2/04/0c';
/** SPC-4 §5.15.2.4.5, of what there is here. */
const ANSWERED = ['INQUIRY', 'REPORT LUNS', 'REQUEST SENSE', 'REPORT TARGET PORT GROUPS'];

async function stage() {
  let availability: Availability = 'serving';
  const device = createMemoryDevice(64);
  const unit = unitOver(device, { removable: true, availability: () => availability });
  const client = await readyClient(targetOver(unit));
  return { device, unit, client, become: (next: Availability) => void (availability = next) };
}

test('what is not available answers what it has to, and 04h/0Ch to everything else', async () => {
  const { client, become } = await stage();
  become('unavailable');
  for (const { name, opcode, serviceAction = 0 } of COMMANDS) {
    const cdb = [opcode, serviceAction];
    if (ANSWERED.includes(name)) cdb[9] = 64;
    const ending = await client.run(cdb, { dataOut: new Uint8Array(512) });
    assert.equal(said(ending), ANSWERED.includes(name) ? 'good' : UNAVAILABLE, name);
  }
});

test('commands that nobody knows are unknown, available or not', async () => {
  const { client, become } = await stage();
  become('unavailable');
  assert.equal(said(await client.run([0xff])), '5/20/00');
  assert.equal(said(await client.run([0xa3, 0x1f])), '5/24/00');
});

test('unit attentions are reported first', async () => {
  const { unit, become } = await stage();
  become('unavailable');
  const client = new Client(targetOver(unit));
  assert.equal(said(await client.run([0])), '6/29/00');
  assert.equal(said(await client.run([0])), UNAVAILABLE);
});

test('during a transition TEST UNIT READY says so, and what needs no medium is answered', async () => {
  const { client, become } = await stage();
  become('transitioning');
  assert.equal(said(await client.run([0])), TRANSITION);
  assert.equal(said(await client.run([0x25])), 'good');
  become('serving');
  assert.equal(said(await client.run([0])), 'good');
});

test('REQUEST SENSE says what TEST UNIT READY would', async () => {
  const { client, become } = await stage();
  for (const [availability, ascq] of [
    ['transitioning', 0x0a],
    ['unavailable', 0x0c],
  ] as const) {
    become(availability);
    const { data } = await client.run([0x03, 0, 0, 0, 18, 0]);
    assert.deepEqual([data[2], data[12], data[13]], [0x02, 0x04, ascq]);
  }
});

test('a device that could not be asked is not ready: soon again, or not here', async () => {
  const { device, client, become } = await stage();
  device.before = () => ({ kind: 'unavailable', reason: 'the configuration has changed' });
  const read = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];
  assert.equal(said(await client.run(read)), TRANSITION);
  become('transitioning');
  assert.equal(said(await client.run(read)), TRANSITION);
  device.before = () => {
    become('unavailable');
    return { kind: 'unavailable', reason: 'others go on without this node' };
  };
  assert.equal(said(await client.run(read)), UNAVAILABLE);
});

test('reservations that a node may not know any more refuse nothing', async () => {
  const { unit, client, become } = await stage();
  const other = await readyClient(targetOver(unit), 'iqn.b');
  assert.equal(said(await other.run([0x16])), 'good');
  assert.equal(said(await client.run([0])), 'status 18');
  become('unavailable');
  assert.equal(said(await client.run([0])), UNAVAILABLE);
});

test('standard INQUIRY is the same whatever is available, and tells of all ports of all nodes (MULTIP)', async () => {
  const { unit, client, become } = await stage();
  const group = (node: number) => ({
    group: node,
    state: AccessState.UNAVAILABLE,
    preferred: false,
    status: GroupStatus.BY_IMPLICIT_TRANSITION,
    ports: [node],
  });
  assert.equal((await client.run([0x12, 0, 0, 0, 96])).data[6], 0);
  unit.portGroups = () => ({ groups: [group(1), group(2)], implicitTransitionSeconds: 0 });
  const serving = await client.run([0x12, 0, 0, 0, 96]);
  become('unavailable');
  const unavailable = await client.run([0x12, 0, 0, 0, 96]);
  assert.equal(serving.data[6], 0x10);
  assert.deepEqual(unavailable.data, serving.data);
});

test('without an availability a device that cannot be asked is unavailable', async () => {
  const device = createMemoryDevice(64);
  const client = await readyClient(targetOver(unitOver(device)));
  device.read = () => fail({ kind: 'unavailable', reason: 'test' });
  assert.equal(said(await client.run([0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0])), UNAVAILABLE);
});
