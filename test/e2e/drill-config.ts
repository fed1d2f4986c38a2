/** What the nodes of a drilled cluster are configured as. */
import { stringify } from 'smol-toml';
import { addressOf, INITIATOR_ADDRESS, NETWORKS } from './switch.ts';

export const DEVICE = 'disk1';
const ID = 'd'.repeat(32);
const NAMES = ['alpha', 'beta', 'gamma', 'delta'];
const WITNESS = 'witness';
export const ETCD = { client: `http://${INITIATOR_ADDRESS}:2379`, peer: `http://${INITIATOR_ADDRESS}:2380` };

export interface Shape {
  readonly strategy: 'heartbeat' | 'majority';
  readonly copies: number;
  /** The device begins on the first so many of them; the others could have a copy. Undefined: on all. */
  readonly holders?: number;
  /** Of a majority: who votes beside the copies. A cluster by heartbeat has a share as its arbiter. */
  readonly witness?: 'node' | 'share' | 'etcd';
  /** Heartbeat: what a node does when every link is silent, in place of asking the share. */
  readonly isolation?: 'continue';
  readonly sector: 512 | 4096;
  readonly size: string;
  /** Below the state and the copy of each node: a disk that can fail, or one that loses what was not flushed, too. */
  readonly disks?: 'failing' | 'volatile';
}

/** Those with copies first. */
export function namesOf({ copies, witness }: Shape): readonly string[] {
  return [...NAMES.slice(0, copies), ...(witness === 'node' ? [WITNESS] : [])];
}

export function isWitness(name: string): boolean {
  return name === WITNESS;
}

/** Where the disk of a node is, in its folder. */
export function diskFolder({ disks }: Shape): string {
  return disks === undefined ? '.' : 'disk';
}

export function configOf(name: string, shape: Shape): string {
  const names = namesOf(shape);
  const number = names.indexOf(name) + 1;
  const links = (other: number) =>
    NETWORKS.map((network) => ({
      kind: network === 'front' ? 'heartbeat' : 'sync',
      local: addressOf(number, network),
      remote: `${addressOf(other, network)}:3262`,
    }));
  return stringify({
    node: { name, state_directory: `${diskFolder(shape)}/state` },
    cluster: {
      name: 'drill',
      node: number,
      certificates: 'certificates',
      listen: NETWORKS.map((network) => `${addressOf(number, network)}:3262`),
      ...votesOf(shape),
    },
    partner: names.flatMap((other, index) =>
      other === name ? [] : { name: other, node: index + 1, links: links(index + 1) },
    ),
    portal: isWitness(name) ? [] : [{ address: `${addressOf(number, 'front')}:3260` }],
    device: [
      {
        name: DEVICE,
        kind: 'mirror',
        id: ID,
        ...(isWitness(name) ? {} : { path: `${diskFolder(shape)}/disk1.img` }),
        size: shape.size,
        sector: shape.sector,
        nodes: names.filter((other) => !isWitness(other)).slice(0, shape.holders),
        strategy: shape.strategy,
        ...(shape.isolation === undefined ? {} : { isolation: shape.isolation }),
        ...(shape.witness === undefined
          ? {}
          : { witness: shape.witness === 'node' ? WITNESS : shape.witness }),
      },
    ],
    target: isWitness(name) ? [] : [{ alias: DEVICE, luns: [{ device: DEVICE }], allow: ['*'] }],
  });
}

function votesOf({ strategy, witness }: Shape): object {
  if (witness === 'etcd') return { etcd: { endpoints: [ETCD.client] } };
  return strategy === 'heartbeat' || witness === 'share' ? { share: '../share' } : {};
}
