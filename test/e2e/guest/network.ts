/**
 * A network of its own for a test: a namespace with one bridge per segment. What the test starts in the namespace and
 * the guests it attaches see each other and nothing else. Segment k is 10.66.k.0/24; the namespace itself is .1 on
 * each, guest n is .(100 + n).
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const command = promisify(execFile);

/** Where guests are plugged in. */
export interface GuestNetwork {
  readonly namespace: string;
  /** `words` as a command line that runs inside. */
  readonly inside: (...words: readonly string[]) => [string, ...string[]];
  /** Plugs in guest `number`: one tap device and one address per segment. */
  attach(number: number): Promise<readonly Port[]>;
}

export interface Network extends GuestNetwork, AsyncDisposable {
  /** Addresses of the namespace, one per segment: what a target listens on. */
  readonly addresses: readonly string[];
}

export interface Port {
  readonly tap: string;
  /** For the guest's end of the cable. */
  readonly mac: string;
  /** With prefix length. */
  readonly address: string;
}

/** A tap device for guest `number` on each bridge of the namespace; `address`: with prefix length. */
export async function plugIn(
  namespace: string,
  number: number,
  bridges: readonly { readonly bridge: string; readonly address: string }[],
): Promise<readonly Port[]> {
  const ports: Port[] = [];
  for (const [index, { bridge, address }] of bridges.entries()) {
    const tap = `g${number}s${index}`;
    await command('ip', ['-n', namespace, 'tuntap', 'add', 'dev', tap, 'mode', 'tap']);
    await command('ip', ['-n', namespace, 'link', 'set', tap, 'master', bridge, 'up']);
    const mac = `02:67:00:00:${hex(number)}:${hex(index)}`;
    ports.push({ tap, mac, address });
  }
  return ports;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

let networks = 0;

export async function createNetwork(segments: number): Promise<Network> {
  const namespace = `lockstep-${process.pid}-${++networks}`;
  const ip = async (...words: readonly string[]): Promise<void> => {
    await command('ip', ['-n', namespace, ...words]);
  };
  await command('ip', ['netns', 'add', namespace]);
  await ip('link', 'set', 'lo', 'up');
  const indexes = Array.from({ length: segments }, (_, index) => index);
  for (const index of indexes) {
    await ip('link', 'add', `br${index}`, 'type', 'bridge', 'forward_delay', '0');
    await ip('address', 'add', `10.66.${index}.1/24`, 'dev', `br${index}`);
    await ip('link', 'set', `br${index}`, 'up');
  }
  return {
    namespace,
    addresses: indexes.map((index) => `10.66.${index}.1`),
    inside: (...words) => ['ip', 'netns', 'exec', namespace, ...words],
    attach: (number) =>
      plugIn(
        namespace,
        number,
        indexes.map((index) => ({ bridge: `br${index}`, address: `10.66.${index}.${100 + number}/24` })),
      ),
    async [Symbol.asyncDispose]() {
      await command('ip', ['netns', 'delete', namespace]);
    },
  };
}
