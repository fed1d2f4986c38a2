// Goal: disks keep the promises of their port; the file disk also against a real file system, a second process, a full
// file system and a loop device. Method: real files; root is needed for the last two, which say so when skipped.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ReopenableDisk } from '../../src/ports/disk.ts';
import { openFileDisk } from '../../src/runtime/file-disk.ts';
import { openFlatStore } from '../../src/store/flat-store.ts';
import { expectFault, expectOk, readAll } from './block-device.ts';
import { DISK_LENGTH, diskContract, readBytes } from './disk.ts';
import { MemoryDisk } from './memory-disk.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-disk-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const newPath = (): string => join(folder, `${(files += 1)}.img`);

function createSparse(path: string, length = DISK_LENGTH): Promise<ReopenableDisk> {
  return expectOk(openFileDisk(path, { readOnly: false, create: { length, allocation: 'sparse' } }));
}

diskContract('file', () => createSparse(newPath()));
diskContract('memory', () => Promise.resolve(new MemoryDisk(DISK_LENGTH)));

/** Runs `command` and leaves the test out, saying so, where it may not be run. */
function privileged(t: TestContext, command: string, ...args: string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  } catch (error) {
    t.skip(`${command} is not possible here: ${String(error).split('\n')[0]}`);
    return undefined;
  }
}

test('a thick file has all its space from the start and tells how far it has come', async () => {
  const path = newPath();
  const seen: number[] = [];
  const length = 8 * 1024 * 1024 + 512;
  const create = { length, allocation: 'thick', onProgress: (done: number) => seen.push(done) } as const;
  const disk = await expectOk(openFileDisk(path, { readOnly: false, create }));
  assert.equal(seen.at(-1), length);
  assert.ok(statSync(path).blocks * 512 >= length);
  assert.equal(disk.length, length);
  assert.deepEqual(await readBytes(disk, 0, 4096), new Uint8Array(4096));
  await disk.close();
});

test('a thick allocation that is cancelled leaves no file', async () => {
  const path = newPath();
  const create = { length: 2 ** 20, allocation: 'thick', signal: AbortSignal.abort() } as const;
  assert.equal((await expectFault(openFileDisk(path, { readOnly: false, create }))).kind, 'cancelled');
  assert.equal(existsSync(path), false);
});

test('what cannot be a disk is refused by name', async () => {
  const empty = newPath();
  writeFileSync(empty, '');
  const taken = newPath();
  writeFileSync(taken, 'precious');
  const create = { length: 4096, allocation: 'sparse' } as const;
  for (const [path, options, kind] of [
    [join(folder, 'none'), { readOnly: false }, 'notFound'],
    [empty, { readOnly: false }, 'unsuitable'],
    [folder, { readOnly: true }, 'unsuitable'],
    ['/dev/null', { readOnly: false }, 'unsuitable'],
    [taken, { readOnly: false, create }, 'exists'],
    [join(folder, 'no', 'such', 'folder'), { readOnly: false, create }, 'notFound'],
  ] as const) {
    const fault = await expectFault(openFileDisk(path, options));
    assert.equal(fault.kind, kind, path);
    assert.ok(fault.message.includes(path));
  }
  assert.equal(statSync(taken).size, 8);
});

