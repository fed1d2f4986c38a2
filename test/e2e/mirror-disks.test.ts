/**
 * Goal: whatever the disk of one node does, hosts go on over the others, and when it is whole again its copy comes back by
 * itself. Method: as in mirror-faults.test.ts, with a layer below data and records of each node that fails on command.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Fault, startAgain } from '../../src/management/drill/faults.ts';
import { pause } from '../../src/management/drill/site.ts';
import { type DrillCluster, startDrillCluster } from './drill-cluster.ts';
import type { Shape } from './drill-config.ts';
import { runDrill } from './run-drill.ts';
import { type DiskEffect, type DiskOperation, layerLacks } from './storage-layer/storage-layer.ts';
import { switchLacks } from './switch.ts';

const LIMIT_MS = 200_000;
const TIMES = { awayMs: 4000, frozenMs: 7000 };
/** A copy whose disk does not answer is given up after some seconds, and then a host gives up its path. */
const STALL_MS_MAX = 15_000;
const HANGS_MS = 10_000;
const FAILS_MS = 1500;
/** From the start of a process until it takes part. */
const STARTS_MS = 4000;

const DATA = '*/disk1.img';
const RECORDS = '*.records';

interface DiskFailure {
  readonly title: string;
  readonly files: string;
  readonly operations: readonly DiskOperation[];
  readonly effect: DiskEffect;
  readonly forMs: number;
  /** The node is killed before and started again while the disk is as it is: records are written then. */
  readonly atStart: boolean;
}

function failure(
  title: string,
  files: string,
  operations: readonly DiskOperation[],
  { effect = 'eio', forMs = FAILS_MS, atStart = false }: Partial<DiskFailure> = {},
): DiskFailure {
  return { title, files, operations, effect, forMs, atStart };
}

const AT_START = { atStart: true, forMs: STARTS_MS };
const ALL: readonly DiskOperation[] = ['read', 'write', 'flush'];
const USUAL: readonly DiskFailure[] = [
  failure('data cannot be written', DATA, ['write']),
  failure('nothing can be read, written or flushed', '*', ALL),
  failure('data cannot be flushed', DATA, ['flush']),
  failure('the disk hangs', '*', ALL, { effect: 'hang', forMs: HANGS_MS }),
];
const FAILURES: readonly DiskFailure[] = [
  // Later every block has its place.
  failure('the disk is full', DATA, ['write'], { effect: 'full' }),
  ...USUAL,
  failure('data cannot be read', DATA, ['read']),
  failure('records cannot be written', RECORDS, ['write'], AT_START),
  failure('records cannot be flushed', RECORDS, ['flush'], AT_START),
];

function faultOf(cluster: DrillCluster, failing: DiskFailure): Fault {
  const { title, files, operations, effect, forMs, atStart } = failing;
  return {
    name: title,
    title,
    needs: 'processes',
    leavesPath: true,
    async run(_site, victim) {
      const disk = cluster.disks.get(victim.name)!;
      const before = await disk.hits();
      if (atStart) await victim.process.kill();
      // oxlint-disable-next-line no-await-in-loop -- a few
      for (const operation of operations) await disk.set({ files, operation, effect });
      if (atStart) await startAgain(victim);
      await pause(forMs);
      const hits = (await disk.clear()) - before;
      assert.ok(hits > 0, `nothing has met this: ${title}`);
    },
  };
}

interface Setup {
  readonly title: string;
  readonly shape: Shape;
  readonly seed: number;
  readonly firstVictim: number;
  readonly failures: readonly DiskFailure[];
}

const SETUPS: readonly Setup[] = [
  {
    title: 'two nodes, heartbeat',
    shape: { strategy: 'heartbeat', copies: 2, sector: 4096, size: '16M', disks: 'volatile' },
    seed: 11,
    failures: FAILURES,
    firstVictim: 0,
  },
  {
    title: 'three nodes, majority',
    shape: { strategy: 'majority', copies: 3, sector: 512, size: '16M', disks: 'volatile' },
    seed: 12,
    failures: USUAL,
    firstVictim: 1,
  },
];

describe('hosts do not notice a disk', { concurrency: 1 }, () => {
  for (const { title, shape, seed, firstVictim, failures } of SETUPS) {
    test(title, { timeout: LIMIT_MS }, async (t) => {
      const lack = (await switchLacks()) ?? layerLacks();
      if (lack !== undefined) return t.skip(lack);
      await using cluster = await startDrillCluster(shape, { seed });
      const reports = await runDrill(t, cluster, {
        faults: failures.map((one) => faultOf(cluster, one)),
        times: TIMES,
        firstVictim,
      });
      for (const { title: fault, measured } of reports)
        assert.ok(measured.stallMs < STALL_MS_MAX, `${fault}: ${measured.stallMs} ms`);
    });
  }
});
