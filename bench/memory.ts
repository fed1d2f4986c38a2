/** Does memory grow? A mixed load for some minutes, resident memory sampled, and a line laid through the samples. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Contestant } from './contestants.ts';
import { fill, measure, residentBytes, type Workload } from './measure.ts';

export interface Growth {
  readonly minutes: number;
  readonly firstMiB: number;
  readonly lastMiB: number;
  readonly highestMiB: number;
  /** Of the least-squares line, without the first fifth, in which caches and the heap fill. */
  readonly kibibytesPerMinute: number;
  readonly operations: number;
}

const SAMPLE_EVERY_MS = 1_000;
const WORK: Workload = {
  title: '4K mixed, depth 32',
  operation: 'mixed',
  pattern: 'random',
  block: 4096,
  depth: 32,
};

export async function watchMemory(contestant: Contestant, minutes: number): Promise<Growth> {
  await fill(contestant);
  const samples: { readonly minute: number; readonly bytes: number }[] = [];
  const startedAt = performance.now();
  const work = measure(contestant, WORK, minutes * 60);
  let busy = true;
  const watched = work.finally(() => {
    busy = false;
  });
  while (busy) {
    samples.push({ minute: (performance.now() - startedAt) / 60_000, bytes: residentBytes(contestant.pids) });
    await Promise.race([watched, sleep(SAMPLE_EVERY_MS)]);
  }
  const { iops } = await watched;
  const mebibytes = samples.map(({ bytes }) => bytes / 2 ** 20);
  return {
    minutes,
    firstMiB: mebibytes[0]!,
    lastMiB: mebibytes.at(-1)!,
    highestMiB: Math.max(...mebibytes),
    kibibytesPerMinute: slope(samples.slice(Math.floor(samples.length / 5))) / 1024,
    operations: Math.round(iops * minutes * 60),
  };
}

/** Bytes per minute. */
function slope(samples: readonly { readonly minute: number; readonly bytes: number }[]): number {
  const count = samples.length;
  const meanX = samples.reduce((sum, { minute }) => sum + minute, 0) / count;
  const meanY = samples.reduce((sum, { bytes }) => sum + bytes, 0) / count;
  const covariance = samples.reduce((sum, { minute, bytes }) => sum + (minute - meanX) * (bytes - meanY), 0);
  const variance = samples.reduce((sum, { minute }) => sum + (minute - meanX) ** 2, 0);
  return variance === 0 ? 0 : covariance / variance;
}
