/**
 * Goal: a mirror begins with what an administrator says: the file of one node, or files that are equal already. Method: nodes as real
 * processes on loopback addresses, over files made before; in the end the images are compared.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { NodeProcess } from '../../src/management/demo/node-process.ts';
import { type DemoNode, prepareDemo } from '../../src/management/demo/plan.ts';
import {
  type DrillNode,
  logOffsets,
  resynchronizedSince,
  untilSynchronized,
} from '../../src/management/drill/site.ts';
import type { Ended } from './device-command.ts';

const PROGRAM = resolve(import.meta.dirname, '../../bin/lockstep');
const LIMIT_MS = 120_000;
const TOGETHER_MS_MAX = 60_000;
const SIZE = 8 * 2 ** 20;
const DEVICE = 'disk1';

const NO_CACHE = { writeCache: 'through', cache: 0 } as const;

interface Stage extends AsyncDisposable {
  readonly nodes: readonly [DemoNode, DemoNode];
  create(node: DemoNode, ...words: readonly string[]): Promise<Ended>;
  /** Serves until all are synchronized; bytes that were compared. */
  serve(): Promise<number>;
}

async function stage(address: string): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-creation-'));
  const shape = {
    nodes: 2,
    strategy: 'heartbeat',
    size: SIZE,
    sector: 512,
    cache: NO_CACHE,
    directory,
    address,
  } as const;
  const demo = await prepareDemo({ ...shape, portalPort: 3260, partnerPort: 3262 }, new Date());
  assert.ok(demo.ok);
  const drilled = demo.value.nodes.map(({ name, config, stateDirectory, isWitness }): DrillNode => {
    const logFile = join(directory, `${name}.log`);
    const process = new NodeProcess({ name, config, command: [PROGRAM], logLevel: 'info', logFile });
    return { name, isWitness, stateDirectory, logFile, process };
  });
  return {
    nodes: demo.value.nodes as readonly DemoNode[] as Stage['nodes'],
    create: ({ config }, ...words) =>
      new Promise((done) => {
        const args = ['mirror', 'create', DEVICE, '--config', config, ...words];
        const child = execFile(PROGRAM, args, { timeout: 30_000 }, (_error, out, err) =>
          done({ status: child.exitCode, out, err }),
        );
      }),
    async serve() {
      const site = { device: DEVICE, nodes: drilled, network: undefined };
      const offsets = logOffsets(site);
      for (const started of await Promise.all(drilled.map((node) => node.process.start())))
        assert.ok(started.ok);
      assert.ok(await untilSynchronized(site, TOGETHER_MS_MAX));
      const stopped = await Promise.all(drilled.map((node) => node.process.stop()));
      assert.deepEqual(stopped, [true, true]);
      return resynchronizedSince(site, offsets).bytes;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(drilled.map((node) => node.process.kill()));
      rmSync(directory, { recursive: true });
    },
  };
}

test('the file of one node becomes the content of all', { timeout: LIMIT_MS }, async () => {
  await using at = await stage('127.0.28.1');
  const [alpha, beta] = at.nodes;
  const content = randomBytes(SIZE);
  writeFileSync(beta.image, content);
  for (const [node, words, status, err] of [
    [beta, [], 2, /disk1\.img is there already: remove it, or say with --init/],
    [beta, ['--init', 'existing=gamma'], 2, /No node "gamma" has a copy of disk1: there are alpha, beta\./],
    [
      beta,
      ['--init', 'existing=alpha'],
      2,
      /is there already, and would be replaced by what alpha has: remove it first/,
    ],
    [alpha, ['--init', 'existing=alpha'], 2, /There is no file .*disk1\.img/],
    [alpha, ['--init', 'unsynchronized'], 2, /confirm that by --copies-are-equal/],
    [alpha, ['--init', 'some'], 2, /write clear, existing=NODE or unsynchronized/],
  ] as const) {
    const refused = await at.create(node, ...words);
    assert.deepEqual([refused.status, refused.out], [status, ''], words.join(' '));
    assert.match(refused.err, err);
  }
  assert.ok(!existsSync(alpha.image) && !existsSync(join(alpha.stateDirectory, 'mirrors')));
  const made = await at.create(beta, '--init', 'existing=beta');
  assert.match(made.out, /^The copy of disk1 on this node is made: .*disk1\.img\.\n$/);
  const follows = await at.create(alpha, '--init', 'existing=beta');
  assert.deepEqual(
    [follows.status, follows.out],
    [0, 'Nothing is to be made on this node: it gets its copy of disk1 from beta when it is served.\n'],
  );
  assert.equal(await at.serve(), SIZE, 'all of it is compared once');
  for (const { image } of at.nodes) assert.ok(readFileSync(image).equals(content));
});

test('files that are equal already are taken as they are', { timeout: LIMIT_MS }, async () => {
  await using at = await stage('127.0.30.1');
  const content = randomBytes(SIZE);
  for (const node of at.nodes) {
    writeFileSync(node.image, content);
    // oxlint-disable-next-line no-await-in-loop -- two of them
    const made = await at.create(node, '--init', 'unsynchronized', '--copies-are-equal');
    assert.equal(made.status, 0, made.err);
  }
  assert.equal(await at.serve(), 0, 'nothing is compared');
  for (const { image } of at.nodes) assert.ok(readFileSync(image).equals(content));
});
