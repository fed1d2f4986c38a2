/** Goal: settings come back as they were, nothing impossible is taken, and while a change is on its way nobody allows more
 * than both. Method: random settings, the layout byte by byte, wrong ones, and all pairs of told and recorded. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { SettingsInForce } from './settings-in-force.ts';
import { changeSettings, decodeSettings, encodeSettings, type Settings } from './settings.ts';

const node = fc.integer({ min: 1, max: 65_535 });
const settings = fc.record({
  order: fc.array(node, { maxLength: 4 }),
  policy: fc.constantFrom('through' as const, 'back' as const),
  asides: fc.array(node, { maxLength: 4 }),
  fullResyncAbove: fc.integer({ min: 1, max: 100 }),
});
const USUAL: Settings = { order: [1, 2], policy: 'back', asides: [], fullResyncAbove: 100 };

test('settings come back as they were', () => {
  fc.assert(
    fc.property(settings, (drawn) => {
      assert.deepEqual(decodeSettings(encodeSettings(drawn)), structuredClone(drawn));
    }),
  );
});

test('the layout is the one of docs/FORMATS.md', () => {
  const bytes = encodeSettings({ order: [2, 1], policy: 'back', asides: [3], fullResyncAbove: 100 });
  assert.deepEqual([...bytes], [1, 1, 2, 1, 0, 0, 0, 0, 0, 2, 0, 1, 0, 3]);
  assert.equal(encodeSettings({ ...USUAL, fullResyncAbove: 30 })[4], 30);
});

test('what is cut, longer or of a later version is no settings', () => {
  const bytes = encodeSettings(USUAL);
  for (let length = 0; length < bytes.length; length++)
    assert.equal(decodeSettings(bytes.subarray(0, length)), undefined);
  assert.equal(decodeSettings(new Uint8Array([...bytes, 0, 0])), undefined);
  assert.equal(decodeSettings(bytes.with(0, 2)), undefined);
  assert.equal(decodeSettings(bytes.with(1, 2)), undefined);
});

test('a change leaves the rest, and has to name the nodes of the device', () => {
  const changed = (change: Partial<Settings>) => changeSettings(USUAL, change, [1, 2]);
  assert.deepEqual(changed({ order: [2, 1] }), { ok: true, value: { ...USUAL, order: [2, 1] } });
  assert.deepEqual(changed({ asides: [2, 1, 2] }), {
    ok: true,
    value: { ...USUAL, asides: [1, 2] },
  });
  for (const wrong of [
    { order: [1] },
    { order: [1, 1] },
    { order: [1, 3] },
    { order: [1, 2, 2] },
    { asides: [3] },
    { fullResyncAbove: 0 },
    { fullResyncAbove: 101 },
    { fullResyncAbove: 2.5 },
  ]) {
    const refused = changed(wrong);
    assert.ok(!refused.ok && refused.fault.kind === 'invalidSettings');
  }
});

test('while a change is on its way either first has to agree, and caches are written through', () => {
  let recorded: Uint8Array | undefined;
  const force = new SettingsInForce(
    USUAL,
    () => recorded,
    () => USUAL.order,
  );
  assert.deepEqual([force.firsts, force.policy, force.writesBack], [[1], 'back', true]);
  recorded = encodeSettings({ order: [2, 1], policy: 'through', asides: [1], fullResyncAbove: 100 });
  assert.deepEqual([force.firsts, force.policy, force.writesBack], [[1, 2], 'through', false]);
  assert.deepEqual(force.now, USUAL);
  force.told(recorded);
  assert.deepEqual([force.firsts, force.policy, force.now.asides], [[2], 'through', [1]]);
  recorded = encodeSettings({ order: [2, 1], policy: 'back', asides: [], fullResyncAbove: 100 });
  assert.deepEqual([force.policy, force.writesBack], ['through', true]);
  force.told(recorded);
  assert.equal(force.policy, 'back');
});

test('where the replicas have changed, who is new comes last, and who is gone is nowhere', () => {
  let replicas: readonly number[] = [1, 2];
  const told = encodeSettings({ order: [2, 1], policy: 'back', asides: [1, 2], fullResyncAbove: 100 });
  const force = new SettingsInForce(
    USUAL,
    () => told,
    () => replicas,
  );
  assert.deepEqual([force.now.order, force.now.asides, force.firsts], [[2, 1], [1, 2], [2]]);
  replicas = [1, 2, 3, 4];
  assert.deepEqual([force.now.order, force.firsts], [[2, 1, 3, 4], [2]]);
  replicas = [1, 3];
  assert.deepEqual([force.now.order, force.now.asides, force.firsts], [[1, 3], [1], [1]]);
});
