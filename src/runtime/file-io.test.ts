// Goal: many writes at once arrive, each with its own answer, and long writes to a medium that hangs stop nothing else.
// Method: real files; a file system that is frozen stands for the disk that hangs (root is needed, else it is skipped).

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAsync } from '../base/result.ts';
import { FileIo } from './file-io.ts';

const PAGE = 4096;
const LENGTH = 4 * 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'lockstep-io-'));
after(() => rmSync(folder, { recursive: true }));

function newFile(name: string): string {
  const path = join(folder, name);
  writeFileSync(path, new Uint8Array(LENGTH));
  return path;
}

test('more writes at once than the ring has slots all arrive: pages, parts of pages, tiny and huge ones', async () => {
  const path = newFile('many');
  const fd = openSync(path, 'r+');
  const io = new FileIo(fd);
  const expected = new Uint8Array(LENGTH);
  const writes: Promise<unknown>[] = [];
  let value = 1;
  const put = (offset: number, lengths: readonly number[]): void => {
    const data = lengths.map((length) => new Uint8Array(length).fill((value = (value % 255) + 1)));
    writes.push(io.write(offset, data));
    let at = offset;
    for (const segment of data) {
      expected.set(segment, at);
      at += segment.length;
    }
  };
  for (let page = 0; page < 600; page += 2) put(page * PAGE, page % 3 === 0 ? [PAGE] : [8, 60, PAGE - 68]);
  put(601 * PAGE + 512, [512]);
  put(604 * PAGE + 512, [PAGE * 100]);
  put(
    710 * PAGE,
    Array.from({ length: 64 }, () => PAGE / 4),
  );
  for (const answer of await Promise.all(writes)) assert.deepEqual(answer, { ok: true, value: undefined });
  await io.close();
  closeSync(fd);
  assert.ok(Buffer.from(expected).equals(readFileSync(path)));
});

test('each write of a failing batch is told of its own offset', async () => {
  const fd = openSync(newFile('failing'), 'r');
  const io = new FileIo(fd);
  const page = new Uint8Array(PAGE);
  const answers = await Promise.all([0, 4, 8].map((index) => io.write(index * PAGE, [page])));
  assert.deepEqual(
    answers.map((answer) => !answer.ok && answer.fault),
    [0, 4, 8].map((index) => ({ kind: 'ioError', operation: 'write', offset: index * PAGE, cause: 'EBADF' })),
  );
  await io.close();
  closeSync(fd);
});

test('while long writes to a medium hang the event loop turns and other disks write', async (t) => {
  const image = join(folder, 'image');
  const mount = join(folder, 'mount');
  mkdirSync(mount);
  const run = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: 'pipe' });
  try {
    writeFileSync(image, new Uint8Array(16 * LENGTH));
    run('mkfs.ext4', '-q', image);
    run('mount', '-o', 'loop', image, mount);
  } catch (error) {
    t.skip(`no file system can be mounted here: ${String(error).split('\n')[0]}`);
    return;
  }
  const files = [newFile('healthy'), join(mount, 'hanging')];
  writeFileSync(files[1]!, new Uint8Array(LENGTH));
  const fds = files.map((path) => openSync(path, 'r+'));
  const [healthy, hanging] = fds.map((fd) => new FileIo(fd)) as [FileIo, FileIo];
  const long = new Uint8Array(32 * PAGE).fill(9);
  const batch = (io: FileIo) =>
    Promise.all(Array.from({ length: 32 }, (_, i) => io.write(i * 32 * PAGE, [long])));
  let frozen = false;
  try {
    run('fsfreeze', '--freeze', mount);
    frozen = true;
    let answered = false;
    const stuck = batch(hanging).then((answers) => {
      answered = true;
      return answers;
    });
    const from = performance.now();
    for (let i = 0; i < 20; i++) {
      // oxlint-disable-next-line no-await-in-loop -- one turn after the other
      await sleep(10);
    }
    assert.ok(performance.now() - from < 2000);
    assert.ok((await batch(healthy)).every(({ ok }) => ok));
    assert.equal(isAsync(hanging.read(PAGE, PAGE)), false);
    assert.equal(answered, false);
    run('fsfreeze', '--unfreeze', mount);
    frozen = false;
    assert.ok((await stuck).every(({ ok }) => ok));
    await Promise.all([healthy.close(), hanging.close()]);
  } finally {
    if (frozen) run('fsfreeze', '--unfreeze', mount);
    for (const fd of fds) closeSync(fd);
    run('umount', mount);
  }
});
