/**
 * Goal: `lockstep` does what its help says: what it prints, what it ends with, and that its processes come back and
 * stop in order. Method: the real program, on loopback with free ports.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test, type TestContext } from 'node:test';

const program = path.resolve(import.meta.dirname, '../../../bin/lockstep');
const PORTAL = ['--portal', '127.0.0.1:0'];
let directory = '';

before(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'lockstep-'));
});
after(() => rmSync(directory, { recursive: true }));

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

function ended(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { cwd: directory, timeout: 20_000 }, (_error, out, err) =>
      resolve({ status: child.exitCode, out, err }),
    );
  });
}

interface Running {
  readonly child: ChildProcess;
  readonly ready: { portals: string[]; targets: string[]; pids: number[] };
  /** What standard error said so far. */
  err(): string;
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

async function running(t: TestContext, ...args: readonly string[]): Promise<Running> {
  const child = spawn(program, [...args, '--json'], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const exit = once(child, 'exit');
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exit;
  });
  const first = createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  const line = await Promise.race([first, exit.then(() => undefined)]);
  assert.ok(line?.done === false, `it did not start: ${err}`);
  return {
    child,
    ready: JSON.parse(line.value) as Running['ready'],
    err: () => err,
    stop: async (signal) => {
      child.kill(signal);
      const [status] = (await exit) as [number | null];
      return status;
    },
  };
}

function connectTo(portal: string): Promise<net.Socket> {
  const port = Number(portal.replace(/.*:/, ''));
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(socket));
    socket.on('error', reject);
  });
}

/** A discovery login in one step; answers the opcode and status of the response. */
async function discoveryLogin(
  portal: string,
): Promise<{ opcode: number; status: number; socket: net.Socket }> {
  const text = Buffer.from('InitiatorName=iqn.2026-11.com.example:test\0SessionType=Discovery\0');
  const pdu = Buffer.alloc(48 + ((text.length + 3) & ~3));
  pdu[0] = 0x43;
  pdu[1] = 0x87;
  pdu.writeUIntBE(text.length, 5, 3);
  pdu.writeUInt32BE(0x80001234, 8);
  text.copy(pdu, 48);
  const socket = await connectTo(portal);
  socket.write(pdu);
  const answer = await new Promise<Buffer>((resolve, reject) => {
    socket.once('data', resolve);
    socket.once('close', () => reject(new Error('closed without an answer')));
    socket.on('error', reject);
  });
  return { opcode: answer[0]! & 0x3f, status: answer.readUInt16BE(36), socket };
}

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let at = 0; at < 100; at += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`not within 5 s: ${what}`);
}

const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

