/** The node under attack, the initiator that must notice nothing, and what is measured of both. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { lockstep } from '../../e2e/lockstep.ts';

const run = promisify(execFile);
export const SECRET = 'a-long-enough-secret';
/** Of the session in `test/golden/iscsi/qemu-write-read.initiator`. */
const RECORDED_TARGET = 'iqn.2026-01.test:t';
const OPERATION_LIMIT_MS = 5000;
const SETTLE_LIMIT_MS = 10_000;
const WARM_UP_LIMIT_MS = 60_000;
/** An initiator that is told to end has this long for it. */
const QUIT_LIMIT_MS = 5000;
/**
 * What hostile peers may make the engine larger by, beyond the data of their commands: receive buffers of a thousand
 * connections (16 KiB each), the pools of idle buffers (64 MiB at most each), and garbage that is not collected yet.
 */
const GROWTH_BYTES_MAX = 256 * 2 ** 20;

export interface HostileBench extends AsyncDisposable {
  readonly port: number;
  readonly open: string;
  readonly locked: string;
  /** Runs `attack` beside the working initiator; then everything must be as before. */
  undisturbed(attack: () => Promise<void>, dataBytesMax?: number): Promise<void>;
  /** A fresh login works at once. */
  freshLogin(target?: string, credentials?: string): Promise<void>;
}

