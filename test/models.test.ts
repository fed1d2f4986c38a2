/**
 * The rules of membership and failover, model-checked. Goal: no order of crashes, cuts and late answers breaks them.
 * Method: Spin searches every state of `models/*.pml` within small limits. Each rule that can be left out (-DNO_…) must
 * be missed by a named property: a model that cannot fail proves nothing.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';

interface Search {
  readonly model: 'heartbeat' | 'majority';
  readonly options: string;
  /** Weakly fair search for cycles in which a promised state never comes. */
  readonly liveness?: boolean;
}

interface Outcome {
  readonly errors: number;
  /** Name of the broken property, and the steps that lead there. */
  readonly broken: string | undefined;
  readonly depth: number;
  readonly states: number;
  readonly unreached: readonly string[];
}

const MODELS = resolve(import.meta.dirname, '../models');
const MEMORY_MAX_MIB = 4096;
const DEPTH_MAX = 1_000_000;
const SEARCH_MS_MAX = 170_000;
const run = promisify(execFile);

const heartbeat = (options: string): Search => ({ model: 'heartbeat', options });
const majority = (options: string): Search => ({ model: 'majority', options });

const HOLD: Readonly<Record<string, Search>> = {
  'suspend-low never splits, loses or shows the past': heartbeat('-DPOLICY=1'),
  'arbitrate never splits, loses or shows the past': heartbeat('-DPOLICY=2'),
  'continue loses nothing after a split, and chooses nothing by itself': heartbeat('-DPOLICY=0 -DDETECT'),
  'two nodes and a witness: two failures lead nobody to serve wrongly': majority(
    '-DDATA=2 -DTERMS=3 -DCRASHES=2',
  ),
};

/** Without a crash the steps of a restart are out of reach. */
const HOLD_WITHOUT_CRASH: Readonly<Record<string, Search>> = {
  'three nodes agree, whatever is cut and however late': majority('-DDATA=3 -DTERMS=3 -DCRASHES=0'),
};

const fair = (search: Search): Search => ({ ...search, liveness: true });
const COME_BACK: Readonly<Record<string, Search>> = {
  'suspend-low serves on both nodes again when faults stop': fair(
    heartbeat('-DPOLICY=1 -DLIVENESS -DFAULTS=2 -DWRITES=1'),
  ),
  'arbitrate serves on both nodes again when faults stop': fair(
    heartbeat('-DPOLICY=2 -DLIVENESS -DFAULTS=2 -DWRITES=1'),
  ),
  'arbitrate goes on with either node when the other stays dead': fair(
    heartbeat('-DPOLICY=2 -DSURVIVOR -DFAULTS=2 -DWRITES=1'),
  ),
  'continue comes to one history, or to a conflict that waits for someone': fair(
    heartbeat('-DPOLICY=0 -DDETECT -DLIVENESS -DFAULTS=2 -DWRITES=1'),
  ),
  'two nodes and a witness serve again with one of the three dead': fair(
    majority('-DDATA=2 -DTERMS=3 -DCRASHES=1 -DLIVENESS'),
  ),
};

/** Rule left out, search, property that must break. */
const MUTANTS: readonly (readonly [rule: string, search: Search, property: string])[] = [
  ['NO_LEASE_WAIT', heartbeat('-DPOLICY=1'), 'no_split_brain'],
  ['NO_LEASE_CHECK', heartbeat('-DPOLICY=1'), 'no_split_brain'],
  ['NO_WAITING_AT_START', heartbeat('-DPOLICY=1'), 'no_split_brain'],
  ['NO_BLOCK_FIRST', heartbeat('-DPOLICY=1'), 'no_split_brain'],
  ['NO_SEAL', heartbeat('-DPOLICY=1'), 'nothing_discarded'],
  ['NO_FLUSH', heartbeat('-DPOLICY=1'), 'no_stale_service'],
  ['NO_WAIT_FOR_ACK', heartbeat('-DPOLICY=1'), 'no_stale_service'],
  ['NO_DURABLE_BLOCK', heartbeat('-DPOLICY=2'), 'one_last_man'],
  ['NO_LATE_CLAIM', heartbeat('-DPOLICY=2'), 'one_last_man'],
  ['NO_CLAIM_CHECK', heartbeat('-DPOLICY=2'), 'one_last_man'],
  ['NO_PERSISTENT_CLAIM', heartbeat('-DPOLICY=2'), 'one_last_man'],
  ['NO_BOOT_LEASE', heartbeat('-DPOLICY=2'), 'no_split_brain'],
  ['NO_CONFLICT', heartbeat('-DPOLICY=0 -DDETECT'), 'nothing_discarded'],
  ['NO_ROLLED_WROTE', heartbeat('-DPOLICY=0 -DDETECT'), 'nothing_discarded'],
  ['NO_LEASE_WAIT', majority('-DCRASHES=1 -DTERMS=3'), 'one_serving_term'],
  ['NO_READ_LEASE', majority('-DCRASHES=1 -DTERMS=3'), 'one_serving_term'],
  ['NO_BOOT_LEASE', majority('-DCRASHES=1 -DTERMS=3'), 'one_serving_term'],
  ['NO_TERM_IN_HEARTBEAT', majority('-DCRASHES=1 -DTERMS=3'), 'no_stale_read'],
  ['NO_FLUSH', majority('-DCRASHES=1 -DTERMS=3'), 'no_stale_read'],
  ['NO_CARRIED_FLUSH', majority('-DCRASHES=1 -DTERMS=3'), 'no_stale_read'],
  ['NO_PENDING_FLUSH', majority('-DCRASHES=1 -DTERMS=3'), 'no_stale_read'],
  ['NO_SEAL', majority('-DCRASHES=1 -DTERMS=3'), 'no_stale_read'],
  ['NO_FULL_ACCEPT', majority('-DCRASHES=1 -DTERMS=3'), 'no_stale_read'],
  ['NO_INSTALL_SCOPE', majority('-DCRASHES=1 -DTERMS=3 -DDATA=3'), 'no_stale_read'],
  ['NO_FRESH_RULE', majority('-DCRASHES=1 -DTERMS=3'), 'committed_kept'],
  ['NO_ACK_FROM_ALL', majority('-DCRASHES=1 -DTERMS=3'), 'committed_kept'],
  ['NO_TERM_CHECK', majority('-DCRASHES=1 -DTERMS=3'), 'dropped_stays_dropped'],
  ['NO_LEARNER_PENDING', majority('-DCRASHES=1 -DTERMS=3 -DDATA=3'), 'dropped_stays_dropped'],
  ['NO_DURABLE_PROMISE', majority('-DCRASHES=1 -DTERMS=3'), 'one_configuration_per_term'],
];

