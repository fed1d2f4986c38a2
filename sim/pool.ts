/**
 * Jobs over processes: with one, they run in this one; with more, each runs in a child that takes the next job when it is
 * done. What a job does is decided by its data, so it does not matter where it runs.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Hunt, HuntResult } from './hunt.ts';
import { findFlaw } from './hunt.ts';
import type { Trial } from './trial.ts';
import { runTrial } from './trial.ts';
import type { RunResult } from './world.ts';

export type Job =
  | { readonly kind: 'trial'; readonly trial: Trial }
  | { readonly kind: 'hunt'; readonly hunt: Hunt };

export type Answer =
  | { readonly kind: 'trial'; readonly trial: Trial; readonly result: RunResult }
  | { readonly kind: 'hunt'; readonly hunt: Hunt; readonly result: HuntResult };

interface FromChild {
  readonly answer: Answer;
  /** Of the child so far. */
  readonly cpuMs: number;
}

const MAIN = `${import.meta.dirname}/main.ts`;
/** Hardly anything that a run makes outlives an event: with 16 MiB, collecting it takes a tenth of the time. */
const YOUNG = '--max-semi-space-size=64';
/** The argument by which main.ts knows that it is a child. */
export const CHILD = 'child';

/** Answers how many milliseconds of CPU time all took. */
export async function runJobs(
  jobs: Iterable<Job>,
  processes: number,
  onAnswer: (answer: Answer) => void,
): Promise<number> {
  if (processes > 1) return inChildren(jobs, processes, onAnswer);
  const before = cpuMs();
  for (const job of jobs) onAnswer(await perform(job));
  return cpuMs() - before;
}

/** The child's part; it ends when the parent lets go of it. */
export function serveJobs(): void {
  process.on('message', (job) => {
    void perform(job as Job).then((answer) => process.send!({ answer, cpuMs: cpuMs() } satisfies FromChild));
  });
}

async function perform(job: Job): Promise<Answer> {
  if (job.kind === 'trial') return { ...job, result: await runTrial(job.trial) };
  return { ...job, result: await findFlaw(job.hunt) };
}

async function inChildren(
  jobs: Iterable<Job>,
  processes: number,
  onAnswer: (answer: Answer) => void,
): Promise<number> {
  const iterator = jobs[Symbol.iterator]();
  const children = Array.from({ length: processes }, async () => {
    const child = fork(MAIN, [CHILD], { serialization: 'advanced', execArgv: [...process.execArgv, YOUNG] });
    let used = 0;
    const next = (): void => {
      const job = iterator.next();
      if (job.done === true) child.disconnect();
      else child.send(job.value);
    };
    child.on('message', (message) => {
      const { answer, cpuMs } = message as FromChild;
      used = cpuMs;
      onAnswer(answer);
      next();
    });
    next();
    const [status] = (await once(child, 'exit')) as [number | null];
    if (status !== 0) throw new Error(`a child ended with ${status}`);
    return used;
  });
  return (await Promise.all(children)).reduce((sum, used) => sum + used, 0);
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
