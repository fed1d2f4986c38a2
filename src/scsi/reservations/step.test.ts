/**
 * Goal: the reservation machine keeps its invariants under any requests, and each action does what SPC-4 says.
 * Method: fast-check over short random histories of a few nexuses and keys; then single stories.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fault } from '../sense.ts';
import type { Decision } from './decision.ts';
import { decodeRecord, encodeRecord } from './record.ts';
import {
  isAllRegistrants,
  isSameNexus,
  type NexusName,
  NOTHING_RESERVED,
  REGISTRATIONS_MAX,
  registrationOf,
  type ReservationState,
  ReservationType,
} from './state.ts';
import { type ReservationRequest, step } from './step.ts';
import { A, B, B2, C, request, TYPES } from './testing/arbitrary-requests.ts';

const { WRITE_EXCLUSIVE, EXCLUSIVE_ACCESS, WRITE_EXCLUSIVE_REGISTRANTS_ONLY } = ReservationType;
const { EXCLUSIVE_ACCESS_ALL_REGISTRANTS, WRITE_EXCLUSIVE_ALL_REGISTRANTS } = ReservationType;

function registering(nexus: NexusName, key: bigint, newKey: bigint, more = {}): ReservationRequest {
  return {
    kind: 'register',
    nexus,
    key,
    newKey,
    ignoreExistingKey: false,
    aptpl: false,
    targetPorts: [nexus.targetPort],
    initiatorPorts: undefined,
    ...more,
  };
}

/** Runs requests that all must succeed. */
function after(requests: readonly ReservationRequest[]): ReservationState {
  let state = NOTHING_RESERVED;
  for (const request of requests) {
    const decision = step(state, request);
    assert.equal(decision.fault, undefined, JSON.stringify(request.kind));
    state = decision.state;
  }
  return state;
}

const attentionsOf = ({ attentions }: Decision): string[] =>
  attentions
    .map(({ nexus, reason }) => `${nexus.initiatorPort.slice(4, 5)}${nexus.targetPort} ${reason}`)
    .sort();

function checkInvariants(state: ReservationState): void {
  for (const [index, registration] of state.registrations.entries()) {
    assert.notEqual(registration.key, 0n);
    const others = state.registrations.slice(index + 1);
    assert(!others.some((other) => isSameNexus(other, registration)), 'one registration a nexus');
  }
  if (state.reservation !== undefined) {
    const { holder } = state.reservation;
    assert.equal(holder === undefined, isAllRegistrants(state.reservation.type));
    if (holder !== undefined) assert(registrationOf(state, holder), 'the holder is registered');
    assert(state.registrations.length > 0);
  }
  if (state.legacyHolder !== undefined) assert.equal(state.registrations.length, 0);
}

test('after any requests there is at most one holder, and it is registered', () => {
  fc.assert(
    fc.property(fc.array(request, { maxLength: 24 }), (requests) => {
      let state = NOTHING_RESERVED;
      for (const each of requests) {
        const before = structuredClone(state);
        const decision = step(state, each);
        assert.deepEqual(state, before, 'a step never changes the state it was given');
        if (decision.fault !== undefined) {
          assert.equal(decision.state, state);
          assert.deepEqual([decision.attentions, decision.aborted], [[], []]);
        }
        for (const { nexus: told } of decision.attentions) {
          assert(!isSameNexus(told, each.nexus), 'the sender gets no unit attention');
          assert(registrationOf(state, told), 'only who was registered gets one');
        }
        const risen = decision.state.generation - state.generation;
        const counts = each.kind === 'reserve' || each.kind === 'release' || each.kind.startsWith('legacy');
        assert(risen === 0 || (risen === 1 && !counts), 'PRGENERATION rises by one, and never for these');
        state = decision.state;
        checkInvariants(state);
      }
    }),
    { numRuns: 2000 },
  );
});

test('what APTPL keeps comes back whole, and without APTPL nothing does', () => {
  fc.assert(
    fc.property(fc.array(request, { maxLength: 16 }), (requests) => {
      const state = requests.reduce((before, each) => step(before, each).state, NOTHING_RESERVED);
      const restored = decodeRecord(encodeRecord(state));
      const { registrations, reservation, aptpl } = state.aptpl ? state : NOTHING_RESERVED;
      assert.deepEqual(restored, {
        ok: true,
        value: { ...NOTHING_RESERVED, registrations, reservation, aptpl },
      });
    }),
    { numRuns: 500 },
  );
});

test('a wrong key conflicts, whatever is asked', () => {
  const state = after([registering(A, 0n, 1n)]);
  const wrong: ReservationRequest[] = [
    registering(A, 2n, 3n),
    registering(B, 1n, 3n),
    { kind: 'reserve', nexus: A, key: 2n, type: WRITE_EXCLUSIVE },
    { kind: 'reserve', nexus: B, key: 0n, type: WRITE_EXCLUSIVE },
    { kind: 'release', nexus: A, key: 2n, type: WRITE_EXCLUSIVE },
    { kind: 'clear', nexus: B, key: 1n },
    { kind: 'preempt', nexus: A, key: 2n, victimKey: 1n, type: WRITE_EXCLUSIVE, abort: false },
  ];
  for (const each of wrong) assert.equal(step(state, each).fault, fault('reservationConflict'));
});

