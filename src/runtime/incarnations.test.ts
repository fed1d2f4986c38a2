// Goal: numbers of processes grow, whatever the clock says and however the file was left.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Incarnations } from './incarnations.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-incarnations-'));
function numberOf(incarnations: Incarnations): number {
  const next = incarnations.next();
  return next.ok ? next.value : assert.fail(next.fault);
}

function expectFaultOf(incarnations: Incarnations): string {
  const next = incarnations.next();
  return next.ok ? assert.fail(`${next.value}`) : next.fault;
}

after(() => rmSync(folder, { recursive: true }));

test('each number is above those before, also of other users and of a time that was later', () => {
  const first = new Incarnations(folder, '0');
  const [a, b] = [numberOf(first), numberOf(first)];
  assert.ok(b > a);
  const ahead = (Date.now() + 1e9) * 1000;
  writeFileSync(join(folder, 'incarnation-1'), `${ahead}\n`);
  assert.equal(numberOf(new Incarnations(folder, '0')), ahead + 1);
});

test('a file that was cut off counts for nothing', () => {
  writeFileSync(join(folder, 'incarnation-1'), '');
  writeFileSync(join(folder, 'incarnation-0'), 'x');
  assert.ok(numberOf(new Incarnations(folder, '0')) >= Date.now() * 1000 - 1e6);
});

test('without a directory the clock tells', () => {
  assert.ok(numberOf(new Incarnations(undefined, '0')) > 0);
});

test('a number that cannot be kept is none', () => {
  const place = join(folder, 'incarnation-0');
  assert.match(expectFaultOf(new Incarnations(join(place, 'below a file'), '0')), /ENOTDIR/);
});
