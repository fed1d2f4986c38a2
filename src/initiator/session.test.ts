/**
 * Goal: a session keeps RFC 7143's numbers, sends data as it is asked for, and ends when it must and not before. Method: a
 * target made by hand from the RFC's figures; time that moves when told.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '../base/crc32c.ts';
import { ManualClock } from '../iscsi/testing/raw-initiator.ts';
import { readBlocks, type ScsiRequest, testUnitReady, writeBlocks } from './commands.ts';
import { DEFAULT_PATH_TIMES } from './multipath.ts';
import { Session } from './session.ts';
import { FakeTarget } from './testing/fake-target.ts';
import type { ScsiAnswer } from './verdict.ts';

async function opened(target = new FakeTarget()) {
  const clock = new ManualClock();
  const over: string[] = [];
  const session = new Session({
    stream: target,
    clock,
    crc32c,
    initiatorName: 'iqn.2026-01.test:host',
    targetName: 'iqn.2026-01.test:disk',
    isid: { random: 0x123456, qualifier: 7 },
    times: DEFAULT_PATH_TIMES,
    onUp: () => undefined,
    onOver: (why) => over.push(why),
  });
  await turn();
  const send = (request: ScsiRequest) =>
    new Promise<ScsiAnswer | undefined>((resolve) => session.send(request, resolve));
  return { session, target, clock, over, send };
}

async function turn(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

/** Short steps, as a timer of a process that is not held up sees them. */
function wait(clock: ManualClock, ms: number): void {
  for (let passed = 0; passed < ms; passed += 50) clock.advance(50);
}

test('it logs in as a normal session with an ISID of the random kind', async () => {
  const { session, target } = await opened();
  assert.ok(session.isUp);
  const [login] = target.sent;
  assert.equal(login!.word(0), 0x43870000);
  assert.equal(login!.word(8), 0x80123456);
  assert.equal(login!.word(12), 0x00070000);
  const keys = String.fromCharCode(...login!.data).split('\0');
  assert.ok(keys.includes('TargetName=iqn.2026-01.test:disk') && keys.includes('SessionType=Normal'));
});

test('commands are numbered from the number of the login on, and acknowledge what was answered', async () => {
  const { target, send } = await opened();
  await send(testUnitReady);
  await send(testUnitReady);
  const [, first, second] = target.sent;
  assert.deepEqual([first!.word(24), second!.word(24)], [1, 2]);
  assert.deepEqual([first!.word(28), second!.word(28)], [101, 102]);
});

test('data comes with the command up to the first burst, and the rest as R2Ts ask for it', async () => {
  const { target, send } = await opened();
  target.burst = 12_288;
  const data = Uint8Array.from({ length: 32_768 }, (_, i) => i % 251);
  const answer = await send(writeBlocks(3, data, 4096));
  assert.equal(answer?.status, 0);
  const [, command, ...parts] = target.sent;
  assert.equal(command!.data.length, 8192);
  // 12288 bytes in segments of 8192, and again for what is left.
  assert.deepEqual(
    parts.map((part) => [part.word(40), part.data.length, part.word(36), (part.flags & 0x80) !== 0]),
    [
      [8192, 8192, 0, false],
      [16_384, 4096, 1, true],
      [20_480, 8192, 0, false],
      [28_672, 4096, 1, true],
    ],
  );
  const sent = Uint8Array.from([command!, ...parts].flatMap((part) => [...part.data]));
  assert.deepEqual(sent, data);
});

test('a read gives what came, and sense comes with its status', async () => {
  const { target, send } = await opened();
  const block = new Uint8Array(4096).fill(7);
  target.answers = (opcode) => (opcode === 0x88 ? { data: block } : { sense: [2, 4, 12] });
  assert.deepEqual((await send(readBlocks(0, 1, 4096)))?.data, block);
  const refused = await send(testUnitReady);
  assert.equal(refused?.status, 2);
  assert.deepEqual([refused?.sense[2], refused?.sense[12], refused?.sense[13]], [2, 4, 12]);
});

test('no more commands are sent than the window allows', async () => {
  const { target, session } = await opened();
  target.isSilent = true;
  for (let i = 0; i < 20; i++) session.send(testUnitReady, () => undefined);
  assert.equal(session.commands, 20);
  // The login's answer said: numbers 1 to 9.
  assert.equal(target.sent.length - 1, 9);
});

test('a ping of the target is answered', async () => {
  const { target } = await opened();
  target.feed(0x20, { 16: 0xffffffff, 20: 42, 24: target.nextStatSN });
  const answer = target.sent.at(-1)!;
  assert.deepEqual([answer.opcode, answer.word(16), answer.word(20)], [0, 0xffffffff, 42]);
});

test('a number out of order ends it, and so does an answer to nothing', async () => {
  for (const [words, expected] of [
    [{ 16: 1, 24: 555 }, /StatSN 555/],
    [{ 16: 99, 24: 101 }, /nobody sent/],
  ] as const) {
    const { target, over } = await opened();
    target.feed(0x21, words);
    assert.match(over.join(), expected);
    assert.equal(target.ended, 'aborted');
  }
});

test('a command without an answer is given back after five seconds, not before', async () => {
  const { target, session, clock, over } = await opened();
  target.answers = () => undefined;
  let answer: unknown = 'none';
  session.send(testUnitReady, (given) => (answer = given));
  for (let second = 0; second < 5; second++) {
    assert.equal(answer, 'none');
    wait(clock, 990);
    await turn();
  }
  wait(clock, 300);
  assert.equal(answer, undefined);
  assert.match(over.join(), /no answer to a command/);
});

test('a silent target is pinged, and given up after five seconds', async () => {
  const { target, clock, over } = await opened();
  target.isSilent = true;
  wait(clock, 2500);
  assert.equal(target.sent.at(-1)!.opcode, 0);
  wait(clock, 2300);
  assert.deepEqual(over, []);
  wait(clock, 500);
  assert.match(over.join(), /no sign of life/);
});

test('the end of the connection gives commands back at once', async () => {
  const { target, session } = await opened();
  target.answers = () => undefined;
  const answers: unknown[] = [];
  session.send(testUnitReady, (answer) => answers.push(answer));
  target.hangUp();
  assert.deepEqual(answers, [undefined]);
});
