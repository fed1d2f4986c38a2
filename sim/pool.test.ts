// Goal: it makes no difference in which process a seed runs. Method: the same seeds in one and in two.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answer, Job } from './pool.ts';
import { runJobs } from './pool.ts';
import { createSummary } from './summary.ts';

const seeds = Array.from({ length: 6 }, (_, i): Job => {
  return { kind: 'trial', trial: { front: 'register', seed: i + 1, seconds: 2 } };
});

test('seeds have the same histories in one process and in several', async () => {
  const hashes = await Promise.all(
    [1, 2].map(async (processes) => {
      const summary = createSummary([]);
      const lines: string[] = [];
      const cpuMs = await runJobs(seeds, processes, (answer: Answer) => {
        assert.ok(answer.kind === 'trial');
        summary.add(answer.result);
        lines.push(`${answer.trial.seed} ${answer.result.traceHash}`);
      });
      assert.ok(cpuMs > 0);
      assert.match(summary.text(cpuMs), /^6 seeds, .*\nfaults: .*\nviolations: none/);
      return lines.sort();
    }),
  );
  assert.deepEqual(hashes[0], hashes[1]);
});

test('hunts come back from another process, too', async () => {
  const hunt = { front: 'register', flaw: 'splitBrain', seconds: 2, seed: 1, seedsMax: 20 } as const;
  const found: string[] = [];
  await runJobs([{ kind: 'hunt', hunt }], 2, (answer) => {
    if (answer.kind === 'hunt') found.push(answer.result.verdict);
  });
  assert.deepEqual(found, ['found']);
});