test('unregistering by the holder releases, and only registrants-only types tell the others', () => {
  for (const held of TYPES) {
    const state = after([
      registering(A, 0n, 1n),
      registering(B, 0n, 2n),
      { kind: 'reserve', nexus: A, key: 1n, type: held },
    ]);
    const gone = step(state, registering(A, 1n, 0n));
    assert.equal(gone.state.reservation !== undefined, isAllRegistrants(held));
    const told = held === 5 || held === 6 ? ['b1 reservationsReleased'] : [];
    assert.deepEqual(attentionsOf(gone), told);
    const last = step(gone.state, registering(B, 2n, 0n));
    assert.equal(last.state.reservation, undefined);
  }
});

test('RELEASE tells the other registrants for the shared types, never for the exclusive ones', () => {
  for (const held of TYPES) {
    const state = after([
      registering(A, 0n, 1n),
      registering(B, 0n, 2n),
      { kind: 'reserve', nexus: A, key: 1n, type: held },
    ]);
    const wrongType = held === WRITE_EXCLUSIVE ? EXCLUSIVE_ACCESS : WRITE_EXCLUSIVE;
    assert.equal(
      step(state, { kind: 'release', nexus: A, key: 1n, type: wrongType }).fault?.reason,
      'invalidReleaseOfPersistentReservation',
    );
    const released = step(state, { kind: 'release', nexus: A, key: 1n, type: held });
    assert.equal(released.state.reservation, undefined);
    assert.deepEqual(attentionsOf(released), held >= 5 ? ['b1 reservationsReleased'] : []);
    const other = step(state, { kind: 'release', nexus: B, key: 2n, type: held });
    assert.equal(other.state.reservation === undefined, isAllRegistrants(held));
  }
});

test('CLEAR removes everything and tells every other registrant', () => {
  const state = after([
    registering(A, 0n, 1n),
    registering(B, 0n, 1n),
    registering(C, 0n, 3n),
    { kind: 'reserve', nexus: C, key: 3n, type: EXCLUSIVE_ACCESS },
  ]);
  const decision = step(state, { kind: 'clear', nexus: B, key: 1n });
  assert.deepEqual(decision.state, { ...NOTHING_RESERVED, generation: 4 });
  assert.deepEqual(attentionsOf(decision), ['a1 reservationsPreempted', 'c2 reservationsPreempted']);
});

test('PREEMPT of the holder takes the reservation, removes its key and names whom to abort', () => {
  const state = after([
    registering(A, 0n, 1n),
    registering(B, 0n, 2n),
    registering(B2, 0n, 2n),
    registering(C, 0n, 3n),
    { kind: 'reserve', nexus: B, key: 2n, type: WRITE_EXCLUSIVE },
  ]);
  const preempting = { kind: 'preempt', nexus: A, key: 1n, victimKey: 2n, type: EXCLUSIVE_ACCESS } as const;
  const decision = step(state, { ...preempting, abort: true });
  assert.deepEqual(decision.state.reservation, { type: EXCLUSIVE_ACCESS, holder: A });
  assert.deepEqual(
    decision.state.registrations.map(({ key: left }) => left),
    [1n, 3n],
  );
  assert.deepEqual(attentionsOf(decision), [
    'b1 registrationsPreempted',
    'b2 registrationsPreempted',
    'c2 reservationsReleased',
  ]);
  assert.deepEqual(decision.aborted, [B, B2]);
  assert.deepEqual(step(state, { ...preempting, abort: false }).aborted, []);
});

test('PREEMPT of oneself changes the type in one step', () => {
  const state = after([
    registering(A, 0n, 1n),
    registering(B, 0n, 1n),
    { kind: 'reserve', nexus: A, key: 1n, type: WRITE_EXCLUSIVE },
  ]);
  const type = WRITE_EXCLUSIVE_REGISTRANTS_ONLY;
  const decision = step(state, { kind: 'preempt', nexus: A, key: 1n, victimKey: 1n, type, abort: false });
  assert.deepEqual(decision.state.reservation, { type, holder: A });
  assert.deepEqual(attentionsOf(decision), ['b1 registrationsPreempted']);
});

test('PREEMPT of a key that does not hold only removes registrations', () => {
  const state = after([
    registering(A, 0n, 1n),
    registering(B, 0n, 2n),
    registering(C, 0n, 3n),
    { kind: 'reserve', nexus: A, key: 1n, type: WRITE_EXCLUSIVE },
  ]);
  const preempting = { kind: 'preempt', nexus: B, key: 2n, type: EXCLUSIVE_ACCESS, abort: true } as const;
  const decision = step(state, { ...preempting, victimKey: 3n });
  assert.deepEqual(decision.state.reservation, state.reservation);
  assert.deepEqual(attentionsOf(decision), ['c2 registrationsPreempted']);
  assert.deepEqual(decision.aborted, [C]);
  assert.equal(step(state, { ...preempting, victimKey: 9n }).fault?.reason, 'reservationConflict');
  assert.equal(step(state, { ...preempting, victimKey: 0n }).fault?.reason, 'invalidFieldInParameterList');
});

