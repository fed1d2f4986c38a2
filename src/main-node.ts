/** `lockstep node stop`: asks whether hosts can go on without the node that runs here, stops it, and waits for its end. */

import path from 'node:path';
import { ExitStatus } from './management/cli/exit-status.ts';
import type { NodeActions, StopOptions } from './management/cli/node-commands.ts';
import { askDevice, askStatus } from './management/control/client.ts';
import type { NodeStatus } from './management/control/status.ts';
import { defaultStateDirectory } from './management/state.ts';

export const nodeActions: NodeActions = { stopNode };

const LOOK_MS = 100;
/** A node ends by itself well before. */
const STOP_MS_MAX = 30_000;

async function stopNode({ state, force }: StopOptions): Promise<void> {
  const directory = path.resolve(state ?? defaultStateDirectory());
  const status = await askStatus(directory);
  if (!status.ok) return failed([status.fault]);
  const { node, pid } = status.value;
  const reasons = force === true ? [] : await reasonsToStay(directory, status.value);
  if (reasons.length > 0)
    return failed([
      `Node ${node} was not stopped, since hosts would lose devices:`,
      ...reasons,
      'Wait until they can go on without it (lockstep device list), or say --force.',
    ]);
  process.kill(pid, 'SIGTERM');
  const until = performance.now() + STOP_MS_MAX;
  while (isAlive(pid)) {
    if (performance.now() > until) return failed([`Node ${node} has not ended yet; see its log.`]);
    // oxlint-disable-next-line no-await-in-loop -- until it is gone
    await new Promise((again) => setTimeout(again, LOOK_MS));
  }
  process.stdout.write(`Node ${node} has stopped.\n`);
}

async function reasonsToStay(directory: string, { engines }: NodeStatus): Promise<string[]> {
  const names = engines.flatMap(({ devices, witnessed }) =>
    [...devices, ...witnessed].map(({ name }) => name),
  );
  const answers = await Promise.all(names.map((name) => askDevice(directory, name, { kind: 'mayLeave' })));
  return answers.flatMap((answer) => (answer.ok ? [] : [answer.fault]));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // It is there, and another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function failed(lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`lockstep: ${line}\n`);
  process.exitCode = ExitStatus.failure;
}
