/** What `lockstep device list` and `lockstep device show` print. */

import { formatSize } from '../../base/units.ts';
import type { NamedSettings, SettingsChanged } from '../../engine/device-settings.ts';
import type {
  DeviceStatistics,
  MirrorStatistics,
  ReplicaStatistics,
  ResyncStatistics,
} from '../../engine/statistics.ts';
import type { CacheChanged } from '../cache-sizes.ts';
import { formatRate } from '../link-advice.ts';
import { table } from './table.ts';

const LIST_HEADINGS = ['Device', 'Size', 'State', 'Copies', 'Writes'];
const COPY_HEADINGS = ['Copy', 'State', 'Paths', 'Resynchronization'];

export function deviceList(devices: readonly DeviceStatistics[]): string {
  if (devices.length === 0) return 'no devices\n';
  const rows = devices.map(({ name, bytes, mirror, writeCache }) => [
    name,
    formatSize(bytes),
    stateOf(mirror),
    copiesOf(mirror),
    writeCache,
  ]);
  return linesOf(table([LIST_HEADINGS, ...rows]));
}

export function deviceDetails(device: DeviceStatistics): string {
  const { name, kind, bytes, blockLength, readOnly, naa, mirror, writeCache } = device;
  const rows = [
    ['Device', name],
    ['Kind', kind === 'ram' ? 'RAM' : kind],
    ['Size', `${formatSize(bytes)} (${bytes} bytes) in blocks of ${blockLength}`],
    ['Identity', `naa.${naa}`],
    ...(readOnly ? [['Access', 'read-only']] : []),
    ['State', stateOf(mirror)],
    ...(mirror?.condition.why === undefined ? [] : [['', mirror.condition.why]]),
    ['Writes', mirror === undefined ? writeCache : writesOf(mirror)],
  ];
  if (mirror === undefined) return linesOf(table(rows));
  const { term, epochId, strategy, journal } = mirror;
  rows.push(
    ['Journal', journal ?? 'none'],
    ['Epoch', epochId === undefined ? 'none yet' : `${term} (${epochId})`],
    ['Strategy', strategy],
  );
  return linesOf([...table(rows), '', ...table([COPY_HEADINGS, ...mirror.replicas.map(cellsOf)])]);
}

/** What a change has made of settings. */
export function settingsText(device: string, { before, after }: SettingsChanged): string {
  const told = (
    name: string,
    of: (settings: NamedSettings) => readonly string[] | string,
  ): readonly string[] => {
    const [was, is] = [before, after].map((settings) => [of(settings)].flat().join(', ') || 'none');
    return was === is ? [] : [`Device ${device}: ${name} is ${is} (was ${was})`];
  };
  const lines = [
    ...told('priority', ({ priority }) => priority),
    ...told('write policy', ({ writePolicy }) => writePolicy),
    ...told('aside', ({ aside }) => aside),
    ...told('full resync above', ({ fullResyncAbove }) => `${fullResyncAbove} %`),
  ];
  return linesOf(lines.length > 0 ? lines : [`Device ${device}: nothing to change`]);
}

/** What a change has made of the cache of one node. */
export function cacheText(device: string, { before, after }: CacheChanged): string {
  const [was, is] = [before, after].map((bytes) => (bytes === 0 ? 'none' : formatSize(bytes)));
  return was === is
    ? `Device ${device}: nothing to change\n`
    : `Device ${device}: cache of this node is ${is} (was ${was})\n`;
}

const STATES: Readonly<Record<MirrorStatistics['condition']['word'], string>> = {
  synchronized: 'synchronized',
  resynchronizing: 'resynchronizing',
  degraded: 'not redundant',
  diverged: 'split brain',
  failed: 'the copy of this node is out of order',
  notServed: 'not served by this node',
};

function stateOf(mirror: MirrorStatistics | undefined): string {
  return mirror === undefined ? 'served' : STATES[mirror.condition.word];
}

function copiesOf(mirror: MirrorStatistics | undefined): string {
  if (mirror === undefined) return '1';
  const { replicas } = mirror;
  return `${replicas.filter(({ state }) => state === 'synchronized').length} of ${replicas.length}`;
}

function writesOf({ writePolicy, writePolicyInForce }: MirrorStatistics): string {
  if (writePolicy === writePolicyInForce) return writePolicy;
  return `${writePolicyInForce} for now, ${writePolicy} when it is redundant again`;
}

const COPY_STATES: Readonly<Record<ReplicaStatistics['state'], string>> = {
  synchronized: 'synchronized',
  resynchronizing: 'being brought up to date',
  waiting: 'waiting',
  behind: 'not up to date',
  away: 'away',
  diverged: 'split brain',
  failed: 'out of order',
};

const PATHS: Readonly<Record<ReplicaStatistics['path'], string>> = {
  optimized: 'active/optimized',
  nonOptimized: 'active/non-optimized',
  transitioning: 'transitioning',
  unavailable: 'unavailable',
};

function cellsOf(replica: ReplicaStatistics): string[] {
  const { name, state, why, path, isPreferred, resync, lack } = replica;
  return [
    name,
    `${COPY_STATES[state]}${why === undefined ? '' : `: ${why}`}`,
    `${PATHS[path]}${isPreferred ? ', preferred' : ''}`,
    resync === undefined ? lackText(lack) : resyncText(resync),
  ];
}

function lackText(lack: ReplicaStatistics['lack']): string {
  if (lack === undefined) return '';
  return `lacks up to ${formatSize(lack.bytes)}, ${lack.percent.toFixed(1)} % of the device`;
}

function resyncText({
  percent,
  bytesDone,
  bytesTotal,
  bytesPerSecond,
  secondsLeft,
}: ResyncStatistics): string {
  const left = secondsLeft === undefined ? '' : `, ${Math.ceil(secondsLeft)} s left`;
  return `${percent} %, ${formatSize(bytesDone)} of ${formatSize(bytesTotal)}, ${formatRate(bytesPerSecond)}${left}`;
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
