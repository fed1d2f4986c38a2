/** A cluster whose nodes are in network namespaces, and the load on it: what `mirror-faults.test.ts` breaks. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'smol-toml';
import { initCluster, issueNodeCertificate } from '../../src/management/certificates.ts';
import { NodeProcess, runToEnd } from '../../src/management/demo/node-process.ts';
import type { LoadControl } from '../../src/management/drill/sequence.ts';
import { type DrillNode, type Site, untilSynchronized } from '../../src/management/drill/site.ts';
import type { Measured } from '../../src/drill/meter.ts';
import type { Call } from './load.script.ts';
import { addressOf, createSwitch, NETWORKS, type Switch } from './switch.ts';

const PROGRAM = resolve(import.meta.dirname, '../../bin/lockstep');
const DEVICE = 'disk1';
const ID = 'd'.repeat(32);
const TOGETHER_MS_MAX = 60_000;

export interface Shape {
  readonly strategy: 'heartbeat' | 'majority';
  readonly copies: number;
  readonly hasWitness: boolean;
  readonly sector: 512 | 4096;
  readonly size: string;
}

export interface DrillCluster extends AsyncDisposable {
  readonly site: Site;
  readonly load: LoadControl;
  /** Stops the load and then all nodes, in order; everything that is wrong with the copies. */
  end(): Promise<readonly string[]>;
}

const NAMES = ['alpha', 'beta', 'gamma', 'delta'];

export async function startDrillCluster(shape: Shape, seed: number): Promise<DrillCluster> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-faults-'));
  const names = [...NAMES.slice(0, shape.copies), ...(shape.hasWitness ? ['witness'] : [])];
  await initCluster(join(directory, 'ca'), 'drill', new Date());
  mkdirSync(join(directory, 'share'));
  const network = await createSwitch(names);
  const nodes = await Promise.all(names.map((name) => createNode(directory, name, names, shape, network)));
  const site: Site = { device: DEVICE, nodes, network };
  let load: Load | undefined;
  const dispose = async (): Promise<void> => {
    load?.end();
    await Promise.all(nodes.map((node) => node.process.kill()));
    await network[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  };
  try {
    const started = await Promise.all(nodes.map((node) => node.process.start()));
    for (const node of started) if (!node.ok) throw new Error(`${node.fault}\n${logsOf(nodes)}`);
    if (!(await untilSynchronized(site, TOGETHER_MS_MAX)))
      throw new Error(`the copies did not come together\n${logsOf(nodes)}`);
    const copies = nodes.filter(({ isWitness }) => !isWitness);
    const paths = copies.map((node, index) => ({
      portal: `${addressOf(index + 1, 'front')}:3260`,
      targetName: node.process.ready!.targets[0]!,
    }));
    load = startLoadProcess(network);
    await load.call({ kind: 'start', paths, seed });
    return {
      site,
      load: controlOf(load),
      end: () => endOf(load!, nodes, directory),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function createNode(
  directory: string,
  name: string,
  names: readonly string[],
  shape: Shape,
  network: Switch,
): Promise<DrillNode> {
  const folder = join(directory, name);
  const out = join(folder, 'certificates');
  await issueNodeCertificate(join(directory, 'ca'), { node: name, out, now: new Date() });
  const config = join(folder, 'node.toml');
  writeFileSync(config, configOf(name, names, shape), { mode: 0o600 });
  const made = await runToEnd([PROGRAM], ['mirror', 'create', DEVICE, '--config', config]);
  if (!made.ok) throw new Error(made.fault);
  const logFile = join(folder, 'node.log');
  const command = [...network.at(name), PROGRAM];
  return {
    name,
    isWitness: name === 'witness',
    stateDirectory: join(folder, 'state'),
    logFile,
    process: new NodeProcess({ name, config, command, logLevel: 'info', logFile }),
  };
}

function configOf(name: string, names: readonly string[], shape: Shape): string {
  const isWitness = name === 'witness';
  const number = names.indexOf(name) + 1;
  const links = (other: number) =>
    NETWORKS.map((network) => ({
      kind: network === 'front' ? 'heartbeat' : 'sync',
      local: addressOf(number, network),
      remote: `${addressOf(other, network)}:3262`,
    }));
  return stringify({
    node: { name, state_directory: 'state' },
    cluster: {
      name: 'drill',
      node: number,
      certificates: 'certificates',
      listen: NETWORKS.map((network) => `${addressOf(number, network)}:3262`),
      ...(shape.strategy === 'heartbeat' ? { share: '../share' } : {}),
    },
    partner: names.flatMap((other, index) =>
      other === name ? [] : { name: other, node: index + 1, links: links(index + 1) },
    ),
    portal: isWitness ? [] : [{ address: `${addressOf(number, 'front')}:3260` }],
    device: [
      {
        name: DEVICE,
        kind: 'mirror',
        id: ID,
        ...(isWitness ? {} : { path: 'disk1.img' }),
        size: shape.size,
        sector: shape.sector,
        nodes: names.filter((other) => other !== 'witness'),
        strategy: shape.strategy,
        ...(shape.hasWitness ? { witness: 'witness' } : {}),
      },
    ],
    target: isWitness ? [] : [{ alias: DEVICE, luns: [{ device: DEVICE }], allow: ['*'] }],
  });
}

interface Load {
  call(call: Call): Promise<unknown>;
  end(): void;
}

function startLoadProcess(network: Switch): Load {
  const [command, ...words] = [...network.atInitiator, process.execPath];
  const script = resolve(import.meta.dirname, 'load.script.ts');
  const child = spawn(command!, [...words, script], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  let last: Promise<unknown> = Promise.resolve();
  return {
    call(call) {
      last = last.then(
        () =>
          new Promise((answered, failed) => {
            const onExit = (): void => failed(new Error('the load has ended by itself'));
            child.once('exit', onExit);
            child.once('message', ({ result }: { result: unknown }) => {
              child.off('exit', onExit);
              answered(result);
            });
            child.send(call);
          }),
      );
      return last;
    },
    end: () => child.kill('SIGKILL'),
  };
}

function controlOf(load: Load): LoadControl {
  return {
    beginPart: async () => void (await load.call({ kind: 'beginPart' })),
    part: async () => (await load.call({ kind: 'part' })) as Measured,
    judge: async () => (await load.call({ kind: 'judge' })) as string | undefined,
    untilAllPaths: async (withinMs) => (await load.call({ kind: 'untilAllPaths', withinMs })) as boolean,
  };
}

async function endOf(load: Load, nodes: readonly DrillNode[], directory: string): Promise<readonly string[]> {
  await load.call({ kind: 'stop' });
  const stopped = await Promise.all(nodes.map((node) => node.process.stop()));
  const wrong = nodes
    .filter((_, index) => !stopped[index])
    .map(({ name }) => `${name} did not stop in order`);
  const copies = nodes.filter(({ isWitness }) => !isWitness);
  const images = copies.map(({ name }) => join(directory, name, 'disk1.img'));
  const violation = (await load.call({ kind: 'judgeCopies', images })) as string | undefined;
  return violation === undefined ? wrong : [...wrong, violation];
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
