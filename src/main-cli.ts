/** The process a user starts: reads the command line and, for the commands that serve, is the supervisor. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { CommanderError } from 'commander';
import type { Result } from './base/result.ts';
import { createLoginRouter } from './engine/login-router.ts';
import { createPartnerRouter } from './engine/partner-router.ts';
import type { StartFault } from './engine/messages.ts';
import { createMirror } from './main-create.ts';
import { runDemo } from './main-demo.ts';
import { deviceActions } from './main-devices.ts';
import { runDrill } from './main-drill.ts';
import { checkLinks } from './main-links.ts';
import { nodeActions } from './main-node.ts';
import { replicaActions } from './main-replicas.ts';
import { adviceOn } from './management/advice.ts';
import type { Issued } from './management/certificates.ts';
import type { Initialization } from './management/cli/cluster-commands.ts';
import { createProgram, type Actions, type Common } from './management/cli/program.ts';
import { ExitStatus } from './management/cli/exit-status.ts';
import { createProgress, tellWritingOut } from './management/cli/progress.ts';
import { linksJson, linksText } from './management/cli/links.ts';
import { readyLine, readyText } from './management/cli/ready.ts';
import { formatFaults, readConfig } from './management/config/load.ts';
import { resolveConfig } from './management/config/resolve.ts';
import { askStatus, formatStatus } from './management/control/client.ts';
import { type ExportOptions, planExport } from './management/export-plan.ts';
import type { NodePlan } from './management/plan.ts';
import { defaultStateDirectory, machineId, newStartId, nodeIdIn } from './management/state.ts';
import { createSupervisor } from './management/supervisor.ts';
import { spawnChild } from './runtime/child-process.ts';
import { systemClock } from './runtime/clock.ts';
import { listen } from './runtime/listener.ts';
import { createLog } from './runtime/log.ts';
import { openRecordFile } from './runtime/record-file.ts';
import { onStopSignals } from './runtime/signals.ts';
import { isVirtualMachine } from './runtime/virtual-machine.ts';
import { memoryOfMachine } from './runtime/memory.ts';

const root = path.resolve(import.meta.dirname, '..');

export async function runCommand(argv: readonly string[]): Promise<void> {
  process.stdout.on('error', ignoreGoneReader);
  process.stderr.on('error', ignoreGoneReader);
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  const program = createProgram(version, actions);
  program.exitOverride();
  for (const command of program.commands) {
    command.exitOverride();
    for (const inner of command.commands) inner.exitOverride();
  }
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? ExitStatus.ok : ExitStatus.usage;
  }
}

/** Whoever reads our output may have seen enough (`| head`); serving goes on. */
function ignoreGoneReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

const actions: Actions = {
  ...deviceActions,
  ...nodeActions,
  ...replicaActions,
  export: exportDisks,
  serve,
  status,
  checkConfig,
  drill: runDrill,
  clusterInit,
  clusterCheck,
  clusterCertificate,
  createMirror: createMirrorCopy,
  demo: runDemo,
};

async function exportDisks(
  files: readonly string[],
  options: ExportOptions & Common & { readonly state?: string },
): Promise<void> {
  const stateDirectory = path.resolve(options.state ?? path.join(defaultStateDirectory(), 'export'));
  const plan = planExport(files, options, {
    directory: process.cwd(),
    stateDirectory,
    nodeId: machineId(),
    startId: newStartId(),
    memory: memoryOfMachine(),
  });
  if (plan.ok) await run(plan.value, options);
  else refuse(plan.fault);
}

async function serve(options: Common & { readonly config: string }): Promise<void> {
  const plan = planOf(options.config, true);
  if (plan === undefined) return;
  await run(plan, options);
}

async function createMirrorCopy(
  device: string,
  options: { readonly config: string; readonly init: Initialization },
): Promise<void> {
  const plan = planOf(options.config, true);
  if (plan === undefined) return;
  const progress = createProgress();
  const made = await createMirror(plan, device, {
    init: options.init,
    onProgress: progress.show,
  });
  progress.stop();
  if (!made.ok) return refuse(made.fault);
  process.stdout.write(`${made.value}\n`);
  await adviseOnLinks(plan, device);
}

/** Of partners that do not run yet there is nothing to tell. */
async function adviseOnLinks(plan: NodePlan, device: string): Promise<void> {
  const { cluster } = plan;
  const part = [...plan.devices, ...plan.witnessed].find(({ name }) => name === device);
  if (cluster === undefined || part === undefined || !('site' in part)) return;
  const checked = await checkLinks({ ...plan, cluster }, part.site.nodes);
  if (!checked.ok) {
    process.stderr.write(`lockstep: advice: The links could not be measured: ${checked.fault}.\n`);
    return;
  }
  const { links, advice } = checked.value;
  const away = [...new Set(links.flatMap(({ partner, measured }) => (measured.ok ? [] : [partner])))];
  for (const sentence of advice) process.stderr.write(`lockstep: advice: ${sentence}\n`);
  if (away.length > 0)
    process.stderr.write(
      `lockstep: advice: The links to ${away.join(', ')} could not be measured, since no node answers there: once it runs, see what \`lockstep cluster check\` says.\n`,
    );
}

function checkConfig(file: string): Promise<void> {
  const plan = planOf(file, false);
  if (plan !== undefined) {
    advise(plan);
    process.stdout.write(`${file}: good; ${plan.targets.length} targets, ${plan.devices.length} devices\n`);
  }
  return Promise.resolve();
}

