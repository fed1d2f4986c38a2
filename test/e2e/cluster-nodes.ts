/** The nodes of a cluster as processes in network namespaces, with cables between them: whoever uses them comes on top. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { PathAddress } from '../../src/initiator/path.ts';
import { initCluster, issueNodeCertificate } from '../../src/management/certificates.ts';
import { NodeProcess, runToEnd } from '../../src/management/demo/node-process.ts';
import { copiesOf, type DrillNode, type Site, untilSynchronized } from '../../src/management/drill/site.ts';
import { configOf, DEVICE, diskFolder, isWitness, namesOf, type Shape } from './drill-config.ts';
import { compileLayer, StorageLayer } from './storage-layer/storage-layer.ts';
import { addressOf, createSwitch, type Switch } from './switch.ts';
import { createVotePlace, type VotePlace } from './vote-place.ts';

const PROGRAM = resolve(import.meta.dirname, '../../bin/lockstep');
const MEDIUM = 'medium';
const TOGETHER_MS_MAX = 60_000;

export interface ClusterNodes extends AsyncDisposable {
  readonly site: Site;
  readonly network: Switch;
  readonly votes: VotePlace;
  /** Of nodes by name, where the shape has them. */
  readonly disks: ReadonlyMap<string, StorageLayer>;
  /** One by each copy. */
  readonly paths: readonly PathAddress[];
  /** Of the copies, as they lie below the layer: what the nodes had flushed when they stopped. */
  readonly images: readonly string[];
  /** All nodes, in order; who did not, as sentences. */
  stop(): Promise<readonly string[]>;
}

/** Answers when all copies are synchronized. `seed`: of disks that fail. */
export async function startNodes(shape: Shape, seed: number): Promise<ClusterNodes> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-faults-'));
  await using onFailure = new AsyncDisposableStack();
  onFailure.defer(() => rmSync(directory, { recursive: true }));
  const names = namesOf(shape);
  await initCluster(join(directory, 'ca'), 'drill', new Date());
  const network = onFailure.use(await createSwitch(names));
  const disks = new Map<string, StorageLayer>();
  onFailure.defer(async () => {
    await Promise.all(Array.from(disks.values(), (disk) => disk[Symbol.asyncDispose]()));
  });
  if (shape.disks !== undefined) await startDisks(shape, directory, seed, disks);
  const votes = onFailure.use(await createVotePlace(shape, directory, network.atInitiator));
  const nodes = await Promise.all(names.map((name) => createNode(directory, name, shape, network)));
  onFailure.defer(async () => {
    // What hangs at a disk does not end.
    await Promise.all(Array.from(disks.values(), (disk) => disk.clear().catch(() => 0)));
    await Promise.all(nodes.map((node) => node.process.kill()));
  });
  const site: Site = { device: DEVICE, nodes, network };
  const started = await Promise.all(nodes.map((node) => node.process.start()));
  for (const node of started) if (!node.ok) throw new Error(`${node.fault}\n${logsOf(nodes)}`);
  const holders = { ...site, nodes: copiesOf(site).slice(0, shape.holders) };
  if (!(await untilSynchronized(holders, TOGETHER_MS_MAX)))
    throw new Error(`the copies did not come together\n${logsOf(nodes)}`);
  const place = shape.disks === undefined ? '.' : MEDIUM;
  const all = onFailure.move();
  return {
    site,
    network,
    votes,
    disks,
    paths: copiesOf(site).map((node, index) => ({
      portal: `${addressOf(index + 1, 'front')}:3260`,
      targetName: node.process.ready!.targets[0]!,
    })),
    images: copiesOf(site).map(({ name }) => join(directory, name, place, 'disk1.img')),
    async stop() {
      const stopped = await Promise.all(nodes.map((node) => node.process.stop()));
      return nodes.filter((_, index) => !stopped[index]).map(({ name }) => `${name} did not stop in order`);
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function startDisks(
  { disks, ...shape }: Shape,
  directory: string,
  seed: number,
  started: Map<string, StorageLayer>,
): Promise<void> {
  const program = await compileLayer(directory);
  for (const [index, name] of namesOf(shape).entries()) {
    const disk = new StorageLayer({
      program,
      folder: join(directory, name, MEDIUM),
      mountPoint: join(directory, name, 'disk'),
      seed: seed * 8 + index,
      isVolatile: disks === 'volatile',
    });
    started.set(name, disk);
    // oxlint-disable-next-line no-await-in-loop -- a few
    await disk.start();
  }
}

async function createNode(
  directory: string,
  name: string,
  shape: Shape,
  network: Switch,
): Promise<DrillNode> {
  const folder = join(directory, name);
  const out = join(folder, 'certificates');
  await issueNodeCertificate(join(directory, 'ca'), { node: name, out, now: new Date() });
  const config = join(folder, 'node.toml');
  writeFileSync(config, configOf(name, shape), { mode: 0o600 });
  const command = [...network.at(name), PROGRAM];
  const made = await runToEnd(command, ['mirror', 'create', DEVICE, '--config', config]);
  if (!made.ok) throw new Error(made.fault);
  const logFile = join(folder, 'node.log');
  return {
    name,
    isWitness: isWitness(name),
    stateDirectory: join(folder, diskFolder(shape), 'state'),
    logFile,
    process: new NodeProcess({ name, config, command, logLevel: 'info', logFile }),
  };
}

const LOG_LINES_TOLD = 40;

export function logsOf(nodes: readonly DrillNode[]): string {
  return nodes
    .map(({ name, logFile }) => {
      const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n');
      return `── ${name}\n${lines.slice(-LOG_LINES_TOLD).join('\n')}`;
    })
    .join('\n');
}
