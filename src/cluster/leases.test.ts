/**
 * Goal: a voter's count of a lease is never over before the holder's own, whatever their clocks say and messages take.
 * Method: a table of who has answered; random beats between two clocks that drift.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Site } from './configuration.ts';
import { GrantedLeases, HeldLease } from './leases.ts';
import { DRIFT, LEASE_MS } from './times.ts';

const site = (nodes: number, strategy: Site['strategy']): Site => ({
  nodes: Array.from({ length: nodes }, (_, at) => at + 1),
  strategy,
});
const MAJORITY = { kind: 'majority', witness: undefined } as const;
const HEARTBEAT = { kind: 'heartbeat', policy: 'suspendLow' } as const;
const of = (...members: number[]) => ({ term: 1, id: 'f'.repeat(32), members, learners: [] });

/** How long node 1 may serve after beats that these have answered: `[node, when its beat was sent]`. */
function until(where: Site, members: readonly number[], ...answers: (readonly [number, number])[]): number {
  const lease = new HeldLease();
  for (const [node, sentAt] of answers) lease.answered(node, sentAt);
  return lease.until(where, of(...members), 1);
}

test('majority: enough voters have to have answered, and the oldest beat of the newest ones counts', () => {
  const three = site(3, MAJORITY);
  assert.equal(until(three, [1, 2, 3]), -Infinity);
  assert.equal(until(three, [1, 2, 3], [2, 500]), 500 + LEASE_MS);
  assert.equal(until(three, [1, 2, 3], [2, 500], [3, 700]), 700 + LEASE_MS);
  const four = site(4, MAJORITY);
  assert.equal(until(four, [1, 2], [2, 500]), -Infinity, 'two of four are no majority');
  assert.equal(until(four, [1, 2], [2, 500], [3, 700], [4, 900]), 700 + LEASE_MS);
});

test('majority: a witness and voters that are no members count, and a voter alone needs nobody', () => {
  const witness = site(2, { kind: 'majority', witness: 9 });
  assert.equal(until(witness, [1], [9, 300]), 300 + LEASE_MS);
  assert.equal(until(site(3, MAJORITY), [1], [3, 300]), 300 + LEASE_MS);
  assert.equal(until(site(1, MAJORITY), [1]), Infinity);
});

test('heartbeat: every other member has to have answered, and nobody else counts', () => {
  const three = site(3, HEARTBEAT);
  assert.equal(until(three, [1, 2, 3], [2, 500]), -Infinity);
  assert.equal(until(three, [1, 2, 3], [2, 500], [3, 700]), 500 + LEASE_MS);
  assert.equal(until(three, [1, 2], [3, 700]), -Infinity);
  assert.equal(until(three, [1, 2], [3, 700], [2, 400]), 400 + LEASE_MS);
  assert.equal(until(three, [1]), Infinity, 'who is alone asks nobody');
});

test('answers that arrive late shorten nothing, and a new configuration begins without any', () => {
  const lease = new HeldLease();
  const two = site(2, HEARTBEAT);
  lease.answered(2, 500);
  lease.answered(2, 300);
  assert.equal(lease.until(two, of(1, 2), 1), 500 + LEASE_MS);
  lease.clear();
  assert.equal(lease.until(two, of(1, 2), 1), -Infinity);
});

test('a voter counts from its grant, a little longer than the holder, and by node', () => {
  const granted = new GrantedLeases(-100_000);
  assert.deepEqual(granted.remaining([1, 2], 0), [
    [1, 0],
    [2, 0],
  ]);
  granted.grant(2, 1000);
  assert.deepEqual(granted.remaining([1, 2], 1500), [
    [1, 0],
    [2, LEASE_MS * DRIFT - 500],
  ]);
  granted.grant(2, 1500);
  assert.equal(granted.remaining([2], 1500)[0]![1], LEASE_MS * DRIFT);
  assert.equal(granted.remaining([2], 1500 + LEASE_MS * DRIFT + 1)[0]![1], 0);
});

test('a voter that has just started counts as one that granted everybody everything at its start', () => {
  const granted = new GrantedLeases(7000);
  assert.deepEqual(granted.remaining([1, 2], 7000), [
    [1, LEASE_MS * DRIFT],
    [2, LEASE_MS * DRIFT],
  ]);
  granted.grant(1, 7100);
  assert.deepEqual(
    granted.remaining([1, 2], 7200).map(([, ms]) => Math.round(ms)),
    [LEASE_MS * DRIFT - 100, LEASE_MS * DRIFT - 200],
  );
});

test('whatever messages take, and though the clocks drift, no count of a grant is over before the lease', () => {
  const beat = fc.record({
    every: fc.integer({ min: 1, max: 1500 }),
    there: fc.nat(3000),
    back: fc.nat(3000),
  });
  fc.assert(
    fc.property(
      fc.array(beat, { minLength: 1, maxLength: 20 }),
      fc.double({ min: 1 / DRIFT, max: DRIFT, noNaN: true }),
      fc.integer({ min: -50_000, max: 50_000 }),
      fc.nat(9000),
      (beats, rate, offset, askedAt) => {
        // True time is the holder's; the voter's clock runs at another rate from another zero.
        const voterClock = (time: number): number => offset + time * rate;
        const holder = new HeldLease();
        const granted = new GrantedLeases(voterClock(-20_000));
        let sentAt = 0;
        const events: { readonly at: number; readonly what: () => void }[] = [];
        for (const { every, there, back } of beats) {
          sentAt += every;
          const [sent, arrived] = [sentAt, sentAt + there];
          events.push({ at: arrived, what: () => granted.grant(1, voterClock(arrived)) });
          events.push({ at: arrived + back, what: () => holder.answered(2, sent) });
        }
        for (const { at, what } of events.toSorted((a, b) => a.at - b.at)) if (at <= askedAt) what();
        const until = holder.until(site(2, HEARTBEAT), of(1, 2), 1);
        const [, remaining] = granted.remaining([1], voterClock(askedAt))[0]!;
        assert.ok(askedAt + remaining / rate >= until - 1e-6 || until <= askedAt);
      },
    ),
    { numRuns: 500 },
  );
});
