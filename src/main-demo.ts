/** `lockstep demo`: starts every node of a demo cluster as a process of its own, waits until all copies are synchronized. */

import path from 'node:path';
import { ExitStatus } from './management/cli/exit-status.ts';
import { askStatus } from './management/control/client.ts';
import type { NodeStatus } from './management/control/status.ts';
import { NodeProcess, runToEnd } from './management/demo/node-process.ts';
import { type Demo, type DemoOptions, prepareDemo } from './management/demo/plan.ts';
import { demoLine, demoText, synchronized } from './management/demo/report.ts';
import { onStopSignals } from './runtime/signals.ts';

const COMMAND = [process.execPath, path.resolve(import.meta.dirname, 'main.ts')];
const LOOK_MS = 100;
/** Nodes find each other, and agree, within seconds; a slow machine gets more. */
const SYNCHRONIZED_MS_MAX = 120_000;

export async function runDemo(
  options: DemoOptions & { readonly json?: boolean; readonly logLevel: string },
): Promise<void> {
  const prepared = await prepareDemo(options, new Date());
  if (!prepared.ok) return refuse(prepared.fault);
  const demo = prepared.value;
  const processes = demo.nodes.map(
    ({ name, config }) =>
      new NodeProcess({ name, config, command: COMMAND, logLevel: options.logLevel, logFile: undefined }),
  );
  const stop = async (exitStatus: number): Promise<void> => {
    const ended = await Promise.all(processes.map((node) => node.stop()));
    process.exit(ended.every(Boolean) ? exitStatus : ExitStatus.failure);
  };
  onStopSignals({
    onStop: () => void stop(ExitStatus.ok),
    onInsist: () => {
      void Promise.all(processes.map((node) => node.kill())).then(() => process.exit(ExitStatus.failure));
    },
  });
  const made = await makeCopies(demo);
  if (made !== undefined) return refuse(made);
  const started = await Promise.all(processes.map((node) => node.start()));
  const failed = started.find((node) => !node.ok);
  if (failed !== undefined && !failed.ok) {
    process.stderr.write(`lockstep: ${failed.fault}\n`);
    return stop(ExitStatus.failure);
  }
  const device = await untilSynchronized(demo);
  if (device === undefined) {
    process.stderr.write('lockstep: the copies did not come together in time; see the log.\n');
    return stop(ExitStatus.failure);
  }
  const shown = demo.nodes.flatMap(({ name, stateDirectory }, index) => {
    const { ready } = processes[index]!;
    if (ready === undefined) return [];
    const { portals, targets, pids } = ready;
    return { name, portals, target: targets[0], management: stateDirectory, pids };
  });
  process.stdout.write(options.json === true ? demoLine(shown, device) : demoText(shown, device));
}

/** The fault, if any. */
async function makeCopies(demo: Demo): Promise<string | undefined> {
  if (!demo.isNew) return undefined;
  for (const node of demo.nodes) {
    // oxlint-disable-next-line no-await-in-loop -- each is quick, and the first fault counts
    const made = await runToEnd(COMMAND, ['mirror', 'create', demo.device, '--config', node.config]);
    if (!made.ok) return made.fault;
  }
  return undefined;
}

async function untilSynchronized(demo: Demo) {
  const copies = demo.nodes.filter(({ isWitness }) => !isWitness);
  const until = performance.now() + SYNCHRONIZED_MS_MAX;
  while (performance.now() < until) {
    const statuses = await Promise.all(
      copies.map(async ({ stateDirectory }): Promise<NodeStatus | undefined> => {
        const answer = await askStatus(stateDirectory);
        return answer.ok ? answer.value : undefined;
      }),
    );
    const device = synchronized(statuses, demo.device, copies.length);
    if (device !== undefined) return device;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return undefined;
}

function refuse(message: string): void {
  process.stderr.write(`lockstep: ${message}\n`);
  process.exitCode = ExitStatus.usage;
}
