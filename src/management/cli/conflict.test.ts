// Goal: what is lost by a choice is told before, and where it is afterwards.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conflict } from '../../engine/split-brain.ts';
import { conflictText, lossText, resolvedText } from './conflict.ts';

const CONFLICT: Conflict = {
  sides: [
    { node: 'alpha', isServing: true, epoch: 50, since: 33, chunks: 1, bytes: 65_536, full: undefined },
    {
      node: 'beta',
      isServing: false,
      epoch: 51,
      since: 33,
      chunks: 32,
      bytes: 2 ** 21,
      full: 'logUnreadable',
    },
  ],
  silent: ['Node gamma does not answer: it cannot be reached.'],
};

test('each side has a line', () => {
  assert.equal(
    conflictText('disk1', CONFLICT),
    [
      'Device disk1 was changed on several sides that did not hear of each other:',
      '',
      'Node   State        Epoch  Together until epoch  Changed alone',
      'alpha  serves       50     33                    up to 64 KiB (1 chunk)',
      'beta   has stopped  51     33                    up to 2 MiB (32 chunks, all of it: it is not known which)',
      '',
      'Node gamma does not answer: it cannot be reached.',
      'Choose the side that stays: lockstep device resolve disk1 --keep NODE',
      '',
    ].join('\n'),
  );
  assert.equal(
    conflictText('disk1', { sides: [], silent: [] }),
    'Device disk1 has no split brain, as far as its nodes tell.\n',
  );
});

test('what is given up, and where it is then', () => {
  assert.equal(
    lossText('disk1', CONFLICT, 'beta'),
    'Device disk1: node alpha gives up what it changed, up to 64 KiB (1 chunk), since epoch 33; it is written into a file on alpha first.\n',
  );
  const givenUp = [{ node: 'alpha', file: '/state/diverged/disk1.img', chunks: 2 }];
  assert.equal(
    resolvedText('disk1', { kept: 'beta', givenUp }),
    'Device disk1 goes on as node beta has it.\nGiven up on alpha: 128 KiB, in /state/diverged/disk1.img (which chunks: /state/diverged/disk1.img.json)\n',
  );
});
