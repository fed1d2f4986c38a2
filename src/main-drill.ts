/** `lockstep drill`: a scratch cluster, a load on it, and one fault after another; what came of it. */

import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fail, ok, type Result } from './base/result.ts';
import { DrillSession } from './drill/session.ts';
import { ExitStatus } from './management/cli/exit-status.ts';
import { NodeProcess, runToEnd } from './management/demo/node-process.ts';
import { type Demo, prepareDemo } from './management/demo/plan.ts';
import { faultNamed, PROCESS_FAULTS } from './management/drill/faults.ts';
import type { DrillOptions } from './management/drill/options.ts';
import { drillPage } from './management/drill/page.ts';
import { type DrillReport, drillText, isClean } from './management/drill/report.ts';
import { type LoadControl, runSequence } from './management/drill/sequence.ts';
import { copiesOf, type Site, untilSynchronized } from './management/drill/site.ts';
import { systemClock } from './runtime/clock.ts';
import { connect } from './runtime/connect.ts';
import { crc32c } from './runtime/crc32c.ts';
import { onStopSignals } from './runtime/signals.ts';

const COMMAND = [process.execPath, path.resolve(import.meta.dirname, 'main.ts')];
const DEVICE_BYTES = 128 * 2 ** 20;
const BEFORE_MS = 2000;
const TIMES = { awayMs: 5000, frozenMs: 10_000 };
const REDUNDANT_MS_MAX = 120_000;
/** Longer than everything together may take: hosts queue while there is no path. */
const QUEUE_MS_MAX = 120_000;
/** What became of the host's paths, beside the logs of the nodes. */
const HOST_LOG = 'host.log';
const INITIATOR = 'iqn.2026-01.io.lockstep:drill';

const NO_OUTAGE = `With --cache wb:SIZE an outage of all nodes at once loses what was not flushed: leave it out, with --faults ${PROCESS_FAULTS.filter((name) => name !== 'outage').join(',')}.`;

export async function runDrill(options: DrillOptions): Promise<void> {
  if (options.cache.writeCache === 'back' && options.faults.includes('outage'))
    return end(ExitStatus.usage, NO_OUTAGE);
  const directory = path.resolve(options.directory ?? mkdtempSync(path.join(tmpdir(), 'lockstep-drill-')));
  const prepared = await prepareDemo({ ...options, directory, size: DEVICE_BYTES }, new Date());
  if (!prepared.ok) return end(ExitStatus.usage, prepared.fault);
  if (!prepared.value.isNew)
    return end(ExitStatus.usage, `There is a cluster in ${directory}: name another directory with --dir.`);
  const site = siteOf(prepared.value);
  const letGo = async (): Promise<void> => {
    await Promise.all(site.nodes.map((node) => node.process.kill()));
    if (options.directory === undefined) rmSync(directory, { recursive: true });
  };
  const abort = (): void => void letGo().then(() => process.exit(ExitStatus.failure));
  onStopSignals({ onStop: abort, onInsist: abort });
  process.on('exit', () => {
    for (const node of site.nodes) void node.process.kill();
  });
  const report = await drill(site, prepared.value, options, path.join(directory, HOST_LOG));
  await letGo();
  if (!report.ok) return end(ExitStatus.failure, report.fault);
  if (options.html !== undefined) writeFileSync(options.html, drillPage(report.value, new Date()));
  process.stdout.write(options.json === true ? `${JSON.stringify(report.value)}\n` : drillText(report.value));
  end(isClean(report.value) ? ExitStatus.ok : ExitStatus.failure);
}

function end(status: ExitStatus, fault?: string): void {
  if (fault !== undefined) process.stderr.write(`lockstep: ${fault}\n`);
  process.exitCode = status;
}

function siteOf(demo: Demo): Site {
  const nodes = demo.nodes.map((node) => {
    const logFile = path.join(path.dirname(node.config), 'node.log');
    const { name, config } = node;
    return {
      ...node,
      logFile,
      process: new NodeProcess({ name, config, command: COMMAND, logLevel: 'info', logFile }),
    };
  });
  return { device: demo.device, nodes, network: undefined };
}

async function drill(
  site: Site,
  demo: Demo,
  options: DrillOptions,
  hostLog: string,
): Promise<Result<DrillReport, string>> {
  for (const { config } of demo.nodes) {
    // oxlint-disable-next-line no-await-in-loop -- each is quick, and the first fault counts
    const made = await runToEnd(COMMAND, ['mirror', 'create', site.device, '--config', config]);
    if (!made.ok) return made;
  }
  const started = await Promise.all(site.nodes.map((node) => node.process.start()));
  for (const node of started) if (!node.ok) return node;
  if (!(await untilSynchronized(site, REDUNDANT_MS_MAX)))
    return fail('The copies did not come together in time.');
  const tell = (text: string): void => {
    if (options.json !== true) process.stderr.write(`${text}\n`);
  };
  const session = new DrillSession({
    paths: copiesOf(site).flatMap(({ process: { ready } }) =>
      ready!.portals.map((portal) => ({ portal, targetName: ready!.targets[0]! })),
    ),
    initiatorName: INITIATOR,
    seed: options.seed,
    profile: options.profile,
    queueMsMax: QUEUE_MS_MAX,
    ports: { clock: systemClock, crc32c, connect },
    onPathState: (portal, state, why) =>
      appendFileSync(hostLog, `${new Date().toISOString()} ${portal} ${state}: ${why}\n`),
  });
  await session.start();
  const faults = await runSequence({
    site,
    load: controlOf(session),
    faults: options.faults.map(faultNamed),
    times: TIMES,
    beforeMs: BEFORE_MS,
    eachMs: options.seconds * 1000,
    redundantMsMax: REDUNDANT_MS_MAX,
    firstVictim: 0,
    onReport: ({ title, wrong }) => tell(`${wrong.length === 0 ? 'good  ' : 'WRONG '} ${title}`),
  });
  await session.stop();
  const { nodes, strategy, profile, seed } = options;
  const wrong = await judgeEnd(site, demo, session);
  return ok({ nodes, strategy, profile, seed, faults, wrong });
}

function controlOf(session: DrillSession): LoadControl {
  return {
    beginPart: () => Promise.resolve(session.beginPart()),
    part: () => Promise.resolve(session.part),
    judge: () => Promise.resolve(session.judge()),
    untilAllPaths: (withinMs) => session.untilAllPaths(withinMs),
  };
}

/** Copies are compared as they lie on the disks after a stop in order. */
async function judgeEnd(site: Site, demo: Demo, session: DrillSession): Promise<string[]> {
  const stopped = await Promise.all(
    site.nodes.map(async (node) => ({ name: node.name, inOrder: await node.process.stop() })),
  );
  const unruly = stopped.flatMap(({ name, inOrder }) => (inOrder ? [] : `${name} did not stop in order`));
  const copies = demo.nodes.flatMap(({ isWitness, image }, index) =>
    isWitness ? [] : { node: index + 1, bytes: readFileSync(image) },
  );
  const violation = session.judgeCopies(copies);
  return violation === undefined ? unruly : [...unruly, violation];
}
