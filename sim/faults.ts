/**
 * Everything that can go wrong, by name. A fault is data: when, for how long, and three numbers from which the target is
 * chosen; the same plan always does the same, and a plan can be made smaller.
 */

import type { SimulatedDisk } from './disk.ts';
import type { Host } from './host.ts';
import type { LinkKind } from './link.ts';
import type { DirectionFilter, Network } from './network.ts';
import type { Scheduler } from './scheduler.ts';

export interface Fault {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly durationMs: number;
  /** Each in [0, 1): the node, another one, and whatever else there is to choose. */
  readonly target: number;
  readonly peer: number;
  readonly draw: number;
}

/** What faults act on. */
export interface FaultTargets {
  readonly scheduler: Scheduler;
  readonly network: Network;
  /** Of the nodes, not of the initiators. */
  readonly hosts: readonly Host[];
  disksOf(node: number): readonly SimulatedDisk<unknown>[];
  crash(node: number, how: 'process' | 'power'): void;
  restart(node: number): void;
  /** An administrator's command in the middle of it all. */
  operate(draw: number): void;
}

/** Ends the fault; undefined: there was nothing it could have hit. */
type Effect = (() => void) | undefined;
type Apply = (targets: FaultTargets, fault: Fault) => Effect;

export type FaultKind = keyof typeof FAULTS;

const NOTHING = (): void => undefined;
const FLAP_MS_MIN = 10;
const FLAP_MS_SPREAD = 300;
const SLOW_LINK_FACTOR_MAX = 200;
const SLOW_DISK_FACTOR = 1000;

const nodeOf = ({ hosts }: FaultTargets, fraction: number): Host =>
  hosts[Math.floor(fraction * hosts.length)]!;

/** Another node than `node`. */
function peerOf({ hosts }: FaultTargets, node: number, fraction: number): number {
  return (node + 1 + Math.floor(fraction * (hosts.length - 1))) % hosts.length;
}

function cutIf(filter: (targets: FaultTargets, fault: Fault) => DirectionFilter): Apply {
  return (targets, fault) => targets.network.cut(filter(targets, fault));
}

const allOf =
  (kind: LinkKind): Apply =>
  ({ network }) =>
    network.cut((link) => link.kind === kind);

/** Both ways between two nodes, or between a node and all others, on the links that `draw` picks. */
function between(targets: FaultTargets, { target, peer, draw }: Fault): DirectionFilter {
  const a = nodeOf(targets, target).id;
  const b = peerOf(targets, a, peer);
  const kinds: readonly LinkKind[] =
    draw < 0.4 ? ['sync'] : draw < 0.6 ? ['heartbeat'] : ['sync', 'heartbeat'];
  return (link, from, to) =>
    kinds.includes(link.kind) && ((from === a && to === b) || (from === b && to === a));
}

function stop(how: 'freeze' | 'pauseVm'): Apply {
  return (targets, { target }) => {
    const host = nodeOf(targets, target);
    if (!host[how]()) return undefined;
    const born = host.incarnation;
    return () => {
      if (host.incarnation === born) host.resume();
    };
  };
}

function kill(how: 'process' | 'power'): Apply {
  return (targets, { target }) => killNode(targets, nodeOf(targets, target).id, how);
}

function killNode(targets: FaultTargets, node: number, how: 'process' | 'power'): Effect {
  if (targets.hosts[node]!.state === 'down') return undefined;
  targets.crash(node, how);
  return () => targets.restart(node);
}

/** Changes a disk of the node; `undo` puts right what can be. */
function disk(
  change: (disk: SimulatedDisk<unknown>, fault: Fault) => void,
  undo: (disk: SimulatedDisk<unknown>) => void = NOTHING,
): Apply {
  return (targets, fault) => {
    const disks = targets.disksOf(nodeOf(targets, fault.target).id);
    const hit = disks[Math.floor(fault.draw * disks.length)];
    if (hit === undefined) return undefined;
    change(hit, fault);
    return () => undo(hit);
  };
}

type Chance = 'readError' | 'writeError' | 'flushError' | 'lostWrite' | 'misdirectedWrite';

function diskChance(name: Chance): Apply {
  return disk(
    ({ conditions }, { peer }) => {
      conditions[name] = peer < 0.5 ? 1 : peer * 0.2;
    },
    ({ conditions }) => {
      conditions[name] = 0;
    },
  );
}

/** The node is down while its disk is exchanged. */
function replaceDisks(content: (disk: SimulatedDisk<unknown>) => ReadonlyMap<number, unknown>): Apply {
  return (targets, fault) => {
    const node = nodeOf(targets, fault.target).id;
    const disks = targets.disksOf(node);
    if (disks.length === 0 || targets.hosts[node]!.state === 'down') return undefined;
    const contents = disks.map(content);
    targets.crash(node, 'power');
    for (const [i, replaced] of disks.entries()) replaced.medium.replace(contents[i]!);
    return () => targets.restart(node);
  };
}

