// Goal: registers keep the promises of their port: in memory, in a folder, and in a real etcd (with and without users).
// Method: the contract; several processes that race; a folder in the states that crashes and servers leave behind.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MemoryVotes } from '../../src/cluster/testing/memory-votes.ts';
import type { VoteStore } from '../../src/ports/vote-store.ts';
import { type EtcdOptions, openEtcdVotes } from '../../src/runtime/etcd-votes.ts';
import { encodeVersion, nameOf } from '../../src/runtime/share-version.ts';
import { openShare } from '../../src/runtime/share-votes.ts';
import { expectFault, expectOk } from './block-device.ts';
import { voteStoreContract } from './vote-store.ts';
import { etcdWords } from '../support/etcd.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-votes-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let registers = 0;
let nodes = 0;

voteStoreContract('memory', () => {
  const votes = new MemoryVotes();
  return Promise.resolve(() => votes.of(1));
});

/** A folder as each of several nodes sees it. */
async function newShare(): Promise<{ path: string; open: () => VoteStore }> {
  const name = `register-${(registers += 1)}`;
  await expectOk(openShare(folder, 'admin').create(name));
  const open = (): VoteStore => openShare(folder, `node-${(nodes += 1)}`).votes(name);
  return { path: join(folder, name), open };
}

voteStoreContract('share', async () => (await newShare()).open);

const bytes = (value: number): Uint8Array => Uint8Array.of(value);

async function write(store: VoteStore, value: number): Promise<void> {
  const found = await expectOk(store.read());
  assert.equal(await expectOk(store.write(bytes(value), found?.version ?? 0)), true);
}

async function valueOf(store: VoteStore): Promise<number | undefined> {
  return (await expectOk(store.read()))?.bytes[0];
}

test('share: processes that race count without a gap', async () => {
  const { path, open } = await newShare();
  const script = new URL('./vote-racer.script.ts', import.meta.url).pathname;
  const [racers, swaps] = [4, 15];
  const processes = Array.from({ length: racers }, (_, at) =>
    spawn(process.execPath, [script, folder, path.slice(folder.length + 1), `racer-${at}`, String(swaps)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    }),
  );
  const codes = await Promise.all(processes.map(async (child) => (await once(child, 'exit'))[0] as number));
  assert.deepEqual(codes, [0, 0, 0, 0]);
  assert.equal(await valueOf(open()), racers * swaps);
  const left = readdirSync(path).filter((name) => name.startsWith('new-') || name.startsWith('look-'));
  assert.deepEqual(left, []);
  assert.equal(readdirSync(path).filter((name) => name.startsWith('fence-')).length, 1);
});

test('share: a node that has it not mounted makes none of its own', async () => {
  const store = openShare(join(folder, 'not-mounted'), 'a').votes('register');
  assert.equal((await expectFault(store.read())).kind, 'unreachable');
  assert.equal((await expectFault(store.write(bytes(1), 0))).kind, 'unreachable');
  assert.equal(existsSync(join(folder, 'not-mounted')), false);
});

test('share: a write that stopped half-way is finished by who finds it, and by nobody before', async () => {
  const { path, open } = await newShare();
  const [a, b] = [open(), open()];
  await write(a, 1);
  assert.equal(await valueOf(b), 1);
  const fence = 'f'.repeat(32);
  mkdirSync(join(path, `fence-${fence}`));
  writeFileSync(join(path, nameOf(2)), encodeVersion(bytes(2), fence));
  // Nobody was answered that it is there.
  assert.equal(await valueOf(b), 1);
  assert.equal(await valueOf(open()), 2);
  assert.equal(await valueOf(b), 2);
  assert.equal(await valueOf(a), 2);
});

test('share: what readers that have died left behind keeps nobody', async () => {
  const { path, open } = await newShare();
  const [a, b] = [open(), open()];
  await write(a, 1);
  const fence = readdirSync(path).find((name) => name.startsWith('fence-'))!;
  for (const node of ['someone', `node-${nodes}`]) mkdirSync(join(path, fence, node));
  mkdirSync(join(path, `look-node-${nodes}`));
  writeFileSync(join(path, 'new-of-another'), 'half');
  assert.equal(await valueOf(b), 1);
  mkdirSync(join(path, fence, 'someone else'));
  await write(a, 2);
  assert.equal(await valueOf(b), 2);
});

test('share: a fence that is lost is made anew', async () => {
  const { path, open } = await newShare();
  const [a, b] = [open(), open()];
  await write(a, 7);
  for (const name of readdirSync(path)) if (name.startsWith('fence-')) rmdirSync(join(path, name));
  assert.equal(await valueOf(b), 7);
  assert.equal(await valueOf(a), 7);
  await write(b, 8);
  assert.equal(await valueOf(a), 8);
});

test('share: old versions go when they have been replaced for long, and their names win nothing', async () => {
  const { path, open } = await newShare();
  const [a, late] = [open(), open()];
  await write(a, 1);
  const seen = (await expectOk(late.read()))!;
  for (let value = 2; value <= 30; value++) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await write(a, value);
  }
  const versions = (): string[] => readdirSync(path).filter((name) => name.startsWith('vote-'));
  assert.equal(versions().length, 30, 'none is old');
  for (let number = 1; number <= 10; number++) utimesSync(join(path, nameOf(number)), 0, 0);
  await write(a, 31);
  assert.equal(versions().length, 31 - 9, 'the tenth is old, but what replaced it is not');
  assert.equal(await expectOk(late.write(bytes(99), seen.version)), false);
  assert.equal(await valueOf(late), 31);
  assert.equal(await valueOf(a), 31);
});

