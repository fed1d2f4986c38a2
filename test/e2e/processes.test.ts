/**
 * Goal: connections reach the engine of their target, an initiator outlives a killed engine, and a stop under load is
 * in order and loses nothing. Method: the real program with libiscsi's tools and qemu-io.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { lockstep } from './lockstep.ts';

const run = promisify(execFile);
const LIMIT = { timeout: 20_000 };
const SECRET = 'a-long-enough-secret';

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-processes-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function qemuIo(url: string, ...commands: readonly string[]): Promise<void> {
  await run('qemu-io', ['-f', 'raw', ...commands.flatMap((command) => ['-c', command]), url], LIMIT);
}

test('two engines look like one node: discovery lists both targets, each is reached by every portal', async (t) => {
  const folder = folderFor(t);
  const targets = ['one', 'two'].map(
    (name) => `
[[device]]
name = "${name}"
kind = "ram"
size = "${name === 'one' ? 16 : 32}M"
[[target]]
alias = "${name}"
luns = [{ device = "${name}" }]
${name === 'one' ? 'allow = ["*"]' : `chap.users = [{ user = "user", secret = "${SECRET}" }]`}
`,
  );
  const portals = ['127.0.0.1', '127.0.0.2'].map((host) => `[[portal]]\naddress = "${host}:0"\n`);
  const file = join(folder, 'node.toml');
  writeFileSync(
    file,
    `[node]\nname = "a"\nengines = 2\nstate_directory = "state"\n${portals.join('')}${targets.join('')}`,
  );
  await using node = await lockstep(['serve', '--config', file]);
  const [one, two] = node.ready.targets;
  for (const portal of node.ready.portals) {
    const { stdout } = await run('iscsi-ls', [`iscsi://${portal}`], LIMIT);
    for (const name of [one, two]) {
      for (const listed of node.ready.portals)
        assert.ok(stdout.includes(`Target:${name} Portal:${listed},1`));
    }
    const first = await run('iscsi-readcapacity16', [`iscsi://${portal}/${one}/0`], LIMIT);
    assert.match(first.stdout, /Total size:16777216/);
    const second = await run('iscsi-readcapacity16', [`iscsi://user%${SECRET}@${portal}/${two}/0`], LIMIT);
    assert.match(second.stdout, /Total size:33554432/);
    await assert.rejects(run('iscsi-readcapacity16', [`iscsi://${portal}/${two}/0`], LIMIT));
  }
  assert.equal(await node.stop(), 0);
});

test('a stop under load is in order, and what was flushed is in the file', async (t) => {
  const folder = folderFor(t);
  const file = join(folder, 'disk.img');
  const words = ['export', file, '--size', '64M', '--write-cache', 'back', '--portal', '127.0.0.1:0'];
  await using node = await lockstep([...words, '--state', join(folder, 'state')]);
  const url = `iscsi://${node.ready.portals[0]}/${node.ready.targets[0]}/0`;
  await qemuIo(url, 'write -P 0x5a 0 1M', 'flush');
  const load = spawn('iscsi-perf', ['-r', '-b', '8', '-m', '32', '-t', '30', url], { stdio: 'ignore' });
  const over = once(load, 'exit');
  await delay(1000);
  assert.equal(load.exitCode, null, 'the load runs');
  const begun = performance.now();
  assert.equal(await node.stop(), 0);
  assert.ok(performance.now() - begun < 10_000);
  load.kill('SIGKILL');
  await over;
  assert.ok(
    readFileSync(file)
      .subarray(0, 2 ** 20)
      .every((byte) => byte === 0x5a),
  );
});

test('an initiator goes on after its engine was killed, and finds what it had written', async (t) => {
  const folder = folderFor(t);
  const words = ['export', join(folder, 'disk.img'), '--size', '64M', '--portal', '127.0.0.1:0'];
  await using node = await lockstep([...words, '--state', join(folder, 'state')]);
  const url = `iscsi://${node.ready.portals[0]}/${node.ready.targets[0]}/0`;
  const initiator = spawn('qemu-io', ['-f', 'raw', url], { stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  initiator.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const says = async (pattern: RegExp): Promise<void> => {
    for (let at = 0; !pattern.test(said); at += 1) {
      assert.ok(at < 300, `not within 15 s: ${pattern}; it said: ${said}`);
      await delay(50);
    }
  };
  initiator.stdin.write('write -P 0x77 0 64k\n');
  await says(/wrote 65536/);
  process.kill(node.ready.pids[2]!, 'SIGKILL');
  initiator.stdin.write('read -P 0x77 0 64k\n');
  await says(/read 65536|failed/i);
  assert.doesNotMatch(said, /failed/i);
  initiator.stdin.end('quit\n');
  await once(initiator, 'exit');
  assert.equal(await node.stop(), 0);
});
