/**
 * Goal: a disk may be as large as the file system beneath allows, and larger than the 32 bits of the old commands.
 * Method: sparse disks of many terabytes, served for real; QEMU's and libiscsi's tools read what was written beyond
 * 2 TiB, at the end, and on both sides of the 2^32nd block.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { lockstep, type Served } from '../e2e/lockstep.ts';

const run = promisify(execFile);
const TIB = 2 ** 40;
const LIMIT_MS = 60_000;

const urlOf = ({ ready }: Served, lun = 0): string =>
  `iscsi://${ready.portals[0]}/${ready.targets[0]}/${lun}`;

async function qemuIo(url: string, ...commands: readonly string[]): Promise<string> {
  const words = commands.flatMap((command) => ['-c', command]);
  const { stdout } = await run('qemu-io', ['-f', 'raw', ...words, url], { timeout: LIMIT_MS });
  assert.doesNotMatch(stdout, /failed|error/i, stdout);
  return stdout;
}

/** Writes and reads 64 KiB at places that a truncated address would mix up. */
async function holdsItsEnds(url: string, length: number, blockLength: number): Promise<void> {
  const places = [0, 2 ** 32 * blockLength - 32 * 1024, 2 * TIB + 2 ** 20, length - 64 * 1024].filter(
    (at) => at + 65536 <= length,
  );
  const writes = places.map((at, index) => `write -P ${index + 1} ${at} 64k`);
  const reads = places.map((at, index) => `read -P ${index + 1} ${at} 64k`);
  await qemuIo(url, ...writes, 'flush', ...reads);
}

test('a sparse file of 8 TiB is served whole, and takes the space of what is written', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-big-'));
  try {
    const file = join(directory, 'big.img');
    const words = [
      'export',
      file,
      '--size',
      '8T',
      '--portal',
      '127.0.0.1:0',
      '--state',
      join(directory, 'state'),
    ];
    await using node = await lockstep(words);
    const { stdout } = await run('iscsi-readcapacity16', [urlOf(node)], { timeout: LIMIT_MS });
    assert.match(stdout, new RegExp(`Total size:${8 * TIB}\\b`));
    await holdsItsEnds(urlOf(node), 8 * TIB, 512);
    const { size, blocks } = await stat(file);
    assert.equal(size, 8 * TIB);
    assert.ok(blocks * 512 < 16 * 2 ** 20, `takes ${blocks * 512} bytes of disk`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

for (const sector of ['512', '4096']) {
  test(`a disk of 64 TiB with ${sector}-byte blocks keeps apart what is 2^32 blocks apart`, async () => {
    await using node = await lockstep([
      'export',
      '--ram',
      '64T',
      '--sector',
      sector,
      '--portal',
      '127.0.0.1:0',
    ]);
    await holdsItsEnds(urlOf(node), 64 * TIB, Number(sector));
  });
}