const refusals: readonly (readonly [title: string, args: readonly string[], status: number, err: RegExp])[] =
  [
    ['nothing to export', ['export'], 2, /name at least one FILE, or --ram SIZE/],
    ['a missing file without a size', ['export', 'none.img'], 2, /There is no file none.img: .* --size SIZE/],
    [
      'a missing directory',
      ['export', 'no/none.img', '--size', '1M'],
      2,
      /no directory .*no to create none.img/,
    ],
    ['a directory', ['export', '.'], 2, /is a directory/],
    ['a bad size', ['export', '--ram', '1Q'], 2, /'1Q' is invalid. write a number and K, M/],
    ['a size of no whole sectors', ['export', '--ram', '5000', ...PORTAL], 2, /no multiple of the sector/],
    ['two kinds of settings', ['device', 'set', 'x', 'cache=2M', 'aside=none'], 2, /one after the other/],
    ['no size of a cache', ['device', 'set', 'x', 'cache=2K'], 2, /the smallest cache has 1M/],
    ['no setting', ['device', 'set', 'disk1', 'colour=red'], 2, /write priority=NODE,…, write-policy=/],
    ['no share', ['device', 'set', 'disk1', 'full-resync-above=0'], 2, /full-resync-above=1 to 100/],
    [
      'a cache without power',
      ['device', 'set', 'disk1', 'write-policy=back'],
      2,
      /confirm that by --power-protected/,
    ],
    ['a bad sector', ['export', '--ram', '1M', '--sector', '520'], 2, /write 512 or 4096/],
    ['a bad portal', ['export', '--ram', '1M', '--portal', 'here'], 2, /"here" is no address to listen on/],
    [
      'an address of another machine',
      ['export', '--ram', '1M', '--portal', '192.0.2.1:3260'],
      1,
      /no such address/,
    ],
    ['a bad name', ['export', '--ram', '1M', '--name', 'disk'], 2, /--name "disk" cannot be used/],
    ['a short secret', ['export', '--ram', '1M', '--chap', 'u:short'], 2, /5 bytes, fewer than 12/],
    ['a tiny cache', ['export', 'x', '--size', '1M', '--cache', '1K'], 2, /the smallest cache has 1M/],
    [
      'an unsafe cache',
      ['export', 'x', '--size', '1M', '--cache', '1M', '--write-cache', 'back'],
      2,
      /confirm that by --power-protected/,
    ],
    [
      'a cache larger than the machine',
      ['export', 'x', '--size', '1M', '--cache', '1000T'],
      2,
      /--cache 1000 TiB is too much: caches take 1000 TiB, and at most .* 80 % of this machine's memory/,
    ],
    ['an unknown cache', ['demo', '--cache', 'on'], 2, /write wb:SIZE for write-back, wt:SIZE/],
    ['no secret', ['export', '--ram', '1M', '--chap', 'user'], 2, /needs USER:SECRET/],
    ['thick and thin', ['export', 'x', '--thick', '--thin'], 2, /cannot be used with/],
    ['an unknown command', ['frob'], 2, /unknown command 'frob'/],
    ['an unknown option', ['export', '--frob'], 2, /unknown option '--frob'/],
    ['serve without a configuration', ['serve'], 2, /'--config <file>' not specified/],
    [
      'a missing configuration',
      ['config', 'check', 'none.toml'],
      2,
      /none.toml: cannot be read: there is no such file/,
    ],
    ['status without a node', ['status', '--state', '.'], 1, /no node runs with this state directory/],
  ];

for (const [title, args, status, err] of refusals) {
  test(`${title}: one sentence, exit status ${status}`, async () => {
    const end = await ended(...args);
    assert.match(end.err, err);
    assert.equal(end.status, status);
    assert.equal(end.out, '');
  });
}

