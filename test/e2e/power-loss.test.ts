/**
 * Goal: whoever loses power loses nothing that was acknowledged, and afterwards only hot areas are compared. Method: real
 * nodes over a layer that drops and tears what was not flushed; all of them, then one of them, lose power under load,
 * again and again (LOCKSTEP_POWER_CYCLES, 5 by default); one history is judged over all cycles, and in the end the images.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Fault, startAgain } from '../../src/management/drill/faults.ts';
import { type DrillNode, pause } from '../../src/management/drill/site.ts';
import { type DrillCluster, startDrillCluster } from './drill-cluster.ts';
import type { Shape } from './drill-config.ts';
import { runDrill } from './run-drill.ts';
import { layerLacks } from './storage-layer/storage-layer.ts';
import { switchLacks } from './switch.ts';

const CYCLES = Number(process.env['LOCKSTEP_POWER_CYCLES'] ?? 5);
const CYCLE_MS_MAX = 60_000;
const MIB = 2 ** 20;
/** The load keeps to this much of the device: two extents of the activity log, and no others are ever hot. */
const AREA_BYTES = 8 * MIB;
const DARK_MS = 300;
const TIMES = { awayMs: 2000, frozenMs: 0 };

interface Setup {
  readonly title: string;
  readonly shape: Shape;
  readonly seed: number;
}

const SETUPS: readonly Setup[] = [
  {
    title: 'two nodes, heartbeat',
    shape: { strategy: 'heartbeat', copies: 2, sector: 512, size: '256M', disks: 'volatile' },
    seed: 21,
  },
  {
    title: 'three nodes, majority',
    shape: { strategy: 'majority', copies: 3, sector: 512, size: '256M', disks: 'volatile' },
    seed: 22,
  },
];

/** All at one moment: no process is left to see another end. */
async function losePower({ disks }: DrillCluster, nodes: readonly DrillNode[]): Promise<void> {
  for (const { process } of nodes) process.freeze();
  await Promise.all(nodes.map(({ name }) => disks.get(name)!.powerOff()));
  await Promise.all(nodes.map(({ process }) => process.kill()));
}

async function powerOn({ disks }: DrillCluster, nodes: readonly DrillNode[]): Promise<void> {
  await Promise.all(
    nodes.map(async (node) => {
      await disks.get(node.name)!.start();
      await startAgain(node);
    }),
  );
}

function faultsOf(cluster: DrillCluster): readonly Fault[] {
  const one: Fault = {
    name: 'one node',
    title: 'one node loses power',
    needs: 'processes',
    leavesPath: true,
    async run(_site, victim, { awayMs }) {
      await losePower(cluster, [victim]);
      await pause(awayMs);
      await powerOn(cluster, [victim]);
    },
  };
  const all: Fault = {
    name: 'all nodes',
    title: 'all nodes lose power',
    needs: 'processes',
    leavesPath: false,
    async run({ nodes }) {
      await losePower(cluster, nodes);
      await pause(DARK_MS);
      await powerOn(cluster, nodes);
    },
  };
  return [...Array.from({ length: CYCLES }, () => all), one, one];
}

describe('nothing acknowledged is lost with the power', { concurrency: 1 }, () => {
  for (const { title, shape, seed } of SETUPS) {
    test(title, { timeout: (CYCLES + 2) * CYCLE_MS_MAX }, async (t) => {
      const lack = (await switchLacks()) ?? layerLacks();
      if (lack !== undefined) return t.skip(lack);
      await using cluster = await startDrillCluster(shape, { seed, areaBytes: AREA_BYTES });
      const reports = await runDrill(t, cluster, {
        faults: faultsOf(cluster),
        times: TIMES,
        firstVictim: 0,
        redundantMsMax: CYCLE_MS_MAX / 2,
      });
      const copies = shape.copies - 1;
      for (const { fault, resynchronizedBytes, fullResyncs } of reports) {
        assert.equal(fullResyncs, 0, fault);
        assert.ok(resynchronizedBytes <= copies * AREA_BYTES, `${fault}: ${resynchronizedBytes} bytes`);
      }
    });
  }
});
