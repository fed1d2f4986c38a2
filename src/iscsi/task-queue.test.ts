/**
 * Goal: sessions share the node's memory so that who fills it does not keep others from working, and commands that do
 * not fit run in the end. Method: many initiators of one node at the wire; the test ends their commands.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Status, type Task } from '../ports/scsi-target.ts';
import { COMMAND_BYTES_MAX, NODE_BYTES_COMMON_MAX, NODE_BYTES_MAX, SESSION_BYTES_MAX } from './limits.ts';
import { bytes, ready, type Ready, tmf } from './testing/ready.ts';
import { RawInitiator } from './testing/raw-initiator.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const UNSOLICITED = ['InitialR2T=No', 'FirstBurstLength=65536'];
const ABORT_TASK_SET = 2;
/** Sessions that fill the common part. */
const FILLING = Math.ceil(NODE_BYTES_COMMON_MAX / SESSION_BYTES_MAX);

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
const ended = new WeakSet<Task>();

function runningBytes(context: Ready): number {
  let sum = 0;
  for (const nexus of context.device.nexuses) {
    for (const task of nexus.tasks) {
      if (!ended.has(task)) sum += task.dataInBufferLength + task.dataOutBufferLength;
    }
  }
  return sum;
}

/** Sessions that hold all of the common part but `free` bytes. All but the last hold what one session may. */
function fill(context: Ready, free: number): RawInitiator[] {
  const initiators = [context.initiator];
  for (let left = NODE_BYTES_COMMON_MAX - free; left > 0; ) {
    if (left < NODE_BYTES_COMMON_MAX - free) initiators.push(another(context, 1 + initiators.length));
    for (let itt = 1; itt <= 2 && left > 0; itt++) {
      initiators.at(-1)!.command({ itt, read: Math.min(left, COMMAND_BYTES_MAX) });
      left -= Math.min(left, COMMAND_BYTES_MAX);
    }
  }
  assert.equal(initiators.length, FILLING);
  return initiators;
}

test('where the common part ends one command goes beyond, in all; within their share sessions begin at once', () => {
  const context = ready();
  fill(context, 1024);
  const [a, b, c] = [another(context, 101), another(context, 102), another(context, 103)];
  const lastThree = (): number[] => context.device.nexuses.slice(-3).map(({ tasks }) => tasks.length);
  a.command({ itt: 1, read: COMMAND_BYTES_MAX });
  assert.equal(runningBytes(context), NODE_BYTES_COMMON_MAX - 1024 + COMMAND_BYTES_MAX);
  b.command({ itt: 1, read: COMMAND_BYTES_MAX });
  const share = Math.floor(SESSION_BYTES_MAX / (FILLING + 2) / MIB);
  for (let itt = 1; itt <= share + 1; itt++) c.command({ itt, read: MIB });
  assert.deepEqual(lastThree(), [1, 0, share]);
  endOne(context, 0);
  assert.deepEqual(lastThree(), [1, 0, share], 'the common part is still full');
  endOne(context, 0);
  assert.deepEqual(lastThree(), [1, 1, share], 'b in its place');
});

test('who announces much and sends nothing keeps nobody from writing', () => {
  const context = ready({}, UNSOLICITED);
  context.device.onTask = (task) => task.receiveDataOut(task.dataOutBufferLength);
  const hoarders = Array.from({ length: 40 }, (_, index) => another(context, index + 2, UNSOLICITED));
  for (const [index, hoarder] of hoarders.entries()) {
    const write = index % 2 === 0 ? 16 * MIB : MIB;
    for (let itt = 1; itt <= 64; itt++) hoarder.command({ itt, write });
  }
  const held = runningBytes(context);
  assert.ok(held > NODE_BYTES_COMMON_MAX && held <= NODE_BYTES_MAX, `${held} bytes`);
  const { initiator } = context;
  const nexus = context.device.nexuses[0]!;
  for (let itt = 1; itt <= 5; itt++) {
    initiator.command({ itt, write: MIB, data: bytes(64 * KIB) });
    const [running] = nexus.tasks.slice(itt - 1);
    assert.equal(running?.dataOutBufferLength, MIB, 'it runs at once');
    nexus.finish(running, Status.GOOD);
    const responses = initiator.responses().filter(({ opcode }) => opcode === 0x21);
    assert.deepEqual(
      responses.map(({ byte3 }) => byte3),
      [Status.GOOD],
    );
  }
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
  assert.ok(most > NODE_BYTES_COMMON_MAX && most <= NODE_BYTES_MAX, `${most} bytes at once`);
  for (const initiator of initiators) assert.equal(initiator.responses().length, 4);
});

