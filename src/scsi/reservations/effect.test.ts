/**
 * Goal: what a node tells its nexuses from two shared states is what the decision in between said; and shared states come
 * back from their bytes. Method: random histories of a few nexuses; single bytes changed.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Decision } from './decision.ts';
import { consequenceFor, effectOf, NO_EFFECT, type SharedState } from './effect.ts';
import { decodeShared, encodeShared } from './shared-record.ts';
import { isSameNexus, type NexusName, NOTHING_RESERVED } from './state.ts';
import { type ReservationRequest, step } from './step.ts';
import { A, B, B2, C, request } from './testing/arbitrary-requests.ts';

const NEXUSES = [A, B, B2, C];
const BEGUN: SharedState = { number: 0, resets: 0, state: NOTHING_RESERVED, effect: NO_EFFECT };

/** Through bytes, as another node gets it. */
function sent(shared: SharedState): SharedState {
  const decoded = decodeShared(encodeShared(shared));
  assert(decoded.ok);
  assert.deepEqual(decoded.value, shared);
  return decoded.value;
}

function changed(before: SharedState, asked: ReservationRequest): [SharedState, Decision] {
  const decision = step(before.state, asked);
  const effect = effectOf(decision, asked.nexus);
  return [sent({ number: before.number + 1, resets: 0, state: decision.state, effect }), decision];
}

function told(decision: Decision, nexus: NexusName): ReturnType<typeof consequenceFor> {
  return {
    attentions: decision.attentions
      .filter((attention) => isSameNexus(attention.nexus, nexus))
      .map(({ reason }) => reason),
    aborts: decision.aborted.some((aborted) => isSameNexus(aborted, nexus)),
  };
}

test('every nexus hears what the decision says, whichever node it is at', () => {
  fc.assert(
    fc.property(fc.array(request, { maxLength: 30 }), (history) => {
      let before = BEGUN;
      for (const asked of history) {
        const [after, decision] = changed(before, asked);
        if (decision.state === before.state) continue;
        for (const nexus of NEXUSES)
          assert.deepEqual(consequenceFor(nexus, before, after), told(decision, nexus));
        before = after;
      }
    }),
    { numRuns: 2000 },
  );
});

test('who lost its registration while changes were missed counts as preempted and aborted', () => {
  const state = {
    ...NOTHING_RESERVED,
    registrations: [
      { ...A, key: 1n },
      { ...C, key: 2n },
    ],
  };
  const before = sent({ ...BEGUN, number: 4, state });
  const after = sent({
    ...BEGUN,
    number: 6,
    state: { ...state, registrations: [{ ...C, key: 2n }] },
    effect: { ...NO_EFFECT, by: A },
  });
  assert.deepEqual(consequenceFor(A, before, after), {
    attentions: ['registrationsPreempted'],
    aborts: true,
  });
  assert.deepEqual(consequenceFor(C, before, after), { attentions: [], aborts: false });
  assert.deepEqual(consequenceFor(B, before, after), { attentions: [], aborts: false });
});

test('SPC-2 holders and resets come back, too', () => {
  for (const reset of ['unit', 'target'] as const)
    sent({ number: 2 ** 40, resets: 7, state: NOTHING_RESERVED, effect: { ...NO_EFFECT, by: B2, reset } });
  sent({ ...BEGUN, state: { ...NOTHING_RESERVED, generation: 0xffff_ffff, legacyHolder: C } });
});

test('the layout is the one of docs/FORMATS.md', () => {
  const bytes = encodeShared({
    number: 0x1_0000_0002,
    resets: 3,
    state: {
      ...NOTHING_RESERVED,
      aptpl: true,
      generation: 4,
      legacyHolder: { initiatorPort: 'ab', targetPort: 6 },
    },
    effect: {
      by: { initiatorPort: 'c', targetPort: 5 },
      removed: 'registrationsPreempted',
      releases: true,
      aborts: true,
      reset: 'target',
    },
  });
  const header =
    '4c535253' + '0001' + '01' + '2d' + '0000000100000002' + '00000004' + '00000003' + '0005000100060002';
  const record = '4c535052' + '0001' + '01' + '00' + 'ffff' + '0000' + '00000000';
  const hex = Buffer.from(bytes).toString('hex');
  assert.equal(hex.slice(0, -16), `${header}636162${record}`);
  assert.equal(bytes.length, 32 + 3 + 16 + 4 + 4);
});

test('a changed byte is noticed wherever it is, and so is a missing one', () => {
  const registrations = [
    { ...A, key: 1n },
    { ...C, key: 2n },
  ];
  const good = encodeShared({
    ...BEGUN,
    state: { ...NOTHING_RESERVED, registrations, reservation: { type: 1, holder: C } },
    effect: { ...NO_EFFECT, by: A },
  });
  for (let at = 0; at < good.length; at += 1) {
    assert.equal(decodeShared(good.with(at, good[at]! ^ 0x40)).ok, false, `byte ${at}`);
    assert.equal(decodeShared(good.subarray(0, at)).ok, false, `${at} bytes`);
  }
});
