/**
 * A switch with cables for a test: every node in a network namespace of its own, with a cable to each of three networks,
 * and the namespace of the switch, in which initiators are. Network k is 10.67.k.0/24; node i is .i on each, and initiators
 * are .254 on the network `front`, which carries heartbeats, too.
 *
 * What is cut is lost silently, as behind a switch: no carrier is lost, nobody refuses. One way is cut by a wrong Ethernet
 * address for each neighbour: what is sent leaves and arrives nowhere.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { DrillNetwork, NetworkName } from '../../src/management/drill/site.ts';
import { type GuestNetwork, plugIn } from './guest/network.ts';

const command = promisify(execFile);

export const NETWORKS: readonly NetworkName[] = ['sync1', 'sync2', 'front'];
export const INITIATOR_ADDRESS = '10.67.2.254';
const NOBODY = '02:00:00:00:00:99';

/** Guests are where initiators are, guest n as .(100 + n). */
export interface Switch extends DrillNetwork, GuestNetwork, AsyncDisposable {
  /** A command line that runs where initiators are. */
  readonly atInitiator: readonly string[];
  /** … and on a node. */
  at(node: string): readonly string[];
}

/** Of node `number`, from 1. */
export function addressOf(number: number, network: NetworkName): string {
  return `10.67.${NETWORKS.indexOf(network)}.${number}`;
}

/** Undefined: what is needed is there. */
export async function switchLacks(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  try {
    await command('ip', ['-V']);
    return undefined;
  } catch {
    return 'the ip command is missing (package iproute2)';
  }
}

let switches = 0;

export async function createSwitch(nodes: readonly string[]): Promise<Switch> {
  const name = `lockstep-${process.pid}-switch${++switches}`;
  const namespaceOf = (node: string): string => `${name}-${node}`;
  const cableOf = (node: string, network: NetworkName): string => `${network}-${nodes.indexOf(node) + 1}`;
  const inside = (namespace: string, ...words: readonly string[]) =>
    command('ip', ['-n', namespace, ...words]);

  await command('ip', ['netns', 'add', name]);
  for (const network of NETWORKS) {
    await inside(name, 'link', 'add', network, 'type', 'bridge', 'forward_delay', '0');
    await inside(name, 'link', 'set', network, 'up');
  }
  await inside(name, 'link', 'set', 'lo', 'up');
  await inside(name, 'address', 'add', `${INITIATOR_ADDRESS}/24`, 'dev', 'front');
  for (const [index, node] of nodes.entries()) {
    const own = namespaceOf(node);
    await command('ip', ['netns', 'add', own]);
    await inside(own, 'link', 'set', 'lo', 'up');
    for (const network of NETWORKS) {
      const cable = cableOf(node, network);
      await inside(name, ...`link add ${cable} type veth peer name ${network} netns ${own}`.split(' '));
      await inside(name, 'link', 'set', cable, 'master', network, 'up');
      await inside(own, 'address', 'add', `${addressOf(index + 1, network)}/24`, 'dev', network);
      await inside(own, 'link', 'set', network, 'up');
    }
  }
  const eachNeighbour = async (
    node: string,
    change: (address: string, network: NetworkName) => readonly string[],
  ): Promise<void> => {
    for (const [index, other] of nodes.entries())
      if (other !== node)
        for (const network of NETWORKS)
          await inside(namespaceOf(node), 'neigh', ...change(addressOf(index + 1, network), network));
  };
  const wrong = new Set<string>();
  return {
    namespace: name,
    atInitiator: ['ip', 'netns', 'exec', name],
    inside: (...words) => ['ip', 'netns', 'exec', name, ...words],
    attach: (number) => plugIn(name, number, [{ bridge: 'front', address: `10.67.2.${100 + number}/24` }]),
    at: (node) => ['ip', 'netns', 'exec', namespaceOf(node)],
    async cut(node, networks) {
      for (const network of networks) await inside(name, 'link', 'set', cableOf(node, network), 'nomaster');
    },
    async cutFrom(node) {
      wrong.add(node);
      await eachNeighbour(node, (address, network) => [
        'replace',
        address,
        'lladdr',
        NOBODY,
        'nud',
        'permanent',
        'dev',
        network,
      ]);
    },
    async heal(node) {
      for (const network of NETWORKS)
        await inside(name, 'link', 'set', cableOf(node, network), 'master', network);
      if (wrong.delete(node))
        await eachNeighbour(node, (address, network) => ['del', address, 'dev', network]);
    },
    async [Symbol.asyncDispose]() {
      for (const node of nodes) await command('ip', ['netns', 'delete', namespaceOf(node)]);
      await command('ip', ['netns', 'delete', name]);
    },
  };
}