test('data of commands that wait counts from its arrival; without room they end with TASK SET FULL or BUSY', () => {
  const context = ready();
  const [one, two] = fill(context, 128 * KIB) as [RawInitiator, RawInitiator];
  const early = { write: 64 * KIB, data: bytes(64 * KIB) };
  // The session's own limit makes it wait, and its data takes half of what is left …
  one.command({ itt: 3, ...early });
  assert.equal(one.responses().length, 0);
  assert.equal(one.stream.retained, 1);
  // … and this the rest, although it is not even its turn.
  two.command({ itt: 3, ...early, cmdSN: two.cmdSN + 1 });
  assert.equal(two.stream.retained, 1);
  two.command({ itt: 4, ...early, cmdSN: two.cmdSN + 2 });
  assert.equal(two.stream.retained, 1, 'what cannot be kept is not kept');
  assert.equal(two.responses().length, 0, 'its answer comes in its turn');
  two.command({ itt: 5, read: 512, cmdSN: two.cmdSN });
  const [full] = two.responses();
  assert.deepEqual([full!.itt, full!.byte3, full!.data.length], [4, Status.TASK_SET_FULL, 0]);
  // Many share: of a session's data only so much is kept.
  for (let isid = 201; isid <= 230; isid++) another(context, isid).command({ itt: 1, read: 512 });
  const burst = 256 * KIB;
  const idle = another(context, 101, ['InitialR2T=No', `FirstBurstLength=${burst}`]);
  const kept = Math.floor(SESSION_BYTES_MAX / (FILLING + 30 + 1) / burst);
  for (let ahead = kept + 1; ahead >= 1; ahead--) {
    idle.command({ itt: ahead, write: burst, data: bytes(burst), cmdSN: idle.cmdSN + ahead });
  }
  assert.equal(idle.stream.retained, kept);
  idle.command({ itt: 900, cmdSN: idle.cmdSN });
  const [busy] = idle.responses();
  assert.deepEqual([busy!.itt, busy!.byte3], [1, Status.BUSY]);
});

test('when the first that waits is aborted the next one is looked at', () => {
  const context = ready();
  const [one] = fill(context, 0) as [RawInitiator];
  const waiting = another(context, 101);
  waiting.command({ itt: 1, read: 512 });
  waiting.command({ itt: 2, read: COMMAND_BYTES_MAX });
  waiting.command({ itt: 3, read: MIB });
  const { tasks } = context.device.last;
  assert.deepEqual(
    tasks.map(({ tag }) => tag),
    [1],
  );
  waiting.request({ opcode: 0x02, flags: 0x81, itt: 901, words: { 20: 2 } });
  assert.deepEqual(
    tasks.map(({ tag }) => tag),
    [1, 3],
  );
  // Those that wait behind a function do not start, and end with it.
  waiting.command({ itt: 4, read: COMMAND_BYTES_MAX });
  waiting.command({ itt: 5, read: MIB });
  tmf(waiting, ABORT_TASK_SET);
  assert.deepEqual(
    tasks.map(({ tag }) => tag),
    [1, 3],
  );
  assert.equal(one.responses().length, 0);
});