test('a file in use is locked against a second process, and free when that one dies', async () => {
  const path = newPath();
  await (await createSparse(path)).close();
  const module = new URL('../../src/runtime/file-disk.ts', import.meta.url).href;
  const script = `const { openFileDisk } = await import('${module}');
    const r = await openFileDisk('${path}', { readOnly: false });
    console.log(r.ok ? 'open' : r.fault.kind); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
  const [line] = (await new Promise<unknown[]>((resolve) => {
    child.stdout.once('data', (...data: unknown[]) => resolve(data));
  })) as [Buffer];
  assert.equal(line.toString().trim(), 'open');
  const fault = await expectFault(openFileDisk(path, { readOnly: false }));
  assert.equal(fault.kind, 'locked');
  assert.ok(fault.message.includes(path));
  assert.equal((await expectFault(openFileDisk(path, { readOnly: true }))).kind, 'locked');
  const gone = new Promise((resolve) => {
    child.once('exit', resolve);
  });
  child.kill('SIGKILL');
  await gone;
  await (await expectOk(openFileDisk(path, { readOnly: false }))).close();
});

test('readers share a file, and a writer is kept out', async () => {
  const path = newPath();
  await (await createSparse(path)).close();
  const first = await expectOk(openFileDisk(path, { readOnly: true }));
  const second = await expectOk(openFileDisk(path, { readOnly: true }));
  assert.equal((await expectFault(openFileDisk(path, { readOnly: false }))).kind, 'locked');
  assert.equal(first.readOnly, true);
  await first.close();
  await second.close();
});

test('a disk that is opened again has what it had, is locked, and is none while its file is gone', async () => {
  const path = newPath();
  const disk = await createSparse(path);
  await expectOk(disk.write(4096, [new Uint8Array(4096).fill(5)]));
  const under = disk.write(8192, [new Uint8Array(4096).fill(6)]);
  await expectOk(disk.reopen());
  await expectOk(under);
  assert.deepEqual(await readBytes(disk, 4096, 8192), new Uint8Array(8192).fill(5).fill(6, 4096));
  assert.equal((await expectFault(openFileDisk(path, { readOnly: false }))).kind, 'locked');
  renameSync(path, `${path}.gone`);
  assert.match(await expectFault(disk.reopen()), /does not exist/);
  // oxlint-disable-next-line no-await-in-loop -- each
  for (const answer of [
    disk.read(0, 512),
    disk.write(0, [new Uint8Array(512)]),
    disk.flush(),
    disk.grow(0, disk.length, false),
  ])
    assert.equal((await expectFault(answer as ReturnType<typeof disk.flush>)).kind, 'ioError');
  renameSync(`${path}.gone`, path);
  await expectOk(disk.reopen());
  await expectOk(disk.flush());
  assert.deepEqual(await readBytes(disk, 8192, 1), Uint8Array.of(6));
  await disk.close();
});

test('a file that somebody cuts short gives I/O errors, not zeros', async () => {
  const path = newPath();
  const disk = await createSparse(path);
  truncateSync(path, 8192);
  const fault = await expectFault(disk.read(4096, 8192));
  const missing = { kind: 'ioError', operation: 'read', offset: 8192, cause: 'end of file' };
  assert.deepEqual(fault, missing);
  assert.deepEqual(await expectFault(disk.extentAt(8192)), missing, 'and no hole');
  await disk.close();
});

test('writes do not lengthen a file that somebody cut short, not even when many come at once', async () => {
  const path = newPath();
  const disk = await createSparse(path);
  await expectOk(disk.write(0, [new Uint8Array(4096).fill(1)]));
  truncateSync(path, 8192);
  await sleep(1000);
  const data = [new Uint8Array(4096).fill(2)];
  const ends = [0, 4096, 8192, disk.length - 4096].map(async (offset) => disk.write(offset, data));
  const lost = (offset: number) => ({ kind: 'ioError', operation: 'write', offset, cause: 'end of file' });
  await expectOk(ends[0]!);
  await expectOk(ends[1]!);
  assert.deepEqual(await expectFault(ends[2]!), lost(8192));
  assert.deepEqual(await expectFault(ends[3]!), lost(disk.length - 4096));
  assert.equal(statSync(path).size, 8192);
  truncateSync(path, disk.length);
  assert.deepEqual(
    await expectFault(disk.write(4096, [data[0]!, data[0]!])),
    lost(4096),
    'its content is gone',
  );
  await disk.close();
});

test('a full file system: thick is refused and removed, sparse answers no space and lives on', async (t) => {
  const mount = join(folder, 'small');
  mkdirSync(mount);
  if (privileged(t, 'mount', '-t', 'tmpfs', '-o', 'size=1M', 'tmpfs', mount) === undefined) return;
  try {
    const path = join(mount, 'disk.img');
    const thick = { length: 2 ** 21, allocation: 'thick' } as const;
    assert.equal((await expectFault(openFileDisk(path, { readOnly: false, create: thick }))).kind, 'noSpace');
    assert.equal(existsSync(path), false);
    const disk = await createSparse(path, 2 ** 21);
    const device = await expectOk(openFlatStore({ disk, blockLength: 512, writeCache: 'back' }));
    const data = new Uint8Array(2 ** 20).fill(1);
    await expectOk(device.write(0, [data.subarray(0, 2 ** 19)], 'durable'));
    // 1 MiB from block 1024 on: only the first half of it fits.
    assert.deepEqual(await expectFault(device.write(1024, [data], 'durable')), {
      kind: 'noSpace',
      lba: 2048,
    });
    await expectOk(device.unmap([{ lba: 1024, blocks: 2048 }], 'durable'));
    await expectOk(device.write(3000, [data.subarray(0, 4096)], 'durable'));
    assert.deepEqual(await readAll(device, 3000, 8), data.subarray(0, 4096));
    await device.close();
  } finally {
    execFileSync('umount', [mount]);
  }
});

test('a block device is a disk of its own length, locked, and gives space back', async (t) => {
  const path = newPath();
  await (await createSparse(path)).close();
  const device = privileged(t, 'losetup', '--find', '--show', path);
  if (device === undefined) return;
  try {
    const disk = await expectOk(openFileDisk(device, { readOnly: false }));
    assert.equal(disk.length, DISK_LENGTH);
    assert.equal(disk.physicalSectorLength, 512);
    assert.equal((await expectFault(openFileDisk(device, { readOnly: false }))).kind, 'locked');
    const length = disk.punchGranularity * 2;
    assert.ok(length > 0);
    await expectOk(disk.write(0, [new Uint8Array(length).fill(7)]));
    await expectOk(disk.flush());
    await expectOk(disk.punch(0, disk.punchGranularity));
    assert.equal((await readBytes(disk, 0, length)).indexOf(7), disk.punchGranularity);
    assert.deepEqual(await expectOk(disk.extentAt(0)), { data: true, end: DISK_LENGTH });
    await disk.close();
  } finally {
    execFileSync('losetup', ['--detach', device]);
  }
});
