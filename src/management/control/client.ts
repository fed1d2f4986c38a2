/** Asks the control process of a node on this machine, and lays its status out for people. */

import net from 'node:net';
import path from 'node:path';
import { fail, ok, type Result } from '../../base/result.ts';
import { formatSize } from '../../base/units.ts';
import type { CacheStatistics, MirrorStatistics } from '../../engine/statistics.ts';
import type { DeviceAnswer, DeviceCommand } from '../../engine/device-commands.ts';
import { ask } from './exchange.ts';
import type { Question } from './messages.ts';
import { type NodeStatus, SOCKET_NAME } from './status.ts';

const STATUS_MS_MAX = 5000;
/** What a node gives up after half a minute it tells; what only this node holds after a split brain may take longer to keep. */
const COMMAND_MS_MAX = 30 * 60_000;

export async function askStatus(directory: string): Promise<Result<NodeStatus, string>> {
  const answer = await askNode(directory, { kind: 'status' }, STATUS_MS_MAX);
  return answer.ok ? ok(answer.value as NodeStatus) : answer;
}

/** The fault is a sentence: the node's own, or that it does not answer. */
export async function askDevice(
  directory: string,
  device: string,
  command: DeviceCommand,
): Promise<DeviceAnswer> {
  const answer = await askNode(directory, { kind: 'device', device, command }, COMMAND_MS_MAX);
  return answer.ok ? (answer.value as DeviceAnswer) : answer;
}

async function askNode(
  directory: string,
  question: Question,
  withinMs: number,
): Promise<Result<unknown, string>> {
  const file = path.join(directory, SOCKET_NAME);
  const socket = net.connect(file);
  let isAway = false;
  socket.on('error', ({ code }: NodeJS.ErrnoException) => {
    isAway = code === 'ENOENT' || code === 'ECONNREFUSED';
  });
  const answer = await ask(socket, question, withinMs);
  if (answer.ok) return answer;
  const why = isAway ? 'no node runs with this state directory' : answer.fault;
  return fail(`Cannot ask ${file}: ${why}; name the node's own with --state.`);
}

export function formatStatus(status: NodeStatus): string {
  const sessions = status.engines.flatMap((engine) => engine.sessions);
  const devices = status.engines.flatMap((engine) => engine.devices);
  const lines = [`Node      ${status.node}`, `Portals   ${status.portals.join('  ')}`, ''];
  for (const target of status.targets) {
    lines.push(`Target    ${target.name}`);
    for (const { lun, device } of target.luns) lines.push(`  LUN ${lun}   ${device}`);
    const own = sessions.filter((session) => session.targetName === target.name);
    for (const session of own) lines.push(`  Session ${session.initiatorName}  ${session.path}`);
    if (own.length === 0) lines.push('  nobody is logged in');
  }
  lines.push('');
  for (const device of devices) {
    lines.push(
      `Device    ${device.name}  ${formatSize(device.bytes)}${device.readOnly ? '  read-only' : ''}`,
      `  naa.${device.naa}`,
      `  read ${formatSize(device.bytesRead)} in ${device.reads}, written ${formatSize(device.bytesWritten)} in ${device.writes}`,
    );
    if (device.cache !== undefined) lines.push(...cacheLines(device.cache));
    if (device.mirror !== undefined) lines.push(...mirrorLines(device.mirror));
  }
  for (const { name, mirror } of status.engines.flatMap((engine) => engine.witnessed))
    lines.push(`Witness   of ${name}`, ...mirrorLines(mirror));
  return `${lines.join('\n')}\n`;
}

function cacheLines(cache: CacheStatistics): string[] {
  const { mode, memory, used, dirty, hits, misses, destaged, flushForecastMs, fault } = cache;
  const asked = hits + misses;
  const found = asked === 0 ? 'nothing was read yet' : `${Math.round((100 * hits) / asked)} % of reads found`;
  const lines = [`  cache: write-${mode}, ${formatSize(used)} of ${formatSize(memory)} used, ${found}`];
  if (dirty + destaged > 0) {
    const left =
      dirty === 0 || flushForecastMs === undefined ? '' : ` (about ${Math.ceil(flushForecastMs / 1000)} s)`;
    lines.push(
      `  to be written out: ${formatSize(dirty)}${left}; written out later so far: ${formatSize(destaged)}`,
    );
  }
  if (fault !== undefined) lines.push(`  the cache cannot be written out: ${fault}`);
  return lines;
}

/** Nodes are told by their numbers. */
function mirrorLines({
  role,
  isServing,
  members,
  learners,
  failure,
  resyncs,
  links,
}: MirrorStatistics): string[] {
  const open = links.filter(({ counters }) => counters.open > 0).length;
  const lines = [
    `  mirror: ${isServing ? 'serving' : role}, synchronized on ${members.join(' ')}${learners.length > 0 ? `, being brought up to date: ${learners.join(' ')}` : ''}`,
    `  links: ${open} of ${links.length} connected`,
  ];
  if (failure !== undefined) lines.push(`  this copy has failed: ${failure}`);
  for (const { learner, percent, secondsLeft } of resyncs) {
    const left = secondsLeft === undefined ? '' : `, ${Math.ceil(secondsLeft)} s left`;
    lines.push(`  node ${learner}: ${percent} % brought up to date${left}`);
  }
  return lines;
}