export async function openHostileBench(): Promise<HostileBench> {
  await using opened = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-hostile-'));
  opened.defer(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'node.toml');
  writeFileSync(file, config(join(folder, 'disk.img')));
  const served = await lockstep(['serve', '--config', file]);
  opened.defer(async () => assert.equal(await served.stop(), 0, 'the node stops in order'));
  const port = Number(served.ready.portals[0]!.split(':')[1]);
  const [open = '', locked = ''] = served.ready.targets;
  const urlOf = (target: string, credentials = ''): string =>
    `iscsi://${credentials}127.0.0.1:${port}/${target}/0`;

  const freshLogin = async (target = open, credentials = ''): Promise<void> => {
    await run('iscsi-readcapacity16', [urlOf(target, credentials)], { timeout: OPERATION_LIMIT_MS });
  };

  const undisturbed = async (attack: () => Promise<void>, dataBytesMax = 0): Promise<void> => {
    await freshLogin();
    const before = served.ready.pids.map(stateOf);
    const initiator = startInitiator(urlOf(open));
    let largest = 0;
    const watch = setInterval(() => {
      largest = Math.max(largest, stateOf(served.ready.pids[2]!).memory - before[2]!.memory);
    }, 100);
    let worked: Worked;
    try {
      await attack();
      await freshLogin();
    } finally {
      clearInterval(watch);
      worked = await initiator.stop();
    }
    const { worstMs } = worked;
    assert.ok(worstMs < OPERATION_LIMIT_MS, `an operation of the working initiator took ${worstMs} ms`);
    const limit = GROWTH_BYTES_MAX + dataBytesMax;
    assert.ok(largest < limit, `the engine grew by ${Math.round(largest / 2 ** 20)} MiB`);
    await settled(served.ready.pids, before);
  };

  // Whatever a process opens once and keeps is open from here on.
  await run('qemu-io', ['-f', 'raw', '-c', 'write -P 1 0 64M', urlOf(open)], { timeout: WARM_UP_LIMIT_MS });
  const all = opened.move();
  return {
    port,
    open,
    locked,
    undisturbed,
    freshLogin,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

function config(image: string): string {
  const disk = (name: string, medium: string, access: string): string => `
[[device]]
name = "${name}"
${medium}
[[target]]
name = "${name === 'recorded' ? RECORDED_TARGET : `iqn.2026-01.test.hostile:${name}`}"
luns = [{ device = "${name}" }]
${access}
`;
  return [
    '[node]\nname = "hostile"\nstate_directory = "state"\n[[portal]]\naddress = "127.0.0.1:0"\n',
    disk('open', `kind = "file"\npath = "${image}"\nsize = "128M"`, 'allow = ["*"]'),
    disk('locked', 'kind = "ram"\nsize = "16M"', `chap.users = [{ user = "user", secret = "${SECRET}" }]`),
    disk('recorded', 'kind = "ram"\nsize = "64M"', 'allow = ["*"]'),
  ].join('');
}

interface ProcessState {
  readonly descriptors: number;
  /** Resident, in bytes. */
  readonly memory: number;
}

/** Fails when the process is gone. */
function stateOf(pid: number): ProcessState {
  const resident = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    memory: Number(resident?.[1]) * 1024,
  };
}

async function settled(pids: readonly number[], before: readonly ProcessState[]): Promise<void> {
  const until = performance.now() + SETTLE_LIMIT_MS;
  for (;;) {
    const now = pids.map(stateOf);
    if (now.every(({ descriptors }, at) => descriptors <= before[at]!.descriptors)) return;
    const counts = now.map(({ descriptors }, at) => `${before[at]!.descriptors} → ${descriptors}`);
    assert.ok(performance.now() < until, `descriptors that stay open: ${counts.join(', ')}`);
    // oxlint-disable-next-line no-await-in-loop -- waiting is the purpose
    await delay(50);
  }
}

interface Worked {
  readonly worstMs: number;
}

interface WorkingInitiator {
  /** Fails if one of its operations has. Its process has ended either way. */
  stop(): Promise<Worked>;
}

const OPERATIONS_MIN = 4;
/** What QEMU says when something goes wrong, or when it had to try again. */
const COMPLAINTS = /fail|error|verification|busy|retry/i;

/** One session of QEMU's that writes and reads back without end, small and large. */
function startInitiator(url: string): WorkingInitiator {
  const qemu = spawn('qemu-io', ['-f', 'raw', url], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  let wake: () => void = () => undefined;
  for (const stream of [qemu.stdout, qemu.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      wake();
    });
  }
  const exited = once(qemu, 'exit').then(() => wake());
  qemu.stdin.on('error', () => undefined); // 'exit' tells
  let stopping = false;

  async function work(): Promise<Worked> {
    let worstMs = 0;
    for (let operations = 0; ; operations++) {
      if (stopping && operations >= OPERATIONS_MIN) return { worstMs };
      const pattern = 1 + (Math.floor(operations / 2) % 250);
      const length = operations % 4 < 2 ? '4k' : '1M';
      const isWrite = operations % 2 === 0;
      const begun = performance.now();
      said = '';
      qemu.stdin.write(`${isWrite ? 'write' : 'read'} -P ${pattern} 100M ${length}\n`);
      while (!/(wrote|read) \d+\/\d+ bytes[^]*ops\/sec/.test(said)) {
        assert.equal(qemu.exitCode, null, `the working initiator ended: ${said}`);
        assert.doesNotMatch(said, COMPLAINTS);
        assert.ok(performance.now() - begun < 4 * OPERATION_LIMIT_MS, `the working initiator waits: ${said}`);
        // oxlint-disable-next-line no-await-in-loop -- one operation at a time
        await new Promise<void>((resolve) => {
          wake = resolve;
          setTimeout(resolve, 1000);
        });
      }
      assert.doesNotMatch(said, COMPLAINTS);
      worstMs = Math.max(worstMs, performance.now() - begun);
      // oxlint-disable-next-line no-await-in-loop -- leaves the processor to others
      await delay(20);
    }
  }

  const worked = work();
  worked.catch(() => undefined); // told by `stop`
  return {
    async stop() {
      stopping = true;
      try {
        return await worked;
      } finally {
        qemu.stdin.end('quit\n');
        // One that waits for a command of its session hears nothing.
        const force = setTimeout(() => qemu.kill('SIGKILL'), QUIT_LIMIT_MS);
        await exited;
        clearTimeout(force);
      }
    },
  };
}
