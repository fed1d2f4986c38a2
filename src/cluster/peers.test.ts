/** Goal: who is heard, on what, and what counts of what was said. Method: beats out of order, by time and by path. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Beat } from './messages.ts';
import { Peers } from './peers.ts';
import { SUSPECT_MS } from './times.ts';

function beatOf(incarnation: number, sentAt: number, more: Partial<Beat> = {}): Beat {
  return {
    kind: 'beat',
    incarnation,
    sentAt,
    term: 1,
    promised: 1,
    accepted: { term: 1, members: [1, 2] },
    hasRetired: false,
    role: 'serving',
    hears: [],
    hearsSync: [],
    members: [1, 2],
    ...more,
  };
}

test('a node is heard until it was silent for the time of suspicion, each path for itself', () => {
  const peers = new Peers(1);
  assert.deepEqual(peers.heardNodes(0), []);
  peers.heard(2, beatOf(1, 0), true, 1000);
  peers.heard(2, beatOf(1, 200), false, 1200);
  const at = (now: number) => [peers.hears(2, now), peers.hearsSync(2, now)];
  assert.deepEqual(at(1000 + SUSPECT_MS - 1), [true, true]);
  assert.deepEqual(at(1000 + SUSPECT_MS), [true, false]);
  assert.deepEqual(at(1200 + SUSPECT_MS - 1), [true, false]);
  assert.deepEqual(at(1200 + SUSPECT_MS), [false, false]);
  assert.deepEqual(
    [peers.heardNodes(1000 + SUSPECT_MS - 1), peers.syncNodes(1000 + SUSPECT_MS - 1)],
    [[2], [2]],
  );
  assert.deepEqual([peers.heardNodes(1000 + SUSPECT_MS), peers.syncNodes(1000 + SUSPECT_MS)], [[2], []]);
});

test('a node always hears itself, which is nobody else', () => {
  const peers = new Peers(1);
  assert.ok(peers.hears(1, 1e9) && peers.hearsSync(1, 1e9) && peers.isJoined(1, 1e9));
  peers.heard(1, beatOf(1, 0), true, 0);
  assert.deepEqual([peers.heardNodes(0), peers.beatOf(1)], [[], undefined]);
});

test('a process is known since its first beat, and a new one is another', () => {
  const peers = new Peers(1);
  assert.equal(peers.knownFor(2, 100), 0);
  peers.heard(2, beatOf(5, 0), true, 100);
  peers.heard(2, beatOf(5, 200), true, 300);
  assert.equal(peers.knownFor(2, 400), 300);
  peers.heard(2, beatOf(6, 0), true, 500);
  assert.equal(peers.knownFor(2, 600), 100);
});

test('two are joined when each hears the other on a sync link', () => {
  const peers = new Peers(1);
  peers.heard(2, beatOf(1, 0, { hears: [1], hearsSync: [] }), true, 0);
  assert.ok(!peers.isJoined(2, 0), 'it does not hear us');
  peers.heard(2, beatOf(1, 1, { hearsSync: [1] }), false, 10);
  assert.ok(peers.isJoined(2, 10));
  assert.ok(!peers.isJoined(2, SUSPECT_MS), 'we do not hear it');
});

test('a beat that was overtaken changes nothing that was said later', () => {
  const peers = new Peers(1);
  peers.heard(2, beatOf(5, 200, { term: 2 }), true, 200);
  peers.heard(2, beatOf(5, 100, { term: 1 }), true, 300);
  assert.equal(peers.beatOf(2)!.term, 2);
  peers.heard(2, beatOf(5, 200, { term: 3 }), true, 300);
  assert.equal(peers.beatOf(2)!.term, 3);
});

test('a new process counts though its clock begins anew; a former one neither counts nor is it heard', () => {
  const peers = new Peers(1);
  peers.heard(2, beatOf(5, 9000, { term: 2 }), true, 0);
  peers.heard(2, beatOf(6, 10, { term: 0, role: 'waiting' }), true, 100);
  assert.equal(peers.beatOf(2)!.incarnation, 6);
  peers.heard(2, beatOf(5, 9500, { term: 2 }), true, 100 + SUSPECT_MS);
  assert.equal(peers.beatOf(2)!.incarnation, 6);
  assert.ok(!peers.hears(2, 100 + SUSPECT_MS) && !peers.hearsSync(2, 100 + SUSPECT_MS));
});
