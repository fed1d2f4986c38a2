/** Goal: every owner hears of each state of a document once and in order. Method: changes and configurations, one by one. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ToldDocuments } from './told-documents.ts';

function teller() {
  const told: string[] = [];
  const documents = new ToldDocuments((name, bytes) => told.push(`${name} ${bytes?.join() ?? 'none'}`));
  return { told, documents };
}

const settings = (revision: number, ...bytes: number[]) =>
  ({ name: 'settings', revision, bytes: new Uint8Array(bytes) }) as const;
const reset = (revision: number, ...bytes: number[]) =>
  ({ name: 'reset', revision, bytes: new Uint8Array(bytes) }) as const;

test('a change is told once, also when the next configuration finishes it', () => {
  const { told, documents } = teller();
  documents.readable('settings', new Uint8Array([1]), 33);
  documents.readable('settings', new Uint8Array([1]), 33);
  documents.installed([settings(33, 1)]);
  assert.deepEqual(told, ['settings 1']);
});

test('what gets a new stamp from the next configuration is not told again', () => {
  const { told, documents } = teller();
  documents.readable('reset', new Uint8Array([2]), 34);
  documents.installed([reset(48, 2)]);
  documents.readable('reset', new Uint8Array([3]), 47);
  documents.readable('reset', new Uint8Array([4]), 64);
  assert.deepEqual(told, ['reset 2', 'reset 4']);
});

test('what a configuration brings is told in the order in which it was changed', () => {
  const { told, documents } = teller();
  documents.installed([settings(50, 5), reset(40, 4)]);
  documents.installed([settings(50, 5), reset(60, 6)]);
  assert.deepEqual(told, ['reset 4', 'settings 5', 'reset 6']);
});

test('nothing older follows while a configuration stands', () => {
  const { told, documents } = teller();
  documents.readable('reset', new Uint8Array([2]), 34);
  documents.readable('reset', new Uint8Array([1]), 33);
  assert.deepEqual(told, ['reset 2']);
});

test('the side of a split brain that was not chosen hears what counts now', () => {
  const { told, documents } = teller();
  documents.installed([settings(90, 9), reset(80, 8)]);
  documents.installed([settings(70, 7)]);
  documents.readable('settings', new Uint8Array([8]), 71);
  assert.deepEqual(told.slice(2), ['reset none', 'settings 7', 'settings 8']);
});