test('share: a damaged version, or one of a later program, is no answer', async () => {
  for (const damage of [Buffer.from('short'), Buffer.alloc(40)]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { path, open } = await newShare();
    // oxlint-disable-next-line no-await-in-loop -- as above
    await write(open(), 1);
    writeFileSync(join(path, nameOf(2)), damage);
    // oxlint-disable-next-line no-await-in-loop -- as above
    assert.equal((await expectFault(open().read())).kind, 'unreachable');
  }
});

test('share: one that hangs holds one thread, and who asks is told', async () => {
  const { path } = await newShare();
  const share = openShare(folder, 'patient');
  const store = share.votes(path.slice(folder.length + 1));
  // Opening a pipe that nobody writes to waits in the kernel, as a dead server does.
  execFileSync('mkfifo', [join(path, nameOf(1))]);
  const hung = store.read();
  await sleep(1600);
  const { cause } = (await expectFault(share.votes('another').read())) as { cause: string };
  assert.match(cause, /has not answered for 2 s/);
  // The pipe ends, and what it held is no version.
  closeSync(openSync(join(path, nameOf(1)), 'w'));
  assert.equal((await expectFault(hung)).kind, 'unreachable');
  rmSync(join(path, nameOf(1)));
  assert.equal(await expectOk(store.read()), undefined);
});

// ── etcd ──

interface RunningEtcd {
  readonly url: string;
  readonly process: ChildProcess;
  readonly tls: { readonly ca: string } | undefined;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function isInstalled(): boolean {
  try {
    execFileSync('etcd', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** On loopback, with its data in a folder of its own. */
async function startEtcd(...more: string[]): Promise<RunningEtcd> {
  const scheme = more.includes('--auto-tls') ? 'https' : 'http';
  const url = `${scheme}://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  const data = mkdtempSync(join(folder, 'etcd-'));
  const child = spawn('etcd', [...etcdWords(data, url, peer), ...more], { stdio: 'ignore' });
  after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const isUp = async (): Promise<boolean> => {
    const tls = caOf(data);
    const options = { endpoints: [url], ...(tls === undefined ? {} : { tls }) };
    return (await openEtcdVotes(options, 'probe').read()).ok;
  };
  for (let tries = 0; tries < 100; tries++) {
    // oxlint-disable-next-line no-await-in-loop -- until it answers
    if (await isUp()) return { url, process: child, tls: caOf(data) };
    // oxlint-disable-next-line no-await-in-loop -- as above
    await sleep(100);
  }
  return assert.fail('etcd does not come up');
}

/** Of a server that has made its own certificate. */
function caOf(data: string): { readonly ca: string } | undefined {
  const path = join(data, 'fixtures', 'client', 'cert.pem');
  return existsSync(path) ? { ca: readFileSync(path, 'utf8') } : undefined;
}

if (isInstalled()) {
  const etcd = await startEtcd();
  etcdTests(etcd.url, etcd.process);
} else {
  test('etcd', (t) => t.skip('etcd is not installed (Debian: etcd-server)'));
}

function etcdTests(url: string, server: ChildProcess): void {
  let keys = 0;
  const open = (options: Partial<EtcdOptions>, key: string): VoteStore =>
    openEtcdVotes({ endpoints: [url], ...options }, key);

  voteStoreContract('etcd', () => {
    const key = `lockstep/test/${(keys += 1)}`;
    return Promise.resolve(() => open({}, key));
  });

  test('etcd: an endpoint that does not answer is followed by the next one', async () => {
    const dead = `http://127.0.0.1:${await freePort()}`;
    const store = open({ endpoints: [dead, url] }, 'next');
    assert.equal((await expectFault(store.read())).kind, 'unreachable');
    await write(store, 1);
    assert.equal(await valueOf(store), 1);
  });

  test('etcd: one that takes its time is a fault in time', async (t) => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    t.after(() => {
      silent.closeAllConnections();
      silent.close();
    });
    const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const store = open({ endpoints: [endpoint], timeoutMs: 100 }, 'silent');
    assert.equal((await expectFault(store.write(bytes(1), 0))).kind, 'unreachable');
  });

  test('etcd: over TLS, with the authority that it is told to trust', async () => {
    const secure = await startEtcd('--auto-tls');
    assert.ok(secure.tls !== undefined);
    const store = openEtcdVotes({ endpoints: [secure.url], tls: secure.tls }, 'secure');
    await write(store, 1);
    assert.equal(await valueOf(store), 1);
    const distrustful = openEtcdVotes({ endpoints: [secure.url] }, 'secure');
    assert.equal((await expectFault(distrustful.read())).kind, 'unreachable');
  });

  test('etcd: with users, who is none is refused; and when it stops, it is not reached', async () => {
    const user = { name: 'root', password: 'secret' };
    await post(url, '/v3/auth/user/add', user);
    await post(url, '/v3/auth/role/add', { name: 'root' });
    await post(url, '/v3/auth/user/grant', { user: 'root', role: 'root' });
    await post(url, '/v3/auth/enable', {});
    assert.equal((await expectFault(open({}, 'guarded').read())).kind, 'unsuitable');
    const wrong = open({ user: { ...user, password: 'guess' } }, 'guarded');
    assert.equal((await expectFault(wrong.read())).kind, 'unsuitable');
    const store = open({ user }, 'guarded');
    await write(store, 1);
    assert.equal(await valueOf(store), 1);
    server.kill('SIGKILL');
    await once(server, 'exit');
    assert.equal((await expectFault(store.read())).kind, 'unreachable');
  });
}

async function post(url: string, path: string, body: object): Promise<void> {
  const response = await fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) });
  assert.equal(response.status, 200, await response.text());
}
