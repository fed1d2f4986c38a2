/** What a drill breaks, each from the break until everything is whole again. Who is brought up to date then is not waited for. */

import { copiesOf, type DrillNode, type NetworkName, pause, type Site } from './site.ts';

export interface Fault {
  readonly name: string;
  /** For people. */
  readonly title: string;
  readonly needs: 'processes' | 'network';
  /** A way to the data is left all the time. */
  readonly leavesPath: boolean;
  run(site: Site, victim: DrillNode, times: FaultTimes): Promise<void>;
}

/** Milliseconds. */
export interface FaultTimes {
  /** How long a node is stopped, or cut off: long enough for the others to go on, and to be written to. */
  readonly awayMs: number;
  /** How long it is frozen: longer than an initiator waits. */
  readonly frozenMs: number;
}

export type FaultName =
  | 'engine'
  | 'kill'
  | 'freeze'
  | 'stop'
  | 'outage'
  | 'sync-link'
  | 'sync-links'
  | 'all-links'
  | 'one-way'
  | 'front';

const OUTAGE_MS = 500;
const START_AGAIN_MS = 200;
const STARTS_MAX = 50;

const SYNC: readonly NetworkName[] = ['sync1', 'sync2'];

const FAULTS: readonly (Fault & { readonly name: FaultName })[] = [
  {
    name: 'engine',
    title: 'engine process killed',
    needs: 'processes',
    leavesPath: true,
    async run(_site, victim) {
      victim.process.killEngines();
      await pause(OUTAGE_MS);
    },
  },
  {
    name: 'kill',
    title: 'node killed (kill -9) and started again',
    needs: 'processes',
    leavesPath: true,
    async run(_site, victim, { awayMs }) {
      await victim.process.kill();
      await pause(awayMs);
      await startAgain(victim);
    },
  },
  {
    name: 'freeze',
    title: 'node frozen for a while (SIGSTOP, SIGCONT)',
    needs: 'processes',
    leavesPath: true,
    async run(_site, victim, { frozenMs }) {
      victim.process.freeze();
      await pause(frozenMs);
      victim.process.thaw();
    },
  },
  {
    name: 'stop',
    title: 'node stopped in order and started again',
    needs: 'processes',
    leavesPath: true,
    async run(_site, victim, { awayMs }) {
      await victim.process.stop();
      await pause(awayMs);
      await startAgain(victim);
    },
  },
  {
    name: 'outage',
    title: 'all nodes killed at once and started again',
    needs: 'processes',
    leavesPath: false,
    async run({ nodes }) {
      for (const { process } of nodes) process.freeze();
      await Promise.all(nodes.map(({ process }) => process.kill()));
      await pause(OUTAGE_MS);
      await Promise.all(nodes.map((node) => startAgain(node)));
    },
  },
  cutting('sync-link', 'one sync link cut', ['sync1']),
  cutting('sync-links', 'all sync links cut', SYNC),
  cutting('all-links', 'node cut off from everything', [...SYNC, 'front']),
  cutting('front', 'node cut off from initiators', ['front']),
  {
    name: 'one-way',
    title: 'nothing that a node sends arrives at the others',
    needs: 'network',
    leavesPath: true,
    async run({ network }, victim, { awayMs }) {
      await network!.cutFrom(victim.name);
      await pause(awayMs);
      await network!.heal(victim.name);
    },
  },
];

/** What can be broken without a hand on the network. */
export const PROCESS_FAULTS: readonly FaultName[] = FAULTS.filter(({ needs }) => needs === 'processes').map(
  ({ name }) => name,
);

export function faultNamed(name: FaultName): Fault {
  return FAULTS.find((fault) => fault.name === name)!;
}

/** Of so many faults one after the other, who is hit. */
export function victimOf(site: Site, index: number): DrillNode {
  const copies = copiesOf(site);
  return copies[index % copies.length]!;
}

function cutting(name: FaultName, title: string, networks: readonly NetworkName[]) {
  return {
    name,
    title,
    needs: 'network' as const,
    leavesPath: true,
    async run({ network }: Site, victim: DrillNode, { awayMs }: FaultTimes): Promise<void> {
      await network!.cut(victim.name, networks);
      await pause(awayMs);
      await network!.heal(victim.name);
    },
  };
}

/** After it was killed. Its ports may be in use for a moment by what it was before. */
export async function startAgain({ process }: DrillNode): Promise<void> {
  for (let tried = 1; ; tried++) {
    // oxlint-disable-next-line no-await-in-loop -- until it runs
    const started = await process.start();
    if (started.ok) return;
    if (tried === STARTS_MAX) throw new Error(started.fault);
    // oxlint-disable-next-line no-await-in-loop -- the same
    await pause(START_AGAIN_MS);
  }
}
