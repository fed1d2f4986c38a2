/**
 * Goal: all sessions together hold no more than the node's limit and one command, nobody waits for ever, and who fills
 * the memory does not stop small commands of others. Method: many initiators of one node, the test ends their commands.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Status } from '../ports/scsi-target.ts';
import { Budget } from './budget.ts';
import { COMMAND_BYTES_MAX, NODE_BYTES_MAX, SESSION_BYTES_MAX } from './limits.ts';
import { bytes, ready, type Ready } from './testing/ready.ts';
import { RawInitiator } from './testing/raw-initiator.ts';

const FULL_SESSIONS = NODE_BYTES_MAX / SESSION_BYTES_MAX;

function another(context: Ready, isid: number, keys: readonly string[] = []): RawInitiator {
  const initiator = new RawInitiator(context.bench);
  initiator.loggedIn(initiator.login({ isid, keys })!, keys);
  return initiator;
}

/** Ends the running task that is `index`-th of those there are, and says whether there was one. */
function endOne(context: Ready, index = 0): boolean {
  const running = context.device.nexuses.flatMap((nexus) =>
    nexus.tasks.filter((task) => !ended.has(task)).map((task) => ({ nexus, task })),
  );
  const one = running[index];
  if (one === undefined) return false;
  ended.add(one.task);
  one.nexus.finish(one.task, Status.GOOD);
  return true;
}
const ended = new WeakSet<object>();

function runningBytes(context: Ready): number {
  let sum = 0;
  for (const nexus of context.device.nexuses) {
    for (const task of nexus.tasks) if (!ended.has(task)) sum += task.dataInBufferLength;
  }
  return sum;
}

/** Sessions that hold all of the node's memory but `free` bytes, which some large command may exceed. */
function fill(context: Ready, free: number): void {
  for (let session = 0; session < FULL_SESSIONS; session++) {
    const initiator = session === 0 ? context.initiator : another(context, session + 1);
    const last = session === FULL_SESSIONS - 1 ? free : 0;
    initiator.command({ itt: 1, read: COMMAND_BYTES_MAX });
    initiator.command({ itt: 2, read: COMMAND_BYTES_MAX - last });
  }
}

test('beyond the limit of the node one command runs, in all; small ones of sessions that hold nothing run always', () => {
  const context = ready();
  fill(context, 1024);
  const [a, b, c] = [another(context, 101), another(context, 102), another(context, 103)];
  a.command({ itt: 1, read: COMMAND_BYTES_MAX });
  assert.equal(runningBytes(context), NODE_BYTES_MAX - 1024 + COMMAND_BYTES_MAX);
  b.command({ itt: 1, read: COMMAND_BYTES_MAX });
  c.command({ itt: 1, read: 512 });
  c.command({ itt: 2, read: 512 });
  assert.deepEqual(
    context.device.nexuses.slice(-3).map(({ tasks }) => tasks.length),
    [1, 0, 1],
  );
  endOne(context, 0);
  assert.equal(runningBytes(context), NODE_BYTES_MAX - 1024 + COMMAND_BYTES_MAX + 512, 'b in its place');
});

test('sixty sessions that all want as much as they may get it in the end, in turn', () => {
  const context = ready();
  const initiators = [context.initiator, ...Array.from({ length: 59 }, (_, i) => another(context, i + 2))];
  for (const initiator of initiators) {
    for (let itt = 1; itt <= 4; itt++) initiator.command({ itt, read: COMMAND_BYTES_MAX - 512 * itt });
  }
  let done = 0;
  let most = 0;
  do most = Math.max(most, runningBytes(context));
  while (endOne(context, done % 3) && ++done > 0);
  for (; endOne(context); done++);
  assert.equal(done, 240);
  assert.ok(most > NODE_BYTES_MAX && most <= NODE_BYTES_MAX + COMMAND_BYTES_MAX, `${most} bytes at once`);
  for (const initiator of initiators) assert.equal(initiator.responses().length, 4);
});

test('data of commands that wait counts from its arrival; without room they end with TASK SET FULL or BUSY', () => {
  const context = ready();
  const keys = ['InitialR2T=No', 'FirstBurstLength=65536'];
  fill(context, 128 * 1024);
  const waiting = another(context, 101, keys);
  const { initiator } = context;
  // The session's own limit makes it wait, and its data takes half of what is left …
  initiator.command({ itt: 3, write: 64 * 1024, data: bytes(64 * 1024) });
  assert.equal(initiator.responses().length, 0);
  // … and this the rest, although it is not even its turn.
  waiting.command({ itt: 1, write: 64 * 1024, cmdSN: waiting.cmdSN + 1, data: bytes(64 * 1024) });
  assert.equal(waiting.stream.retained, 0, 'what cannot be kept is not kept');
  waiting.command({ itt: 2, write: 64 * 1024, cmdSN: waiting.cmdSN + 2, final: false });
  waiting.dataOut({ itt: 2, offset: 0, final: false, data: bytes(512) });
  assert.equal(waiting.stream.retained, 1);
  initiator.command({ itt: 4, write: 128 * 1024, data: bytes(64 * 1024) });
  const [full] = initiator.responses();
  assert.deepEqual([full!.itt, full!.byte3, full!.data.length], [4, Status.TASK_SET_FULL, 0]);
  waiting.command({ itt: 7, read: 512, cmdSN: waiting.cmdSN });
  const [busy] = waiting.responses();
  assert.deepEqual([busy!.itt, busy!.byte3], [1, Status.TASK_SET_FULL]);
  assert.equal(initiator.stream.retained, 1);
});

test('the woken may give back at once, in any number, without a stack of their own', () => {
  const budget = new Budget();
  let woken = 0;
  budget.take(NODE_BYTES_MAX);
  for (let i = 0; i < 100_000; i++) {
    budget.wait(() => {
      woken++;
      budget.take(512);
      budget.give(512);
    });
  }
  budget.give(512);
  assert.equal(woken, 100_000);
});

test('who waits is called once, in the order of waiting, and nobody without room', () => {
  const budget = new Budget();
  const woken: string[] = [];
  budget.take(NODE_BYTES_MAX + 1000);
  budget.wait(() => {
    woken.push('first');
    budget.take(2000);
  });
  budget.wait(() => woken.push('second'));
  budget.give(500);
  assert.deepEqual(woken, []);
  budget.give(1000);
  assert.deepEqual(woken, ['first']);
  budget.give(3000);
  budget.give(10);
  assert.deepEqual(woken, ['first', 'second']);
});
