// Goal: numbers of processes grow, whatever the clock says and however the file was left.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Incarnations } from './incarnations.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-incarnations-'));
after(() => rmSync(folder, { recursive: true }));

test('each number is above those before, also of other users and of a time that was later', () => {
  const first = new Incarnations(folder, '0');
  const [a, b] = [first.next(), first.next()];
  assert.ok(b > a);
  const ahead = (Date.now() + 1e9) * 1000;
  writeFileSync(join(folder, 'incarnation-1'), `${ahead}\n`);
  assert.equal(new Incarnations(folder, '0').next(), ahead + 1);
});

test('a file that was cut off counts for nothing', () => {
  writeFileSync(join(folder, 'incarnation-1'), '');
  writeFileSync(join(folder, 'incarnation-0'), 'x');
  assert.ok(new Incarnations(folder, '0').next() >= Date.now() * 1000 - 1e6);
});

test('without a directory the clock tells', () => {
  assert.ok(new Incarnations(undefined, '0').next() > 0);
});
