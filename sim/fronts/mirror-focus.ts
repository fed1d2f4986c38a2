/**
 * Settings of the mirror in which a few kinds of faults come often: fronts of their own, for planted faults that the
 * broad settings find late. They are clean like all others.
 */

import type { FaultKind } from '../faults.ts';
import type { Pace } from '../nemesis.ts';
import type { Setting } from './table.ts';

/** Nearly all kinds at once, from flickers to what outlasts a lease. */
const DENSE: Pace = { shares: [0.5, 1], gapsMs: [300, 1500, 4000], durationsMs: [100, 1000, 4000] };
/** Longer than initiators wait. */
const LONG: Pace = { shares: [1], gapsMs: [500, 1500], durationsMs: [4000, 8000] };
/** Longer than leases last, one at a time. */
const SELDOM: Pace = { shares: [0.6, 1], gapsMs: [4000, 8000], durationsMs: [3000, 6000] };

const everything = (nodes: readonly number[], kinds: readonly FaultKind[], pace = DENSE): Setting => {
  return { nodes, kinds, pace, budget: true, judged: 'everything' };
};

export const FOCUS = {
  /** Who hears whom changes all the time. */
  cuts: everything(
    [2, 3, 4],
    ['cut', 'cutOneWay', 'partition', 'isolate', 'allSyncLinks', 'cutOneLink', 'cutPath'],
  ),
  /** Without a third party, and with one side silent or dead. */
  heartbeat: everything(
    [2, 2, 3],
    ['lossyLink', 'cut', 'cutOneWay', 'partition', 'isolate', 'allSyncLinks', 'crash'],
  ),
  /** Processes stand still and go on, while initiators try elsewhere. */
  pauses: everything([2, 3, 4], ['vmPause', 'vmPause', 'freeze'], SELDOM),
  /** Initiators lose sight of nodes. */
  paths: everything([2, 3], ['cutPath', 'slowLink'], LONG),
  /** One process after the other dies, with what its cache held. */
  crashes: everything([2, 3, 4], ['crash', 'powerLoss', 'isolate', 'cut', 'slowLink', 'slowDisk']),
  /** With caches written back, which not all flushes reach. */
  caches: everything([2, 3], ['crash', 'powerLoss', 'diskFlushErrors', 'slowDisk', 'cut']),
  /** All may die at once. */
  outages: {
    nodes: [2, 3, 4],
    kinds: ['blackout', 'crash', 'powerLoss', 'partition', 'isolate', 'slowLink'],
    pace: { shares: [0.5, 1], gapsMs: [3000, 6000], durationsMs: [300, 2000] },
    budget: false,
    judged: 'safety',
    lockBlocksMax: 1,
  },
  /** Media fail. */
  disks: everything(
    [2, 3, 4],
    [
      'diskReadErrors',
      'diskWriteErrors',
      'diskFlushErrors',
      'diskFull',
      'hungDisk',
      'slowDisk',
      'powerLoss',
      'cut',
    ],
  ),
  /** Administrators change settings and restart nodes, while who hears whom changes. */
  settings: everything(
    [2, 3, 4],
    ['operator', 'operator', 'cut', 'isolate', 'crash', 'powerLoss', 'slowLink'],
  ),
  /** Administrators make the device larger, while nodes and disks come and go. */
  growth: everything(
    [2, 3, 4],
    ['operator', 'operator', 'crash', 'powerLoss', 'diskFull', 'oldDisk', 'emptyDisk', 'cut', 'slowDisk'],
    { shares: [0.5, 1], gapsMs: [800, 3000], durationsMs: [300, 2000, 5000] },
  ),
  /** Nodes get copies and lose them, while they come and go. */
  replicas: everything(
    [2, 3, 4],
    ['crash', 'powerLoss', 'isolate', 'cut', 'cutOneWay', 'emptyDisk', 'slowDisk', 'operator'],
    { shares: [0.3, 1], gapsMs: [1500, 5000], durationsMs: [300, 2000, 5000] },
  ),
  /** Connections break and messages are late: a third node knows more, or less. */
  links: everything(
    [3, 3, 4],
    ['resetConnections', 'slowLink', 'lossyLink', 'flap', 'cutOneLink', 'cut', 'crash'],
  ),
} as const satisfies Readonly<Record<string, Setting>>;
