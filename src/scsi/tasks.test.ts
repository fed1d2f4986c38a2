/**
 * Goal: order, abort and reset have real effect: what is aborted never starts, what runs is waited for, and the right
 * nexuses are told. Method: a device whose answers the test holds back, behind a whole target device.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TASKS_PER_UNIT_MAX } from './task-set.ts';
import { Client, readyClient, said, targetAt, targetOver, unitOver } from './testing/client.ts';
import { createMemoryDevice } from './testing/memory-device.ts';

const READ_0 = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const READ_1 = [0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0];
const WRITE_0 = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const block = new Uint8Array(512).fill(7);

/** A device that answers only when told to. */
function held() {
  const device = createMemoryDevice(64);
  const waiting: (() => void)[] = [];
  device.before = () => new Promise((resolve) => waiting.push(() => resolve(undefined)));
  return {
    device,
    /** Lets everything go that the device has been asked for. */
    answer: async (): Promise<void> => {
      for (const go of waiting.splice(0)) go();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test('simple tasks run together; an ordered one waits for the older and holds up the younger', async () => {
  const { device, answer } = held();
  const client = await readyClient(targetOver(unitOver(device)));
  const first = client.send(READ_0);
  const second = client.send(READ_1);
  const ordered = client.send(READ_0, { attribute: 'ordered' });
  const last = client.send(READ_1);
  assert.equal(device.log.length, 2);
  await answer();
  assert.deepEqual(
    [first, second, ordered, last].map((sent) => said(sent.ending)),
    ['good', 'good', 'running', 'running'],
  );
  assert.equal(device.log.length, 3);
  await answer();
  assert.equal(said(ordered.ending), 'good');
  await answer();
  assert.equal(said(last.ending), 'good');
});

test('a whole task set of ordered tasks behind one that waits for its data starts in order once it has it', async () => {
  const target = targetOver(unitOver(createMemoryDevice(64)));
  const client = await readyClient(target);
  const first = client.send(WRITE_0, { attribute: 'ordered', withhold: true });
  const ended: number[] = [];
  const others = Array.from({ length: TASKS_PER_UNIT_MAX - 1 }, (_, index) => {
    const sent = client.send([0, 0, 0, 0, 0, 0], { attribute: 'ordered' });
    void sent.ended.then(() => ended.push(index));
    return sent;
  });
  assert.ok(others.every((sent) => said(sent.ending) === 'running'));
  client.nexus.dataOutReceived(first.task, [block]);
  await first.ended;
  await Promise.all(others.map((sent) => sent.ended));
  assert.ok(others.every((sent) => said(sent.ending) === 'good'));
  assert.deepEqual(
    ended,
    ended.toSorted((a, b) => a - b),
  );
});

test('a head of queue task runs at once and holds up what comes after it', async () => {
  const { device, answer } = held();
  const client = await readyClient(targetOver(unitOver(device)));
  client.send(READ_0, { attribute: 'ordered' });
  const head = client.send(READ_1, { attribute: 'headOfQueue' });
  const simple = client.send(READ_0);
  assert.deepEqual(device.log, ['read 0+1', 'read 1+1']);
  await answer();
  assert.equal(said(head.ending), 'good');
  await answer();
  assert.equal(said(simple.ending), 'good');
});

test('ACA tasks and NACA are refused: there is no ACA', async () => {
  const client = await readyClient(targetOver(unitOver(createMemoryDevice(64))));
  assert.equal(said(await client.run(READ_0, { attribute: 'aca' })), '5/49/00');
  assert.equal(said(await client.run([0x28, 0, 0, 0, 0, 0, 0, 0, 1, 4])), '5/24/00');
  assert.equal(await client.manage('clearAca'), 'notSupported');
});

test('the task set has an end: TASK SET FULL', async () => {
  const { device } = held();
  const client = await readyClient(targetOver(unitOver(device)));
  for (let i = 0; i < TASKS_PER_UNIT_MAX; i += 1) client.send(READ_0);
  assert.equal(said(client.send(READ_0).ending), 'status 28');
});

test('ABORT TASK of a running task answers when the device has answered', async () => {
  const { device, answer } = held();
  const client = await readyClient(targetOver(unitOver(device)));
  const write = client.send(WRITE_0, { dataOut: block });
  let answered = false;
  const abort = Promise.resolve(client.abort(write.tag)).then((response) => {
    answered = true;
    return response;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(answered, false);
  assert.equal(said(write.ending), 'running');
  await answer();
  assert.equal(await abort, 'complete');
  assert.equal(said(write.ending), 'abandoned');
});

test('ABORT TASK of a task that waits for data or for others ends it at once and for ever', async () => {
  const { device, answer } = held();
  const client = await readyClient(targetOver(unitOver(device)));
  const withheld = client.send(WRITE_0, { dataOut: block, withhold: true });
  assert.equal(client.abort(withheld.tag), 'complete');
  assert.equal(said(withheld.ending), 'abandoned');
  client.nexus.dataOutReceived(withheld.task, [block]);
  assert.deepEqual(device.log, []);
  const running = client.send(READ_0);
  const dormant = client.send(READ_1, { attribute: 'ordered' });
  const behind = client.send(READ_0);
  assert.equal(client.abort(dormant.tag), 'complete');
  assert.deepEqual(device.log, ['read 0+1', 'read 0+1']);
  await answer();
  assert.deepEqual(
    [running, dormant, behind].map((sent) => said(sent.ending)),
    ['good', 'abandoned', 'good'],
  );
  assert.equal(client.abort(dormant.tag), 'taskDoesNotExist');
});

test('ABORT TASK SET leaves the tasks of others alone; CLEAR TASK SET does not, and without TAS tells them', async () => {
  const { device, answer } = held();
  const unit = unitOver(device);
  const target = targetOver(unit);
  const [a, b] = [await readyClient(target), await readyClient(target, 'iqn.2026-01.test:b')];
  const [mine, theirs] = [a.send(READ_0), b.send(READ_1)];
  const aborted = a.manage('abortTaskSet');
  await answer();
  assert.equal(await aborted, 'complete');
  assert.deepEqual([said(mine.ending), said(theirs.ending)], ['abandoned', 'good']);
  unit.mode.taskAbortedStatus = false;
  const again = b.send(READ_1);
  const cleared = a.manage('clearTaskSet');
  await answer();
  assert.equal(await cleared, 'complete');
  assert.equal(said(again.ending), 'abandoned');
  assert.deepEqual(await b.attentions(), ['6/2f/00']);
  assert.deepEqual(await a.attentions(), []);
});

test('with TAS, as it is after a reset, a task that another nexus aborts ends with TASK ABORTED and nobody is told otherwise', async () => {
  const { device, answer } = held();
  const unit = unitOver(device);
  const target = targetOver(unit);
  const [a, b] = [await readyClient(target), await readyClient(target, 'iqn.2026-01.test:b')];
  const [mine, theirs] = [a.send(READ_0), b.send(READ_1)];
  const cleared = a.manage('clearTaskSet');
  await answer();
  await cleared;
  assert.deepEqual([said(mine.ending), said(theirs.ending)], ['abandoned', 'status 40']);
  assert.deepEqual(await b.attentions(), []);
});

test('TAS holds as it is at the abort, whatever a reset makes of it', async () => {
  for (const [taskAbortedStatus, ending] of [
    [true, 'status 40'],
    [false, 'abandoned'],
  ] as const) {
    const { device, answer } = held();
    const unit = unitOver(device);
    const target = targetOver(unit);
    const [a, b] = [await readyClient(target), await readyClient(target, 'iqn.2026-01.test:b')];
    unit.mode.taskAbortedStatus = taskAbortedStatus;
    const [mine, theirs] = [a.send(READ_0), b.send(READ_1)];
    const reset = a.manage('logicalUnitReset');
    await answer();
    assert.equal(await reset, 'complete');
    assert.deepEqual([said(mine.ending), said(theirs.ending)], ['abandoned', ending]);
  }
});

test('with TAS, a task that its own nexus has aborted ends without status whoever aborts it next', async () => {
  const { device, answer } = held();
  const unit = unitOver(device);
  const target = targetOver(unit);
  const [a, b] = [await readyClient(target), await readyClient(target, 'iqn.2026-01.test:b')];
  unit.mode.taskAbortedStatus = true;
  const theirs = b.send(READ_1);
  const aborted = b.abort(theirs.tag);
  const cleared = a.manage('clearTaskSet');
  await answer();
  assert.deepEqual([await aborted, await cleared], ['complete', 'complete']);
  assert.equal(said(theirs.ending), 'abandoned');
});

test('LOGICAL UNIT RESET aborts everything, restores modes, frees the medium and tells everyone', async () => {
  const { device, answer } = held();
  const unit = unitOver(device, { removable: true });
  const [one, two] = [targetAt(1, unit), targetAt(2, unit)];
  const [a, b] = [await readyClient(one), await readyClient(two)];
  unit.mode.softwareWriteProtect = true;
  unit.mode.taskAbortedStatus = false;
  await b.run([0x1e, 0, 0, 0, 1, 0]);
  const [mine, theirs] = [a.send(READ_0), b.send(READ_1)];
  const reset = a.manage('logicalUnitReset');
  await answer();
  assert.equal(await reset, 'complete');
  assert.deepEqual([said(mine.ending), said(theirs.ending)], ['abandoned', 'abandoned']);
  assert.deepEqual([unit.mode.softwareWriteProtect, unit.mode.taskAbortedStatus], [false, true]);
  assert.deepEqual(await a.attentions(), ['6/29/03']);
  assert.deepEqual(await b.attentions(), ['6/29/03']);
  device.before = undefined;
  assert.equal(said(await a.run([0x1b, 0, 0, 0, 2, 0])), 'good');
});

test('a target reset reaches every unit of the port; the cold one ends all sessions', async () => {
  const units = [unitOver(createMemoryDevice(64)), unitOver(createMemoryDevice(64))];
  const target = targetOver(...units);
  const [a, b] = [await readyClient(target), await readyClient(target, 'iqn.2026-01.test:b')];
  assert.equal(await a.nexus.manage({ kind: 'targetWarmReset' }), 'complete');
  for (const client of [a, b]) {
    for (const lun of [0, 1]) assert.deepEqual(await client.attentions(lun), ['6/29/02']);
  }
  assert.equal(await a.nexus.manage({ kind: 'targetColdReset' }), 'complete');
  assert.deepEqual([a.resets, b.resets], [1, 1]);
});

test('a function for a LUN that is not there says so', async () => {
  const client = await readyClient(targetOver(unitOver(createMemoryDevice(64))));
  const response = client.nexus.manage({ kind: 'abortTaskSet', lunHigh: 0x0009_0000, lunLow: 0 });
  assert.equal(response, 'lunDoesNotExist');
});

test('nothing of a closed nexus starts, and closing waits for what runs', async () => {
  const { device, answer } = held();
  const client = await readyClient(targetOver(unitOver(device)));
  const running = client.send(WRITE_0, { dataOut: block });
  const withheld = client.send(WRITE_0, { dataOut: block, withhold: true });
  const dormant = client.send(WRITE_0, { dataOut: block, attribute: 'ordered' });
  let closed = false;
  const closing = Promise.resolve(client.nexus.close()).then(() => {
    closed = true;
  });
  client.nexus.dataOutReceived(withheld.task, [block]);
  const late = client.send(WRITE_0, { dataOut: block });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(closed, false);
  await answer();
  await closing;
  assert.deepEqual(
    [running, withheld, dormant, late].map((sent) => said(sent.ending)),
    Array.from({ length: 4 }, () => 'abandoned'),
  );
  assert.deepEqual(device.log, ['write 0+1']);
});

test('a unit that comes is announced on the others; one that goes takes its tasks along', async () => {
  const { device, answer } = held();
  const target = targetOver(unitOver(createMemoryDevice(64)));
  const client = await readyClient(target);
  target.addUnit(300, unitOver(device));
  assert.deepEqual(await client.attentions(0), ['6/3f/0e']);
  assert.deepEqual(await client.attentions(300), ['6/29/00']);
  const luns = await client.run([0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0]);
  assert.deepEqual(
    [...luns.data],
    [0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0x2c, 0, 0, 0, 0, 0, 0],
  );
  const running = client.send(READ_0, { lun: 300 });
  const gone = target.removeUnit(300);
  assert.equal(said(client.send(READ_0, { lun: 300 }).ending), '5/25/00');
  await answer();
  await gone;
  assert.equal(said(running.ending), 'status 40');
  // Seen by REPORT LUNS: no longer reported.
  await client.run([0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0]);
  assert.deepEqual(await client.attentions(0), []);
});

test('a new nexus begins with power on; the one before it is forgotten', async () => {
  const target = targetOver(unitOver(createMemoryDevice(64)));
  const first = new Client(target);
  assert.deepEqual(await first.attentions(), ['6/29/00']);
  await first.nexus.close();
  assert.deepEqual(await new Client(target).attentions(), ['6/29/00']);
});

test('what goes wrong in the device is said in the words of SCSI', async () => {
  const device = createMemoryDevice(64);
  const client = await readyClient(targetOver(unitOver(device)));
  const faults = [
    [{ kind: 'mediumError', operation: 'read', lba: 9, cause: 'test' }, '3/11/00', 9],
    [{ kind: 'mediumError', operation: 'write', lba: 9, cause: 'test' }, '3/0c/00', 9],
    [{ kind: 'noSpace', lba: 9 }, '7/27/07', 9],
    [{ kind: 'writeProtected' }, '7/27/00', undefined],
    [{ kind: 'busy' }, 'status 08', undefined],
    [{ kind: 'unavailable', reason: 'test' }, '2/04/0c', undefined],
  ] as const;
  for (const [fault, expected, information] of faults) {
    device.before = () => fault;
    const ending = await client.run(WRITE_0, { dataOut: block });
    assert.equal(said(ending), expected);
    if (information !== undefined) {
      assert.equal(ending.sense![0], 0xf0);
      assert.equal(new DataView(ending.sense!.buffer).getUint32(3), information);
    }
  }
  device.before = undefined;
  assert.equal(said(await client.run(WRITE_0, { dataOut: block })), 'good');
});
