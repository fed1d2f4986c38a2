// Goal: a record is all there or the former one is. Method: real files, damaged at every byte and cut at every length.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { openRecordFile } from './record-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-record-'));
after(() => rmSync(folder, { recursive: true }));
let count = 0;
const newPath = (): string => join(folder, `record-${(count += 1)}`);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function saved(path: string, ...texts: string[]): Promise<void> {
  const file = openRecordFile(path);
  for (const text of texts) assert.deepEqual(await file.save(bytes(text)), { ok: true, value: undefined });
}

async function loaded(path: string): Promise<string | undefined> {
  const result = await openRecordFile(path).load();
  if (!result.ok) return result.fault.kind;
  return result.value && new TextDecoder().decode(result.value);
}

test('nothing was saved, then the last record is there after every save', async () => {
  const path = newPath();
  assert.equal(await loaded(path), undefined);
  for (const text of ['one', 'two', '', 'four']) {
    await saved(path, text);
    assert.equal(await loaded(path), text);
  }
  assert.equal(existsSync(`${path}.new`), false);
});

test('the newer copy damaged at any byte, or cut at any length, leaves the former one', async () => {
  const path = newPath();
  await saved(path, 'former', 'newer');
  const whole = readFileSync(`${path}.1`);
  for (let at = 0; at < whole.length; at++) {
    // Bytes 6, 7 and 20..23 are reserved, yet the checksum covers them.
    const damaged = Uint8Array.from(whole);
    damaged[at]! ^= 0x10;
    writeFileSync(`${path}.1`, damaged);
    assert.equal(await loaded(path), 'former', `byte ${at}`);
    writeFileSync(`${path}.1`, whole.subarray(0, at));
    assert.equal(await loaded(path), 'former', `length ${at}`);
  }
  writeFileSync(`${path}.1`, whole);
  assert.equal(await loaded(path), 'newer');
});

test('a crash at any byte of the next save leaves the newer record', async () => {
  const path = newPath();
  await saved(path, 'one', 'two');
  for (let length = 0; length < 40; length++) {
    writeFileSync(`${path}.new`, readFileSync(`${path}.0`).subarray(0, length));
    assert.equal(await loaded(path), 'two');
  }
  await saved(path, 'three');
  assert.equal(await loaded(path), 'three');
});

test('without a copy that checks out the answer is corrupt, and nothing is saved over it', async () => {
  const path = newPath();
  await saved(path, 'one', 'two');
  writeFileSync(`${path}.0`, 'x');
  writeFileSync(`${path}.1`, '');
  assert.equal(await loaded(path), 'corrupt');
  const result = await openRecordFile(path).save(bytes('three'));
  assert.equal(result.ok ? '' : result.fault.kind, 'corrupt');
  assert.equal(await loaded(path), 'corrupt');
});

test('saves without waiting take effect in order', async () => {
  const path = newPath();
  const file = openRecordFile(path);
  await Promise.all(['a', 'b', 'c', 'd', 'e'].map((text) => file.save(bytes(text))));
  assert.equal(await loaded(path), 'e');
});

test('a folder that is missing is an I/O error', async () => {
  const result = await openRecordFile(join(folder, 'none', 'x')).save(bytes('a'));
  assert.equal(result.ok ? '' : result.fault.kind, 'ioError');
});