/** `forReal`: the state directory is made and the node gets its lasting identity. */
function planOf(file: string, forReal: boolean): NodePlan | undefined {
  const config = readConfig(file);
  if (!config.ok) {
    refuse(formatFaults(file, config.fault));
    return undefined;
  }
  const directory = path.dirname(path.resolve(file));
  const stateDirectory = path.resolve(
    directory,
    config.value.node.state_directory ?? defaultStateDirectory(),
  );
  const nodeId = forReal ? nodeIdIn(stateDirectory) : { ok: true as const, value: 'check' };
  if (!nodeId.ok) {
    process.stderr.write(`lockstep: ${nodeId.fault}\n`);
    process.exitCode = ExitStatus.failure;
    return undefined;
  }
  const plan = resolveConfig(config.value, {
    directory,
    stateDirectory,
    nodeId: nodeId.value,
    startId: newStartId(),
    isVirtualMachine: isVirtualMachine(),
    memory: memoryOfMachine(),
  });
  if (plan.ok) return plan.value;
  refuse(formatFaults(file, plan.fault));
  return undefined;
}

async function status(options: { readonly state?: string; readonly json?: boolean }): Promise<void> {
  const directory = path.resolve(options.state ?? defaultStateDirectory());
  const answer = await askStatus(directory);
  if (!answer.ok) {
    process.stderr.write(`lockstep: ${answer.fault}\n`);
    process.exitCode = ExitStatus.failure;
    return;
  }
  process.stdout.write(
    options.json === true ? `${JSON.stringify(answer.value)}\n` : formatStatus(answer.value),
  );
}

async function clusterInit(directory: string, { name }: { readonly name: string }): Promise<void> {
  const make = (await import('./management/certificates.ts')).initCluster;
  tellIssued(await make(directory, name, new Date()));
}

async function clusterCertificate(
  directory: string,
  { node, out }: { readonly node: string; readonly out?: string },
): Promise<void> {
  const issue = (await import('./management/certificates.ts')).issueNodeCertificate;
  const options = { node, out: out ?? path.join(directory, node), now: new Date() };
  tellIssued(await issue(directory, options));
}

async function clusterCheck(options: { readonly config: string; readonly json?: boolean }): Promise<void> {
  const plan = planOf(options.config, false);
  if (plan === undefined) return;
  const { cluster } = plan;
  if (cluster === undefined) return refuse(`${options.config} has no [cluster]: there is nothing to check.`);
  const checked = await checkLinks({ ...plan, cluster });
  if (!checked.ok) return refuse(`The links cannot be checked: ${checked.fault}.`);
  const { value } = checked;
  process.stdout.write(options.json === true ? linksJson(value) : linksText(value));
  if (value.links.some(({ measured }) => !measured.ok)) process.exitCode = ExitStatus.failure;
}

function tellIssued(issued: Result<Issued, string>): void {
  if (!issued.ok) return refuse(issued.fault);
  const { files, notAfter } = issued.value;
  process.stdout.write(`${files.join('\n')}\nvalid until ${notAfter.toISOString().slice(0, 10)}\n`);
}

function refuse(message: string): void {
  const text = message.endsWith('\n') ? message : `lockstep: ${message}\n`;
  process.stderr.write(text);
  process.exitCode = ExitStatus.usage;
}

function advise(plan: NodePlan): void {
  for (const sentence of adviceOn(plan.devices)) process.stderr.write(`lockstep: advice: ${sentence}\n`);
}

/** Serves until a signal comes. Ends the process. */
async function run(plan: NodePlan, options: Common): Promise<void> {
  advise(plan);
  process.title = 'lockstep supervisor';
  const trace = createLog(options.logLevel, 'supervisor');
  const progress = createProgress();
  const supervisor = createSupervisor({
    plan,
    spawn: (role, index, handlers) =>
      spawnChild(
        {
          program: path.join(root, 'src/main.ts'),
          args: [role, String(index)],
          compileCache: path.join(root, '.cache/compile'),
          environment: { LOCKSTEP_LOG_LEVEL: options.logLevel },
        },
        handlers,
      ),
    listen,
    clock: systemClock,
    trace,
    createRouter: createLoginRouter,
    createPartnerRouter,
    cacheRecord:
      plan.stateDirectory === undefined
        ? undefined
        : openRecordFile(path.join(plan.stateDirectory, 'caches')),
    onProgress: progress.show,
    onWritingOut: tellWritingOut,
  });
  let asked = false;
  onStopSignals({
    onStop: () => {
      asked = true;
      void supervisor.stop().then((inOrder) => end(inOrder ? ExitStatus.ok : ExitStatus.failure, inOrder));
    },
    onInsist: () => {
      supervisor.kill();
      process.stderr.write('lockstep: killed by a second signal; what was in progress is lost.\n');
      process.exit(ExitStatus.failure);
    },
  });
  const started = await supervisor.start();
  progress.stop();
  if (asked) return; // the stop ends the process
  if (started.ok) {
    process.stdout.write(options.json === true ? readyLine(started.value) : readyText(plan, started.value));
    return;
  }
  await supervisor.stop();
  process.stderr.write(`lockstep: ${started.fault.message}\n`);
  process.exit(statusOf(started.fault));
}

function end(exitStatus: number, inOrder: boolean): void {
  if (!inOrder) {
    process.stderr.write('lockstep: not everything stopped in time and was killed; see the log.\n');
  }
  process.exit(exitStatus);
}

function statusOf(fault: StartFault): ExitStatus {
  switch (fault.reason) {
    case 'configuration':
      return ExitStatus.usage;
    case 'inUse':
      return ExitStatus.inUse;
    case 'system':
      return ExitStatus.failure;
  }
}
