/**
 * Goal: whether a write may pass a reservation is decided when it begins, not when it arrives. Method: the mirror itself in
 * the simulator, driven by hand.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { RESERVATION_DEVICE } from '../worker.ts';
import { Scenario } from './scenario.ts';

const SITE = { nodes: [1, 2], strategy: { kind: 'heartbeat', policy: 'suspendLow' } } as const;
const [HOLDER, OTHER] = [1, 2];
const GOOD = { status: 'good', values: [] };

test('a write that waits behind a reservation conflicts with it', async () => {
  const scenario = new Scenario({ site: SITE });
  await scenario.until(() => scenario.isTogether, 'both serve');
  const write = { kind: 'write', lba: 0, values: [7] } as const;
  const { answers: before } = scenario.begin(OTHER, 1, RESERVATION_DEVICE, write);
  const { answers: registered } = scenario.begin(HOLDER, 1, RESERVATION_DEVICE, { kind: 'register', key: 5 });
  await scenario.pass(100);
  assert.deepEqual([before, registered], [[GOOD], [GOOD]]);
  const { answers: reserved } = scenario.begin(HOLDER, 1, RESERVATION_DEVICE, { kind: 'reserve' });
  const { answers: behind } = scenario.begin(OTHER, 1, RESERVATION_DEVICE, write);
  assert.deepEqual([reserved, behind], [[], []], 'both wait');
  await scenario.pass(100);
  assert.deepEqual([reserved, behind], [[GOOD], [{ status: 'reservationConflict' }]]);
});