/** The same fault on and off again, at times that `draw` decides. */
function flap(targets: FaultTargets, fault: Fault): Effect {
  const filter = between(targets, fault);
  const halfMs = FLAP_MS_MIN + fault.peer * FLAP_MS_SPREAD;
  let over = false;
  let heal: (() => void) | undefined;
  const turn = (): void => {
    if (over) return;
    if (heal === undefined) heal = targets.network.cut(filter);
    else {
      heal();
      heal = undefined;
    }
    targets.scheduler.after(halfMs, turn);
  };
  turn();
  return () => {
    over = true;
    heal?.();
  };
}

export const FAULTS = {
  cut: cutIf(between),
  cutOneWay: cutIf((targets, fault) => {
    const a = nodeOf(targets, fault.target).id;
    const b = peerOf(targets, a, fault.peer);
    return (link, from, to) => link.kind !== 'path' && from === a && to === b;
  }),
  cutOneLink: cutIf(({ network }, { target }) => {
    const chosen = network.links[Math.floor(target * network.links.length)];
    return (link) => link === chosen;
  }),
  /** Two camps, decided by the bits of `draw`; nodes of different camps do not hear each other. */
  partition: cutIf((_, { draw }) => {
    const camp = (node: number): number => Math.floor(draw * 2 ** (node + 1)) % 2;
    return (link, from, to) => link.kind !== 'path' && camp(from) !== camp(to);
  }),
  isolate: cutIf((targets, { target, draw }) => {
    const node = nodeOf(targets, target).id;
    return (link, from, to) => (link.kind !== 'path' || draw < 0.3) && (from === node || to === node);
  }),
  allSyncLinks: allOf('sync'),
  allHeartbeatLinks: allOf('heartbeat'),
  cutPath: cutIf((targets, { target, peer, draw }) => {
    const node = nodeOf(targets, target).id;
    const paths = targets.network.links.filter((link) => link.kind === 'path' && link.ends.includes(node));
    const chosen = paths[Math.floor(peer * paths.length)];
    return (link, from) => link === chosen && (draw < 0.7 || from === node);
  }),
  flap,
  slowLink: (targets, fault) =>
    targets.network.degrade(between(targets, fault), { delayFactor: 1 + fault.draw * SLOW_LINK_FACTOR_MAX }),
  lossyLink: (targets, fault) =>
    targets.network.degrade(between(targets, fault), { loss: fault.peer, duplication: fault.draw }),
  resetConnections: (targets, fault) => {
    const filter = between(targets, fault);
    const hit = targets.network.resetConnections(
      (link) => (link.kind === 'path' && fault.draw < 0.5) || filter(link, link.ends[0], link.ends[1]),
    );
    return hit === 0 ? undefined : NOTHING;
  },
  freeze: stop('freeze'),
  vmPause: stop('pauseVm'),
  crash: kill('process'),
  powerLoss: kill('power'),
  blackout: (targets) => {
    const undo = targets.hosts.map(({ id }) => killNode(targets, id, 'power'));
    return () => {
      for (const action of undo) action?.();
    };
  },
  diskReadErrors: diskChance('readError'),
  diskWriteErrors: diskChance('writeError'),
  diskFlushErrors: diskChance('flushError'),
  diskLostWrites: diskChance('lostWrite'),
  diskMisdirectedWrites: diskChance('misdirectedWrite'),
  diskFull: disk(
    ({ conditions }) => {
      conditions.noSpace = true;
    },
    ({ conditions }) => {
      conditions.noSpace = false;
    },
  ),
  slowDisk: disk(
    ({ conditions }) => {
      conditions.slowness = SLOW_DISK_FACTOR;
    },
    ({ conditions }) => {
      conditions.slowness = 1;
    },
  ),
  hungDisk: disk(
    ({ conditions }) => {
      conditions.hung = true;
    },
    (hung) => {
      hung.conditions.hung = false;
      hung.release();
    },
  ),
  bitRot: disk((rotten) => rotten.rot()),
  emptyDisk: replaceDisks(() => new Map()),
  oldDisk: replaceDisks((old) => old.keptCopy),
  operator: (targets, { draw }) => {
    targets.operate(draw);
    return NOTHING;
  },
} as const satisfies Record<string, Apply>;

/** They may cost a copy of the data: the fault budget allows them only while another complete one is left. */
export const HARMFUL: ReadonlySet<FaultKind> = new Set<FaultKind>([
  'crash',
  'powerLoss',
  'diskReadErrors',
  'diskWriteErrors',
  'diskFlushErrors',
  'diskLostWrites',
  'diskMisdirectedWrites',
  'diskFull',
  'hungDisk',
  'bitRot',
  'emptyDisk',
  'oldDisk',
]);

/** Nothing can keep all promises under these without checksums: off unless asked for. */
export const SILENT: ReadonlySet<FaultKind> = new Set<FaultKind>([
  'diskLostWrites',
  'diskMisdirectedWrites',
  'bitRot',
]);
