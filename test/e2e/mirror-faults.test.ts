/**
 * Goal: whatever breaks, hosts go on as long as a path is left, nothing acknowledged is lost or mixed up, and all copies come
 * together again. Method: nodes as real processes in network namespaces, with a switch that cuts cables; a host with
 * multipathing reads and writes through all nodes while one thing after another breaks; every value it has seen is judged,
 * and in the end the image files are compared.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { faultNamed, type FaultName } from '../../src/management/drill/faults.ts';
import { runSequence } from '../../src/management/drill/sequence.ts';
import { logsOf, type Shape, startDrillCluster } from './drill-cluster.ts';
import { switchLacks } from './switch.ts';

const LIMIT_MS = 230_000;
const FAULTS: readonly FaultName[] = [
  'kill',
  'freeze',
  'sync-link',
  'sync-links',
  'all-links',
  'one-way',
  'front',
  'stop',
  'outage',
];
const TIMES = { awayMs: 4000, frozenMs: 7000 };
const BEFORE_MS = 500;
const REDUNDANT_MS_MAX = 60_000;
/** A host gives up a path after 5 s, and a takeover takes 3 s; a busy machine gets more. */
const STALL_MS_MAX = 15_000;

interface Setup {
  readonly title: string;
  readonly shape: Shape;
  readonly seed: number;
  /** Which copy the first fault hits: the preferred one is not always the same one that is killed. */
  readonly firstVictim: number;
}

const SETUPS: readonly Setup[] = [
  {
    title: 'two nodes, heartbeat',
    shape: { strategy: 'heartbeat', copies: 2, hasWitness: false, sector: 4096, size: '16M' },
    seed: 1,
    firstVictim: 0,
  },
  {
    title: 'two nodes and a witness, majority',
    shape: { strategy: 'majority', copies: 2, hasWitness: true, sector: 512, size: '16M' },
    seed: 2,
    firstVictim: 1,
  },
  {
    title: 'three nodes, majority',
    shape: { strategy: 'majority', copies: 3, hasWitness: false, sector: 4096, size: '16M' },
    seed: 3,
    firstVictim: 0,
  },
];

describe('hosts do not notice', { concurrency: 1 }, () => {
  for (const { title, shape, seed, firstVictim } of SETUPS) {
    test(title, { timeout: LIMIT_MS }, async (t) => {
      const lack = await switchLacks();
      if (lack !== undefined) return t.skip(lack);
      await using cluster = await startDrillCluster(shape, seed);
      const { site, load } = cluster;
      const reports = await runSequence({
        site,
        load,
        faults: FAULTS.map(faultNamed),
        times: TIMES,
        beforeMs: BEFORE_MS,
        eachMs: 0,
        redundantMsMax: REDUNDANT_MS_MAX,
        firstVictim,
        onReport: ({ fault, victim, measured, redundantAfterMs }) =>
          t.diagnostic(
            `${fault} of ${victim}: ${measured.commands} commands, stall ${Math.round(measured.stallMs)} ms at ${Math.round(measured.stallAtMs)} ms, ` +
              `redundant after ${Math.round(redundantAfterMs ?? Infinity)} ms`,
          ),
      });
      const wrong = reports.flatMap((report) => report.wrong.map((text) => `${report.title}: ${text}`));
      const logs = wrong.length > 0 ? logsOf(site.nodes) : '';
      assert.deepEqual([...wrong, ...(await cluster.end())], [], logs);
      for (const { title: fault, victim, measured } of reports)
        if (victim !== 'all') assert.ok(measured.stallMs < STALL_MS_MAX, `${fault}: ${measured.stallMs} ms`);
    });
  }
});
