// Goal: commands are read as they were asked, and nothing else is taken for one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { questionIn } from './question.ts';

const device = (command: unknown): unknown => ({ kind: 'device', device: 'disk1', command });

test('what is asked is read as it is', () => {
  for (const asked of [
    { kind: 'status' },
    device({ kind: 'show' }),
    device({ kind: 'extend', bytes: 2 ** 30 }),
    device({ kind: 'set', change: { priority: ['a', 'b'], writePolicy: 'back', aside: [] } }),
    device({ kind: 'set', change: {} }),
    device({ kind: 'setCache', bytes: 2 ** 27 }),
    device({ kind: 'conflict' }),
    device({ kind: 'resolve', keep: 'a' }),
    device({ kind: 'replica', change: 'add', node: 'a' }),
    device({ kind: 'replica', change: 'remove', node: 'a' }),
    device({ kind: 'mayLeave' }),
  ])
    assert.deepEqual(questionIn(asked), asked);
});

test('what is no question is none', () => {
  for (const asked of [
    null,
    7,
    'status',
    {},
    { kind: 'stop' },
    device(undefined),
    device({ kind: 'format' }),
    device({ kind: 'set' }),
    device({ kind: 'set', change: { priority: 'a' } }),
    device({ kind: 'set', change: { writePolicy: 'never' } }),
    device({ kind: 'extend', bytes: '1G' }),
    device({ kind: 'setCache', bytes: '128M' }),
    device({ kind: 'resolve' }),
    device({ kind: 'replica', change: 'move', node: 'a' }),
    device({ kind: 'replica', change: 'add' }),
    { kind: 'device', command: { kind: 'show' } },
  ])
    assert.equal(questionIn(asked), undefined, JSON.stringify(asked));
});
