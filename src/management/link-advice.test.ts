// Goal: links that make mirroring slow are named, others are not. Method: measured links of each kind, judged and printed.
import assert from 'node:assert/strict';
import test from 'node:test';
import { fail, ok } from '../base/result.ts';
import { linksJson, linksText } from './cli/links.ts';
import { adviceOnLinks, type MeasuredLink } from './link-advice.ts';

const GIGABIT = 125e6;

function link(more: Partial<MeasuredLink> = {}): MeasuredLink {
  return {
    partner: 'beta',
    kind: 'sync',
    remote: '10.0.0.2:3262',
    roundTripMs: 0.3,
    bytesPerSecond: 110e6,
    ...more,
  };
}

test('links that are short and wide need no advice', () => {
  assert.deepEqual(adviceOnLinks([link({ bytesPerSecond: 2 * GIGABIT })], GIGABIT), []);
  assert.deepEqual(adviceOnLinks([link()], undefined), [], 'nobody knows what initiators may send');
});

test('a long way is named where data goes over it', () => {
  const [sentence, ...others] = adviceOnLinks([link({ roundTripMs: 12.34 })], undefined);
  assert.match(sentence!, /beta \(10\.0\.0\.2:3262\) answers after 12\.3 ms/);
  assert.deepEqual(others, []);
  const heartbeat = link({ kind: 'heartbeat', roundTripMs: 12, bytesPerSecond: undefined });
  assert.deepEqual(adviceOnLinks([heartbeat], GIGABIT), []);
});

test('links to one partner count together against what initiators may send', () => {
  const two = [link(), link({ remote: '10.0.1.2:3262' })];
  assert.deepEqual(adviceOnLinks(two, 1.5 * GIGABIT), []);
  const [sentence] = adviceOnLinks([...two, link({ partner: 'gamma' })], 1.5 * GIGABIT);
  assert.match(sentence!, /gamma carry 104\.9 MiB\/s together, and initiators may send 178\.81 MiB\/s/);
});

test('people read columns, programs one line', () => {
  const checked = {
    links: [
      { partner: 'beta', kind: 'sync', remote: '10.0.0.2:3262', measured: ok(link()) },
      {
        partner: 'gamma',
        kind: 'heartbeat',
        remote: '10.0.0.3:3262',
        measured: fail('it cannot be reached'),
      },
    ],
    advice: ['Think again.'],
  } as const;
  assert.equal(
    linksText(checked),
    [
      'Partner  Link       Address        Round trip  Carries',
      'beta     sync       10.0.0.2:3262  0.30 ms     104.9 MiB/s',
      'gamma    heartbeat  10.0.0.3:3262  –           it cannot be reached',
      'advice: Think again.',
      '',
    ].join('\n'),
  );
  const { links } = JSON.parse(linksJson(checked)) as { links: readonly Record<string, unknown>[] };
  assert.deepEqual([links[0]!['roundTripMs'], links[1]!['fault']], [0.3, 'it cannot be reached']);
});