test('key zero preempts all registrants of an all-registrants reservation', () => {
  const state = after([
    registering(A, 0n, 1n),
    registering(B, 0n, 2n),
    registering(C, 0n, 3n),
    { kind: 'reserve', nexus: C, key: 3n, type: WRITE_EXCLUSIVE_ALL_REGISTRANTS },
  ]);
  const type = EXCLUSIVE_ACCESS_ALL_REGISTRANTS;
  const decision = step(state, { kind: 'preempt', nexus: A, key: 1n, victimKey: 0n, type, abort: true });
  assert.deepEqual(decision.state.registrations, [{ ...A, key: 1n }]);
  assert.deepEqual(decision.state.reservation, { type, holder: undefined });
  assert.deepEqual(decision.aborted, [B, C]);
});

test('ALL_TG_PT registers every port, SPEC_I_PT every named initiator port, all or none', () => {
  const all = after([registering(A, 0n, 7n, { targetPorts: [1, 2], initiatorPorts: [B.initiatorPort] })]);
  assert.equal(all.registrations.length, 4);
  assert.equal(all.generation, 1);
  const taken = after([registering(B2, 0n, 2n)]);
  const refused = step(
    taken,
    registering(A, 0n, 7n, { targetPorts: [1, 2], initiatorPorts: [B.initiatorPort] }),
  );
  assert.equal(refused.fault?.reason, 'reservationConflict');
  assert.equal(refused.state, taken);
  const again = step(all, registering(A, 7n, 8n, { initiatorPorts: [C.initiatorPort] }));
  assert.equal(again.fault?.reason, 'invalidFieldInParameterList');
});

test('REGISTER AND MOVE hands the reservation over and can unregister the sender', () => {
  const state = after([
    registering(A, 0n, 1n),
    { kind: 'reserve', nexus: A, key: 1n, type: EXCLUSIVE_ACCESS },
  ]);
  const moving = { kind: 'registerAndMove', nexus: A, key: 1n, newKey: 5n, aptpl: true, to: C } as const;
  const moved = step(state, { ...moving, unregister: true });
  assert.deepEqual(moved.state.registrations, [{ ...C, key: 5n }]);
  assert.deepEqual(moved.state.reservation, { type: EXCLUSIVE_ACCESS, holder: C });
  assert.equal(moved.state.aptpl, true);
  assert.equal(moved.state.generation, 2);
  const kept = step(state, { ...moving, unregister: false });
  assert.equal(kept.state.registrations.length, 2);
  assert.equal(
    step(state, { ...moving, unregister: false, to: A }).fault?.reason,
    'invalidFieldInParameterList',
  );
  assert.equal(
    step(after([registering(A, 0n, 1n)]), { ...moving, unregister: false }).fault?.reason,
    'invalidFieldInCdb',
  );
});

test('RESERVE and RELEASE of SPC-2 stand beside registrations as CRH promises', () => {
  const held = after([
    registering(A, 0n, 1n),
    registering(B, 0n, 2n),
    { kind: 'reserve', nexus: A, key: 1n, type: WRITE_EXCLUSIVE },
  ]);
  assert.equal(step(held, { kind: 'legacyReserve', nexus: A }).state, held);
  assert.equal(step(held, { kind: 'legacyRelease', nexus: A }).fault, undefined);
  assert.equal(step(held, { kind: 'legacyReserve', nexus: B }).fault?.reason, 'reservationConflict');
  assert.equal(step(held, { kind: 'legacyReserve', nexus: C }).fault?.reason, 'reservationConflict');
  const reserved = after([{ kind: 'legacyReserve', nexus: A }]);
  assert.equal(step(reserved, registering(A, 0n, 1n)).fault?.reason, 'reservationConflict');
  assert.equal(step(reserved, { kind: 'legacyReserve', nexus: B }).fault?.reason, 'reservationConflict');
  assert.equal(step(reserved, { kind: 'legacyRelease', nexus: B }).state, reserved);
  assert.equal(step(reserved, { kind: 'legacyRelease', nexus: A }).state.legacyHolder, undefined);
});

test('one registration more than there is room for is refused', () => {
  let state = NOTHING_RESERVED;
  for (let i = 0; i < REGISTRATIONS_MAX; i += 1) {
    state = step(state, registering({ initiatorPort: `iqn.${i},i,0x0`, targetPort: 1 }, 0n, 1n)).state;
  }
  assert.equal(state.registrations.length, REGISTRATIONS_MAX);
  assert.equal(step(state, registering(A, 0n, 1n)).fault?.reason, 'insufficientRegistrationResources');
});
