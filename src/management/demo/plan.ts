/**
 * A whole cluster on one machine, for trying out and for tests: nodes on loopback addresses of their own, with
 * certificates, two links between each pair, and one mirrored device. Everything lies in one directory, which is used again
 * when it is there.
 */

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'smol-toml';
import { fail, ok, type Result } from '../../base/result.ts';
import type { BlockLength } from '../../ports/block-device.ts';
import type { CacheChoice } from '../cli/options.ts';
import { initCluster, issueNodeCertificate } from '../certificates.ts';

export interface DemoOptions {
  /** Nodes with a copy. */
  readonly nodes: number;
  readonly strategy: 'heartbeat' | 'majority';
  /** Bytes of the device. */
  readonly size: number;
  /** Its logical block length. */
  readonly sector: BlockLength;
  /** Of each node's copy. */
  readonly cache: CacheChoice;
  readonly directory: string;
  /** Of the first node; the others have the next ones. */
  readonly address: string;
  readonly portalPort: number;
  readonly partnerPort: number;
}

export interface DemoNode {
  readonly name: string;
  readonly config: string;
  readonly stateDirectory: string;
  readonly isWitness: boolean;
  /** Its copy; a witness has none. */
  readonly image: string;
}

export interface Demo {
  readonly device: string;
  readonly nodes: readonly DemoNode[];
  /** Made just now: the nodes have no copies yet. */
  readonly isNew: boolean;
}

const CLUSTER = 'demo';
const DEMO_DEVICE = 'disk1';
const NAMES = ['alpha', 'beta', 'gamma', 'delta'] as const;
const WITNESS = 'witness';
const IMAGE = `${DEMO_DEVICE}.img`;
const SUMMARY = 'demo.json';
const SHARE = '../share';

export async function prepareDemo(options: DemoOptions, now: Date): Promise<Result<Demo, string>> {
  const { directory } = options;
  const summary = path.join(directory, SUMMARY);
  if (existsSync(summary)) return again(summary, options);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const authority = path.join(directory, 'ca');
  const made = await initCluster(authority, CLUSTER, now);
  if (!made.ok) return made;
  mkdirSync(path.join(directory, path.basename(SHARE)), { mode: 0o700 });
  const id = randomBytes(16).toString('hex');
  const members = membersOf(options);
  for (const name of members) {
    const out = path.join(directory, name, 'certificates');
    const issued = await issueNodeCertificate(authority, { node: name, out, now });
    if (!issued.ok) return issued;
    writeFileSync(path.join(directory, name, 'node.toml'), configOf(name, id, options), { mode: 0o600 });
  }
  writeFileSync(summary, JSON.stringify(shapeOf(options)));
  return ok(demoOf(options, true));
}

/** What a directory was made for cannot be changed afterwards. */
function again(summary: string, options: DemoOptions): Result<Demo, string> {
  const found = readFileSync(summary, 'utf8');
  const wanted = JSON.stringify(shapeOf(options));
  if (found === wanted) return ok(demoOf(options, false));
  return fail(
    `${options.directory} holds a demo of another kind (${found}): name another directory with --dir, or remove that one.`,
  );
}

function shapeOf({ nodes, strategy, size, sector, cache, address, portalPort, partnerPort }: DemoOptions) {
  const common = { nodes, strategy, size, sector, address, portalPort, partnerPort };
  return cache.cache === 0 ? common : { ...common, cache };
}

function demoOf(options: DemoOptions, isNew: boolean): Demo {
  const nodes = membersOf(options).map((name) => ({
    name,
    config: path.join(options.directory, name, 'node.toml'),
    stateDirectory: path.join(options.directory, name, 'state'),
    isWitness: name === WITNESS,
    image: path.join(options.directory, name, IMAGE),
  }));
  return { device: DEMO_DEVICE, nodes, isNew };
}

/** Two copies alone have no majority. */
function membersOf({ nodes, strategy }: DemoOptions): string[] {
  const data = NAMES.slice(0, nodes);
  return strategy === 'majority' && nodes % 2 === 0 ? [...data, WITNESS] : data;
}

function configOf(name: string, id: string, options: DemoOptions): string {
  const members = membersOf(options);
  const number = members.indexOf(name) + 1;
  const data = members.filter((member) => member !== WITNESS);
  const isWitness = name === WITNESS;
  const at = (node: number, network: number, port: number): string =>
    `${addressOf(options.address, node - 1, network)}:${port}`;
  return stringify({
    node: { name, state_directory: 'state' },
    cluster: {
      name: CLUSTER,
      node: number,
      certificates: 'certificates',
      listen: [at(number, 0, options.partnerPort), at(number, 1, options.partnerPort)],
      // One machine is its own share: whoever is left may go on.
      ...(options.strategy === 'heartbeat' ? { share: SHARE } : {}),
    },
    partner: members.flatMap((partner, index) =>
      partner === name
        ? []
        : {
            name: partner,
            node: index + 1,
            links: [0, 1].map((network) => ({
              kind: 'sync',
              local: addressOf(options.address, number - 1, network),
              remote: at(index + 1, network, options.partnerPort),
            })),
          },
    ),
    portal: isWitness ? [] : [{ address: at(number, 0, options.portalPort) }],
    device: [
      {
        name: DEMO_DEVICE,
        kind: 'mirror',
        id,
        ...(isWitness ? {} : { path: IMAGE }),
        size: options.size,
        sector: options.sector,
        nodes: data,
        strategy: options.strategy,
        ...(members.includes(WITNESS) ? { witness: WITNESS } : {}),
        ...cacheOf(options.cache),
      },
    ],
    target: isWitness ? [] : [{ alias: DEMO_DEVICE, luns: [{ device: DEMO_DEVICE }], allow: ['*'] }],
  });
}

/** Who asks for write-back in a demo takes what it means. */
function cacheOf({ writeCache, cache }: CacheChoice) {
  if (cache === 0) return {};
  return { cache, write_cache: writeCache, power_protected: writeCache === 'back' };
}

/** The address `step` behind `first`, in another network of the same kind. */
function addressOf(first: string, step: number, network: number): string {
  const parts = first.split('.').map(Number);
  return [parts[0], parts[1], parts[2]! + network, parts[3]! + step].join('.');
}
