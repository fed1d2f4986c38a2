/** `lockstep device …`: asks the node that runs with a state directory, and prints its answer. */

import path from 'node:path';
import type { Result } from './base/result.ts';
import { formatSize } from './base/units.ts';
import type { SettingsChange, SettingsChanged } from './engine/device-settings.ts';
import type { DeviceStatistics } from './engine/statistics.ts';
import type { Conflict, Resolved } from './engine/split-brain.ts';
import type { CacheChanged } from './management/cache-sizes.ts';
import { confirmByName } from './management/cli/confirm.ts';
import { conflictText, lossText, resolvedText } from './management/cli/conflict.ts';
import type { Asking, DeviceActions, Resolving } from './management/cli/device-commands.ts';
import { cacheText, deviceDetails, deviceList, settingsText } from './management/cli/devices.ts';
import { ExitStatus } from './management/cli/exit-status.ts';
import { askDevice, askStatus } from './management/control/client.ts';
import { defaultStateDirectory } from './management/state.ts';

export const deviceActions: DeviceActions = {
  listDevices,
  showDevice,
  extendDevice,
  setDevice,
  setCache,
  showConflict,
  resolveConflict,
};

async function listDevices(options: Asking): Promise<void> {
  const status = await askStatus(directoryOf(options));
  if (!status.ok) return failed(status.fault);
  const devices = status.value.engines.flatMap((engine) => engine.devices);
  print(options, devices, deviceList(devices));
}

async function showDevice(device: string, options: Asking): Promise<void> {
  const shown = await askDevice(directoryOf(options), device, { kind: 'show' });
  tell<DeviceStatistics>(options, shown, deviceDetails);
}

async function extendDevice(device: string, options: Asking & { readonly size: number }): Promise<void> {
  const { size: bytes } = options;
  const extended = await askDevice(directoryOf(options), device, { kind: 'extend', bytes });
  const answer = extended.ok ? { ok: true as const, value: { device, bytes } } : extended;
  tell<{ readonly bytes: number }>(
    options,
    answer,
    () => `Device ${device} has ${formatSize(bytes)} (${bytes} bytes) now.\n`,
  );
}

async function setDevice(
  device: string,
  options: Asking & { readonly change: SettingsChange },
): Promise<void> {
  const changed = await askDevice(directoryOf(options), device, { kind: 'set', change: options.change });
  tell<SettingsChanged>(options, changed, (settings) => settingsText(device, settings));
}

async function setCache(device: string, options: Asking & { readonly cache: number }): Promise<void> {
  const command = { kind: 'setCache', bytes: options.cache } as const;
  const changed = await askDevice(directoryOf(options), device, command);
  tell<CacheChanged>(options, changed, (change) => cacheText(device, change));
  if (!changed.ok) return;
  for (const sentence of (changed.value as CacheChanged).advice)
    process.stderr.write(`lockstep: advice: ${sentence}\n`);
}

async function showConflict(device: string, options: Asking): Promise<void> {
  const conflict = await askDevice(directoryOf(options), device, { kind: 'conflict' });
  tell<Conflict>(options, conflict, (found) => conflictText(device, found));
}

async function resolveConflict(device: string, options: Asking & Resolving): Promise<void> {
  const directory = directoryOf(options);
  const { keep, yes } = options;
  const found = await askDevice(directory, device, { kind: 'conflict' });
  if (!found.ok) return failed(found.fault);
  const conflict = found.value as Conflict;
  if (conflict.sides.length === 0) return failed(conflictText(device, conflict).trimEnd());
  if (!conflict.sides.some(({ node }) => node === keep))
    return failed(
      `Node ${keep} is no side of the split brain of device ${device}: there are ${conflict.sides.map(({ node }) => node).join(', ')}.`,
    );
  process.stderr.write(lossText(device, conflict, keep));
  const isMeant = yes === true || (await confirmByName(device));
  if (isMeant !== true) {
    process.stderr.write(
      `lockstep: Device ${device} was left as it is: ${isMeant === undefined ? 'say --yes if that is to be done' : 'that is not its name'}.\n`,
    );
    process.exitCode = ExitStatus.usage;
    return;
  }
  const resolved = await askDevice(directory, device, { kind: 'resolve', keep });
  tell<Resolved>(options, resolved, (done) => resolvedText(device, done));
}

export function directoryOf({ state }: Asking): string {
  return path.resolve(state ?? defaultStateDirectory());
}

/** Prints the answer of a node, as it was asked for. */
export function tell<T>(options: Asking, answer: Result<unknown, string>, text: (value: T) => string): void {
  if (!answer.ok) return failed(answer.fault);
  print(options, answer.value, text(answer.value as T));
}

function print({ json }: Asking, value: unknown, text: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(value)}\n` : text);
}

function failed(fault: string): void {
  process.stderr.write(`lockstep: ${fault}\n`);
  process.exitCode = ExitStatus.failure;
}
