// Goal: what is given up lies in a file at its place, with a list that is there only when all of it is; faults are told.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { openChunkKeeper } from './chunk-keeper.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'lockstep-keeper-'));
after(() => rmSync(directory, { recursive: true }));
const NOW = new Date('2026-11-30T12:34:56Z');
const BYTES = 3 * 65_536 + 512;

test('chunks are at their places, and the list comes last', async () => {
  const opened = await openChunkKeeper(path.join(directory, 'new'), {
    name: 'disk1',
    bytes: BYTES,
    now: NOW,
  });
  assert.ok(opened.ok);
  const { file, keep, finish } = opened.value;
  assert.equal(path.basename(file), 'disk1-20261130T123456.img');
  assert.equal(await keep(1, [new Uint8Array(60_000).fill(1), new Uint8Array(5536).fill(2)]), true);
  assert.equal(await keep(3, [new Uint8Array(512).fill(3)]), true);
  assert.equal(existsSync(`${file}.json`), false);
  assert.equal(await finish([1, 3]), true);
  const bytes = readFileSync(file);
  assert.deepEqual(
    [0, 65_536, 65_536 + 60_000, 2 * 65_536, 3 * 65_536].map((at) => bytes[at]),
    [0, 1, 2, 0, 3],
  );
  assert.equal(bytes.length, BYTES);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(JSON.parse(readFileSync(`${file}.json`, 'utf8')), {
    name: 'disk1',
    bytes: BYTES,
    chunkBytes: 65_536,
    chunks: [1, 3],
  });
});

test('a file that is there is never written over', async () => {
  const options = { name: 'disk2', bytes: BYTES, now: NOW };
  assert.ok((await openChunkKeeper(directory, options)).ok);
  const again = await openChunkKeeper(directory, options);
  assert.ok(!again.ok);
  assert.match(again.fault, /EEXIST/);
});

test('where there is no folder, and where a list cannot be made, it says why', async () => {
  const place = path.join(directory, 'file');
  writeFileSync(place, '');
  const none = await openChunkKeeper(place, { name: 'disk1', bytes: BYTES, now: NOW });
  assert.ok(!none.ok);
  const opened = await openChunkKeeper(directory, { name: 'disk3', bytes: BYTES, now: NOW });
  assert.ok(opened.ok);
  writeFileSync(`${opened.value.file}.json`, '');
  assert.equal(await opened.value.finish([]), false);
  assert.match(opened.value.fault!, /EEXIST/);
});
