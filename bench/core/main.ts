/**
 * `node --expose-gc bench/core/main.ts`: decisions of the mirror's core alone: MirrorNodes of one process
 * over RAM, whose messages arrive at once. Mirrored 4K writes per second of one core through one node, each decided on
 * every node, and the growth of the heap over the run; then what the messages of such a write cost as bytes. Never a pass
 * or fail: figures to read.
 */
import { createMirrorCluster } from './cluster.ts';
import { benchCodec } from './codec.ts';

const ROUND = 1000;

console.log(await benchCore(1, 3));
console.log(benchCodec());
process.exit(0);

async function benchCore(nodes: number, seconds: number): Promise<string> {
  const cluster = await createMirrorCluster(nodes);
  await cluster.ready();
  // Warm.
  for (let round = 0; round < 20; round++) await cluster.write(ROUND); // oxlint-disable-line no-await-in-loop -- in turn
  collect();
  const heapBefore = process.memoryUsage().heapUsed;
  const begun = process.cpuUsage();
  let writes = 0;
  const until = performance.now() + 1000 * seconds;
  while (performance.now() < until) {
    // oxlint-disable-next-line no-await-in-loop -- one round after the other
    await cluster.write(ROUND);
    writes += ROUND;
  }
  const { user, system } = process.cpuUsage(begun);
  const perSecond = writes / ((user + system) / 1e6);
  await new Promise((resolve) => setTimeout(resolve, 500));
  collect();
  const grown = process.memoryUsage().heapUsed - heapBefore;
  cluster.stop();
  const perNode = Math.round(1e9 / perSecond / nodes);
  return `${nodes} nodes: ${Math.round(perSecond)} mirrored writes/s of one core (${perNode} ns for each node), heap ${(grown / 2 ** 20).toFixed(1)} MiB larger after ${writes} writes`;
}

function collect(): void {
  (globalThis as { gc?(): void }).gc?.();
}