describe('models of membership and failover', { concurrency: 2 }, () => {
  for (const [promise, search] of Object.entries({ ...HOLD, ...COME_BACK })) {
    test(promise, async () => {
      const outcome = await check(search);
      assert.equal(outcome.errors, 0, `broken: ${outcome.broken}`);
      if (search.liveness !== true) assert.deepEqual(outcome.unreached, []);
    });
  }
  for (const [promise, search] of Object.entries(HOLD_WITHOUT_CRASH)) {
    test(promise, async () => {
      const outcome = await check(search);
      assert.equal(outcome.errors, 0, `broken: ${outcome.broken}`);
    });
  }
  test('continue splits when every path is silent, in 13 steps at the least', async () => {
    const outcome = await check(heartbeat('-DPOLICY=0'), ['-DBFS']);
    assert.deepEqual([outcome.broken, outcome.depth], ['no_split_brain', 13]);
  });
  for (const [rule, search, property] of MUTANTS) {
    test(`${search.model} without its rule ${rule.slice(3)} breaks ${property}`, async () => {
      const flags = search.model === 'heartbeat' ? ['-DBFS'] : [];
      const outcome = await check({ ...search, options: `${search.options} -D${rule}` }, flags);
      assert.equal(outcome.broken, property);
    });
  }
});

async function check(search: Search, flags: readonly string[] = []): Promise<Outcome> {
  const cwd = await mkdtemp(join(tmpdir(), 'lockstep-model-'));
  try {
    await copyFile(join(MODELS, `${search.model}.pml`), join(cwd, 'model.pml'));
    await run('spin', ['-a', ...search.options.split(' '), 'model.pml'], { cwd });
    const kind = search.liveness === true ? ['-DNFAIR=4'] : ['-DSAFETY'];
    const compile = ['-O2', '-w', `-DMEMLIM=${MEMORY_MAX_MIB}`, '-DNOREDUCE', ...kind, ...flags];
    await run('gcc', [...compile, '-o', 'pan', 'pan.c'], { cwd });
    const words = [`-m${DEPTH_MAX}`, '-w24', ...(search.liveness === true ? ['-a', '-f'] : [])];
    const { stdout } = await run('./pan', words, { cwd, timeout: SEARCH_MS_MAX, maxBuffer: 1 << 26 });
    return outcomeOf(stdout);
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

/** A search that was cut short proves nothing: that is a failure of the test, not an outcome. */
function outcomeOf(report: string): Outcome {
  assert.doesNotMatch(
    report,
    /Search not completed[^]*out of memory|max search depth too small|out of memory/,
  );
  const errors = /errors: (\d+)/.exec(report);
  const states = /(\d+) states, stored/.exec(report);
  assert.ok(errors !== null && states !== null, report);
  const failure = /pan:\d+: (?:assertion violated )?(.+?) \(at depth (\d+)\)/.exec(report);
  const unreached = [...report.matchAll(/^\tmodel\.pml:(\d+), state \d+, "(.*)"$/gm)];
  return {
    errors: Number(errors[1]),
    broken: failure?.[1],
    depth: Number(failure?.[2] ?? 0),
    states: Number(states[1]),
    unreached: unreached.filter(([, , text]) => text !== '-end-').map(([, line, text]) => `${line}: ${text}`),
  };
}