test('a reader that has seen enough is no error', () => {
  const { stderr, status } = spawnSync('sh', ['-c', `"${program}" export --help | true`], {
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  assert.equal(status, 0);
});

test('help and version are there for every command', async () => {
  const commands = [
    '',
    'export',
    'serve',
    'demo',
    'status',
    'config',
    'config check',
    'mirror',
    'mirror create',
  ];
  for (const command of commands) {
    const args = command.split(' ').filter((word) => word !== '');
    const { status, out } = await ended(...args, '--help');
    assert.equal(status, 0);
    assert.match(out, /Usage: lockstep/);
  }
  assert.match((await ended('--version')).out, /^lockstep \d+\.\d+\.\d+\n$/);
});

test('it works through a link, from anywhere, without a node in PATH', async () => {
  symlinkSync(program, path.join(directory, 'link'));
  const { stdout } = await new Promise<{ stdout: string }>((resolve, reject) => {
    const env = { PATH: '/usr/bin:/bin' };
    execFile('./link', ['--version'], { cwd: directory, env }, (error, out) => {
      if (error === null) resolve({ stdout: out });
      else reject(error);
    });
  });
  assert.match(stdout, /^lockstep /);
});

test('export prints one line of JSON, accepts logins, and stops with exit status 0', async (t) => {
  const node = await running(
    t,
    'export',
    '--ram',
    '8M',
    ...PORTAL,
    ...PORTAL.with(1, '127.0.0.2:0'),
    '--engines',
    '2',
  );
  const { portals, targets, pids } = node.ready;
  assert.match(portals.join(' '), /^127\.0\.0\.1:\d+ 127\.0\.0\.2:\d+$/);
  assert.match(targets.join(' '), /^iqn\.2026-11\.io\.lockstep:[a-z0-9.-]+-ram$/);
  assert.equal(pids.length, 4, 'supervisor, control, two engines');
  assert.equal(pids[0], node.child.pid);
  const { opcode, status } = await discoveryLogin(portals[0]!);
  assert.deepEqual({ opcode, status }, { opcode: 0x23, status: 0 });
  assert.equal(await node.stop('SIGTERM'), 0);
  assert.ok(!pids.some(alive), 'no process is left');
});

test('a missing file is made of the size asked for, sparse, and is locked while it is served', async (t) => {
  const file = path.join(directory, 'made.img');
  const node = await running(t, 'export', 'made.img', '--size', '64M', ...PORTAL);
  const stats = statSync(file);
  assert.equal(stats.size, 64 * 2 ** 20);
  assert.ok(stats.blocks * 512 < 2 ** 20, 'sparse');
  const second = await ended('export', 'made.img', ...PORTAL);
  assert.equal(second.status, 3);
  assert.match(second.err, /made\.img is in use by another program/);
  assert.equal(await node.stop('SIGINT'), 0);
  const other = await ended('export', 'made.img', '--size', '65M', ...PORTAL);
  assert.equal(other.status, 2);
  assert.match(other.err, /is there already and has 67108864 bytes, less than 68157440/);
  // It may have been extended since it was made.
  const again = await running(t, 'export', 'made.img', '--size', '63M', ...PORTAL);
  assert.equal(await again.stop('SIGINT'), 0);
});

test('a file that is no whole number of sectors is refused', async () => {
  const file = path.join(directory, 'odd.img');
  writeFileSync(file, '');
  truncateSync(file, 1000);
  const end = await ended('export', file, ...PORTAL);
  assert.equal(end.status, 2);
  assert.match(end.err, /odd\.img has 1000 bytes, 488 more than whole blocks of 512/);
});

test('a port in use is exit status 3', async (t) => {
  const node = await running(t, 'export', '--ram', '1M', ...PORTAL);
  const end = await ended('export', '--ram', '1M', '--portal', node.ready.portals[0]!);
  assert.equal(end.status, 3);
  assert.match(end.err, /another program uses this port/);
});

test('a killed engine and a killed control come back, and logins work again', async (t) => {
  const node = await running(t, 'export', '--ram', '1M', ...PORTAL, '--log-level', 'info');
  const [, control, engine] = node.ready.pids;
  process.kill(control!, 'SIGKILL');
  process.kill(engine!, 'SIGKILL');
  await until('both are replaced', () => (node.err().match(/"incarnation":1/g) ?? []).length === 2);
  await until('logins work', async () => {
    try {
      const { status } = await discoveryLogin(node.ready.portals[0]!);
      return status === 0;
    } catch {
      return false; // dropped while the engine is away
    }
  });
  assert.match(node.err(), /engine\.died/);
  assert.equal(await node.stop('SIGTERM'), 0);
});

test('when the supervisor is killed its children end by themselves', async (t) => {
  const node = await running(t, 'export', '--ram', '1M', ...PORTAL);
  node.child.kill('SIGKILL');
  await until('all are gone', () => !node.ready.pids.some(alive));
});

test('on a stop the portal vanishes while sessions still end', async (t) => {
  const node = await running(t, 'export', '--ram', '1M', ...PORTAL, '--log-level', 'info');
  const portal = node.ready.portals[0]!;
  const { socket } = await discoveryLogin(portal); // it will not log out
  const gone = new Promise((resolve) => socket.once('close', resolve));
  node.child.kill('SIGTERM');
  await until('nobody listens', async () => {
    try {
      (await connectTo(portal)).destroy();
      return false;
    } catch {
      return true;
    }
  });
  assert.ok(alive(node.ready.pids[2]!), 'the engine still drains');
  await gone;
  assert.equal(await node.stop('SIGCONT'), 0);
});

test('signals that come twice at once are one wish', async (t) => {
  const node = await running(t, 'export', '--ram', '1M', ...PORTAL);
  await discoveryLogin(node.ready.portals[0]!);
  node.child.kill('SIGTERM');
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(await node.stop('SIGINT'), 0);
});

test('a second signal later kills what still runs', async (t) => {
  const node = await running(t, 'export', '--ram', '1M', ...PORTAL);
  process.kill(node.ready.pids[2]!, 'SIGSTOP'); // it cannot drain
  node.child.kill('SIGTERM');
  await new Promise((resolve) => setTimeout(resolve, 1200));
  assert.equal(await node.stop('SIGTERM'), 1);
  assert.match(node.err(), /killed by a second signal/);
  await until('all are gone', () => !node.ready.pids.some(alive));
});

test('a thousand half-open connections do not keep a login out', async (t) => {
  const node = await running(t, 'export', '--ram', '1M', ...PORTAL);
  const portal = node.ready.portals[0]!;
  const idle = await Promise.all(Array.from({ length: 1000 }, () => connectTo(portal)));
  for (const socket of idle) {
    socket.on('error', () => undefined);
    socket.write(Buffer.of(0x43));
  }
  assert.equal((await discoveryLogin(portal)).status, 0);
  for (const socket of idle) socket.destroy();
  assert.equal(await node.stop('SIGTERM'), 0);
});

test('serve does what its configuration says, config check finds it good, status shows it', async (t) => {
  const file = path.join(directory, 'node.toml');
  const text = `
[node]
name = "alpha"
state_directory = "state"
engines = 2
[[portal]]
address = "127.0.0.1:0"
[[device]]
name = "one"
kind = "file"
path = "one.img"
size = "16M"
[[device]]
name = "two"
kind = "ram"
size = "16M"
[[target]]
alias = "first"
luns = [{ device = "one" }]
allow = ["*"]
[[target]]
alias = "second"
luns = [{ device = "two", lun = 7 }]
chap.users = [{ user = "user", secret = "a-long-enough-secret" }]
`;
  writeFileSync(file, text);
  const check = await ended('config', 'check', file);
  assert.deepEqual(check, { status: 0, out: `${file}: good; 2 targets, 2 devices\n`, err: '' });
  const node = await running(t, 'serve', '--config', file);
  assert.deepEqual(node.ready.targets, [
    'iqn.2026-11.io.lockstep:alpha-first',
    'iqn.2026-11.io.lockstep:alpha-second',
  ]);
  assert.equal(statSync(path.join(directory, 'state/control.sock')).mode & 0o777, 0o600);
  await until('both engines have told', async () => {
    const { status, out } = await ended('status', '--state', 'state', '--json');
    assert.equal(status, 0);
    const { engines } = JSON.parse(out) as { engines: { devices: { name: string }[] }[] };
    return (
      engines
        .flatMap((engine) => engine.devices.map((device) => device.name))
        .sort()
        .join() === 'one,two'
    );
  });
  const shown = await ended('status', '--state', 'state');
  assert.match(shown.out, /LUN 7 {3}two/);
  assert.equal(await node.stop('SIGTERM'), 0);
  assert.doesNotMatch(node.err(), /a-long-enough-secret/);
  chmodSync(file, 0o600);
  writeFileSync(file, text.replace('"ram"', '"rom"'));
  const bad = await ended('serve', '--config', file);
  assert.equal(bad.status, 2);
  assert.match(
    bad.err,
    /node\.toml: \[\[device\]\] 2 "two": kind = "rom": write kind = "mirror", kind = "file" or kind = "ram"/,
  );
});

test('device commands look at a device, and make it larger while it is served', async (t) => {
  const state = path.join(directory, 'devices');
  const node = await running(
    t,
    'export',
    'grows.img',
    '--size',
    '1M',
    '--state',
    state,
    '--engines',
    '2',
    ...PORTAL,
  );
  const device = (...args: readonly string[]): Promise<Ended> => ended('device', ...args, '--state', state);
  await until('the engine has told', async () => (await device('list')).out.includes('grows'));
  const { name, bytes } = (
    JSON.parse((await device('list', '--json')).out) as { name: string; bytes: number }[]
  )[0]!;
  assert.equal(bytes, 2 ** 20);
  assert.match((await device('show', name)).out, /^Size +1 MiB \(1048576 bytes\) in blocks of 512$/m);

  const grown = await device('extend', name, '--size', '2M');
  assert.deepEqual(grown, { status: 0, out: `Device ${name} has 2 MiB (2097152 bytes) now.\n`, err: '' });
  assert.equal(statSync(path.join(directory, 'grows.img')).size, 2 ** 21);
  const shown = await device('show', name, '--json');
  assert.equal((JSON.parse(shown.out) as { bytes: number }).bytes, 2 ** 21);

  for (const [args, status, err] of [
    [
      ['extend', name, '--size', '1M'],
      1,
      /was not extended to 1048576 bytes: a device never becomes smaller\./,
    ],
    [['extend', name, '--size', '2097153'], 1, /it is no multiple of its sector length 512\./],
    [['extend', name, '--size', 'much'], 2, /write a number and K, M/],
    [['extend', name], 2, /required option '--size <size>'/],
    [['show', 'none'], 1, /There is no device none at a target of this node/],
  ] as const) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const refused = await device(...args);
    assert.deepEqual([refused.status, refused.out], [status, ''], args.join(' '));
    assert.match(refused.err, err);
  }
  assert.equal(statSync(path.join(directory, 'grows.img')).size, 2 ** 21);
  const kept = await ended('node', 'stop', '--state', state);
  assert.deepEqual([kept.status, kept.out], [1, '']);
  assert.match(kept.err, new RegExp(`Device ${name} is on this node alone\\.\n.*say --force`));
  assert.ok(alive(node.child.pid!));
  const stopped = await ended('node', 'stop', '--force', '--state', state);
  assert.match(stopped.out, /^Node \S+ has stopped\.\n$/);
  assert.deepEqual([stopped.status, node.child.exitCode], [0, 0]);
  const gone = await device('list');
  assert.deepEqual([gone.status, gone.out], [1, '']);
  assert.match(gone.err, /no node runs with this state directory; name the node's own with --state/);
});

test('cluster init makes an authority, cluster certificate a node of it', async () => {
  const made = await ended('cluster', 'init', 'site1', '--name', 'site1');
  assert.deepEqual([made.status, made.err], [0, '']);
  assert.match(made.out, /^site1\/ca\.key\nsite1\/ca\.crt\nvalid until \d{4}-\d\d-\d\d\n$/);
  const node = await ended('cluster', 'certificate', 'site1', '--node', 'node-a');
  assert.deepEqual([node.status, node.err], [0, '']);
  assert.match(node.out, /^site1\/node-a\/node\.key\nsite1\/node-a\/node\.crt\nsite1\/node-a\/ca\.crt\n/);
  assert.equal(statSync(path.join(directory, 'site1/node-a/node.key')).mode & 0o777, 0o600);
  const again = await ended('cluster', 'init', 'site1', '--name', 'site1');
  assert.deepEqual([again.status, again.out], [2, '']);
  assert.match(again.err, /^lockstep: site1\/ca\.key exists already: /);
  const elsewhere = await ended('cluster', 'certificate', 'nowhere', '--node', 'node-a');
  assert.equal(elsewhere.status, 2);
  assert.match(elsewhere.err, /no authority in nowhere/);
});
