/** `lockstep demo`: starts every node of a demo cluster as a process of its own, waits until all copies are synchronized. */

import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fail, ok, type Result } from './base/result.ts';
import { ExitStatus } from './management/cli/exit-status.ts';
import { askStatus } from './management/control/client.ts';
import type { NodeStatus } from './management/control/status.ts';
import { type Demo, type DemoNode, type DemoOptions, prepareDemo } from './management/demo/plan.ts';
import { demoLine, demoText, type RunningNode, synchronized } from './management/demo/report.ts';
import { onStopSignals } from './runtime/signals.ts';

const program = path.resolve(import.meta.dirname, 'main.ts');
const LOOK_MS = 100;
/** Nodes find each other, and agree, within seconds; a slow machine gets more. */
const SYNCHRONIZED_MS_MAX = 120_000;

interface Running extends RunningNode {
  readonly child: ChildProcess;
}

export async function runDemo(
  options: DemoOptions & { readonly json?: boolean; readonly logLevel: string },
): Promise<void> {
  const prepared = await prepareDemo(options, new Date());
  if (!prepared.ok) return refuse(prepared.fault);
  const demo = prepared.value;
  const children: ChildProcess[] = [];
  const stop = async (exitStatus: number): Promise<void> => {
    const ended = await Promise.all(children.map((child) => end(child)));
    process.exit(ended.every(Boolean) ? exitStatus : ExitStatus.failure);
  };
  onStopSignals({
    onStop: () => void stop(ExitStatus.ok),
    onInsist: () => {
      for (const child of children) child.kill('SIGKILL');
      process.exit(ExitStatus.failure);
    },
  });
  if (demo.isNew) {
    for (const node of demo.nodes) {
      const made = await once(['mirror', 'create', demo.device, '--config', node.config]);
      if (!made.ok) return refuse(made.fault);
    }
  }
  const started = await Promise.all(demo.nodes.map((node) => startNode(node, options.logLevel, children)));
  const nodes = started.flatMap((node) => (node.ok ? [node.value] : []));
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
  const shown = nodes.map(({ child: _child, ...node }) => node);
  process.stdout.write(options.json === true ? demoLine(shown, device) : demoText(shown, device));
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

interface ReadyLine {
  readonly portals: readonly string[];
  readonly targets: readonly string[];
  readonly pids: readonly number[];
}

/** Answers when the node accepts logins. */
function startNode(
  node: DemoNode,
  logLevel: string,
  children: ChildProcess[],
): Promise<Result<Running, string>> {
  // A group of its own: a terminal's Ctrl+C is passed on by us, in order.
  const args = ['serve', '--config', node.config, '--json', '--log-level', logLevel];
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  children.push(child);
  return new Promise((resolve) => {
    child.once('exit', (status, signal) =>
      resolve(fail(`Node ${node.name} ended (${signal ?? `status ${status}`}) while it started.`)),
    );
    createInterface({ input: child.stdout }).once('line', (line) => {
      const { portals, targets, pids } = JSON.parse(line) as ReadyLine;
      const management = node.stateDirectory;
      resolve(ok({ name: node.name, portals, target: targets[0], management, pids, child }));
    });
  });
}

/** Runs a command of ours; what it prints on failure is the fault. */
function once(args: readonly string[]): Promise<Result<void, string>> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
  return new Promise((resolve) => {
    child.once('close', (status) => resolve(status === 0 ? ok(undefined) : fail(text.trim())));
  });
}

/** True: it ended in order. */
function end(child: ChildProcess): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(true);
  return new Promise((resolve) => {
    child.once('exit', (status) => resolve(status === 0));
    child.kill('SIGTERM');
  });
}

function refuse(message: string): void {
  process.stderr.write(`lockstep: ${message}\n`);
  process.exitCode = ExitStatus.usage;
}
