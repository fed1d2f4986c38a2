/**
 * The fronts by name, as `--front` knows them. A new one is one entry in `FRONTS`.
 */

import type { FaultKind } from '../faults.ts';
import type { Flaw } from '../flaws.ts';
import { LOUD_KINDS, type Pace } from '../nemesis.ts';
import type { StorageFront } from '../storage.ts';
import type { FrontParts, RunOptions } from '../world.ts';
import { FOCUS } from './mirror-focus.ts';
import { createMirrorFront } from './mirror-front.ts';
import type { SiteFocus } from './mirror-site.ts';
import { createDiskFront, DISK_FLAWS } from './disk-front.ts';
import { createRegisterFront, REGISTER_FLAWS } from './register-front.ts';

export interface FrontKind {
  create(parts: FrontParts): StorageFront;
  /** Seeds take them in turn. */
  readonly settings: readonly Setting[];
  /** By name, as `parts.flaw` says it. */
  readonly flaws: Readonly<Record<string, Flaw>>;
}

/** Under which faults a run takes place, and what is asked of it. */
export interface Setting extends Pick<RunOptions, 'budget' | 'judged' | 'lockBlocksMax' | 'answerBoundMs'> {
  readonly nodes: readonly number[];
  readonly kinds: readonly FaultKind[];
  /** Other than that of the swarm. */
  readonly pace?: Pace;
}

/** The disk front is one node that must survive what stops it. */
const STOPS: readonly FaultKind[] = [
  'crash',
  'powerLoss',
  'freeze',
  'vmPause',
  'slowDisk',
  'hungDisk',
  'cutPath',
];

/** A node whose disks were put back in time has forgotten what it promised: nobody can make up for that alone. */
const FORGETFUL_NEVER: readonly FaultKind[] = LOUD_KINDS.filter((kind) => kind !== 'oldDisk');

/** Machines are not paused, so that reads need not be confirmed. */
const CLOCKS_RUN: readonly FaultKind[] = FORGETFUL_NEVER.filter((kind) => kind !== 'vmPause');

/** Everything may stop at once, but what was durable stays so. */
const DISKS_STAY: readonly FaultKind[] = FORGETFUL_NEVER.filter((kind) => kind !== 'emptyDisk');

/** What may happen to one machine, link or disk while all others are well. */
const ONE_FAILURE: readonly FaultKind[] = [
  'crash',
  'powerLoss',
  'freeze',
  'vmPause',
  'isolate',
  'cut',
  'cutOneLink',
  'cutOneWay',
  'cutPath',
  'resetConnections',
  'diskReadErrors',
  'diskWriteErrors',
  'diskFlushErrors',
  'diskFull',
  'hungDisk',
  'slowDisk',
  'emptyDisk',
];
/** Initiators give a path up after 5 to 8 s of silence; the rest is for whoever serves. */
const FAILURE_MS_MAX = 15_000;

/** … but as long as it meets others who have gone on, they know. */
const ONE_AT_A_TIME: readonly FaultKind[] = [
  'oldDisk',
  'emptyDisk',
  'cutPath',
  'slowLink',
  'resetConnections',
  'diskReadErrors',
];

export const FRONTS = {
  register: {
    create: createRegisterFront,
    settings: [{ nodes: [2, 3, 4], kinds: LOUD_KINDS, budget: false, judged: 'everything' }],
    flaws: REGISTER_FLAWS,
  },
  disk: {
    create: createDiskFront,
    settings: [{ nodes: [1], kinds: STOPS, budget: false, judged: 'everything' }],
    flaws: DISK_FLAWS,
  },
  mirror: {
    create: (parts: FrontParts) => createMirrorFront(parts),
    settings: [
      { nodes: [2, 3, 4], kinds: FORGETFUL_NEVER, budget: true, judged: 'everything' },
      { nodes: [2, 3, 4], kinds: CLOCKS_RUN, budget: true, judged: 'everything' },
      { nodes: [2, 3, 4], kinds: ONE_AT_A_TIME, budget: true, judged: 'everything' },
      {
        nodes: [2, 3, 4],
        kinds: ONE_FAILURE,
        budget: true,
        judged: 'everything',
        answerBoundMs: FAILURE_MS_MAX,
      },
      { nodes: [2, 3, 4], kinds: DISKS_STAY, budget: false, judged: 'safety', lockBlocksMax: 1 },
    ],
    flaws: {},
  },
  'mirror-cuts': focused(FOCUS.cuts),
  'mirror-heartbeat': focused(FOCUS.heartbeat, { strategy: 'heartbeat' }),
  'mirror-pauses': focused(FOCUS.pauses),
  'mirror-paths': focused(FOCUS.paths),
  'mirror-crashes': focused(FOCUS.crashes),
  'mirror-caches': focused(FOCUS.caches, { policy: 'back' }),
  'mirror-outages': focused(FOCUS.outages),
  'mirror-disks': focused(FOCUS.disks),
  'mirror-links': focused(FOCUS.links),
  'mirror-settings': focused(FOCUS.settings),
  'mirror-growth': focused(FOCUS.growth),
  'mirror-replicas': focused(FOCUS.replicas, { changesReplicas: true }),
} as const satisfies Readonly<Record<string, FrontKind>>;

/** The mirror under a few kinds of faults. */
function focused(setting: Setting, site: SiteFocus = {}): FrontKind {
  return { create: (parts) => createMirrorFront(parts, site), settings: [setting], flaws: {} };
}

export type FrontName = keyof typeof FRONTS;

export const frontNames = Object.keys(FRONTS) as FrontName[];
