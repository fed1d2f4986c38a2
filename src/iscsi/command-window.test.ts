/** The command window and StatSN as decisions, also where numbers wrap around. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c } from '../base/crc32c.ts';
import { serialAdd, serialDistance } from '../base/serial-number.ts';
import { Budget } from './budget.ts';
import { admit, advance, consume, hold, openCommandWindow, openUpTo, runHeld } from './command-window.ts';
import { COMMANDS_UNDER_PRESSURE_MAX, NODE_BYTES_PRESSURE } from './limits.ts';
import { GatherPool, Output } from './output.ts';
import { Sender } from './sender.ts';
import { MemoryStream } from './testing/memory-stream.ts';

const u32 = fc.integer({ min: 0, max: 0xffffffff });

test('commands in any order run once each, in the order of CmdSN, wherever the numbers begin', () => {
  fc.assert(
    fc.property(u32, fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 }), (first, order) => {
      const window = openCommandWindow(first);
      openUpTo(window, 8);
      const ran: number[] = [];
      for (const step of [...order, ...order]) {
        const cmdSN = serialAdd(first, step);
        const admission = admit(window, cmdSN);
        if (admission === 'early') hold(window, cmdSN, () => ran.push(step));
        if (admission !== 'inOrder') continue;
        advance(window);
        ran.push(step);
        runHeld(window);
      }
      assert.deepEqual(ran, [0, 1, 2, 3, 4, 5, 6, 7]);
      assert.equal(window.expCmdSN, serialAdd(first, 8));
    }),
  );
});

test('MaxCmdSN never goes back and never falls below ExpCmdSN - 1', () => {
  fc.assert(
    fc.property(u32, fc.array(fc.tuple(fc.nat(4), fc.nat(300)), { maxLength: 60 }), (first, steps) => {
      const window = openCommandWindow(first);
      let before = window.maxCmdSN;
      for (const [act, limit] of steps) {
        if (act < 2 && admit(window, window.expCmdSN) === 'inOrder') {
          advance(window);
          window.outstanding++;
        } else if (act === 2 && window.outstanding > 0) {
          window.outstanding--;
        }
        openUpTo(window, limit);
        assert.ok(serialDistance(before, window.maxCmdSN) >= 0);
        assert.ok(serialDistance(window.expCmdSN, window.maxCmdSN) >= -1);
        before = window.maxCmdSN;
      }
    }),
  );
});

test('a consumed CmdSN is skipped when its turn comes', () => {
  const window = openCommandWindow(0xffffffff);
  openUpTo(window, 8);
  assert.equal(consume(window, 0), true);
  assert.equal(consume(window, 0xffffffff), true);
  assert.equal(window.expCmdSN, 1);
  assert.equal(consume(window, 0), false);
  assert.equal(consume(window, 100), false);
});

function senderAt(statSN: number, budget = new Budget()) {
  const output = new Output(new MemoryStream(), new GatherPool(), crc32c);
  return new Sender(output, openCommandWindow(1), budget, statSN);
}

test('StatSN wraps around, and is acknowledged across the wrap', () => {
  const sender = senderAt(0xfffffffe);
  assert.deepEqual(
    [0, 1, 2].map(() => sender.next().statSN),
    [0xfffffffe, 0xffffffff, 0],
  );
  assert.equal(sender.current().statSN, 1);
  assert.equal(sender.acknowledge(0xffffffff), true);
  assert.equal(sender.acknowledge(1), true);
  assert.equal(sender.ackedStatSN, 1);
  assert.equal(sender.acknowledge(0), true, 'an older one changes nothing');
  assert.equal(sender.ackedStatSN, 1);
  assert.equal(sender.acknowledge(2), false, 'not sent yet');
});

test('while memory is short the window opens no further than a few commands', () => {
  const budget = new Budget();
  const account = { bytes: 0, running: 0, wake: () => undefined };
  budget.take(account, NODE_BYTES_PRESSURE + 1);
  const sender = senderAt(0, budget);
  assert.equal(sender.current().maxCmdSN, COMMANDS_UNDER_PRESSURE_MAX);
  budget.give(account, NODE_BYTES_PRESSURE + 1);
  assert.ok(sender.current().maxCmdSN > COMMANDS_UNDER_PRESSURE_MAX);
});
