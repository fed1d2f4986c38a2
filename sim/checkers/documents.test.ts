/** Goal: the checker of documents bites, and only where it should. Method: small ends, one for each rule and beside it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDocuments, type SettingsAttempt } from './documents.ts';

const attempt = (
  settings: string,
  invokedAt: number,
  returnedAt: number,
  acknowledged = true,
): SettingsAttempt => {
  return { settings, invokedAt, returnedAt, acknowledged };
};
const held = (settings: string, resets: number, nodes = [0, 1]) =>
  nodes.map((node) => ({ node, settings, resets }));
const ruleOf = (attempts: readonly SettingsAttempt[], settings: string) =>
  checkDocuments({ attempts, resets: [], held: held(settings, 0) })?.rule;

test('the last settings that were acknowledged stand, or what was under way beside them', () => {
  const attempts = [attempt('a', 0, 10), attempt('b', 5, 20, false), attempt('c', 15, 30)];
  assert.equal(ruleOf(attempts, 'c'), undefined);
  assert.equal(ruleOf(attempts, 'b'), undefined);
  assert.equal(ruleOf(attempts, 'a'), 'settingsLost');
  assert.equal(ruleOf(attempts, ''), 'settingsLost');
  assert.equal(ruleOf([attempt('a', 0, Infinity, false)], ''), undefined);
  assert.equal(ruleOf([], 'z'), 'settingsLost');
});

test('all nodes hold the same, and resets are counted', () => {
  const mixed = [...held('a', 1, [0]), ...held('a', 2, [1])];
  assert.equal(checkDocuments({ attempts: [], resets: [], held: mixed })?.rule, 'documentsDiffer');
  const resets = (numbers: number[], last: number) =>
    checkDocuments({ attempts: [], resets: numbers, held: held('', last) })?.rule;
  assert.equal(resets([1, 3], 4), undefined);
  assert.equal(resets([1, 3], 2), 'resetLost');
  assert.equal(resets([2, 2], 2), 'resetNotAtomic');
});
