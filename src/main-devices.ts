/** `lockstep device …`: asks the node that runs with a state directory, and prints its answer. */

import path from 'node:path';
import type { Result } from './base/result.ts';
import { formatSize } from './base/units.ts';
import type { SettingsChange, SettingsChanged } from './engine/device-settings.ts';
import type { DeviceStatistics } from './engine/statistics.ts';
import type { Asking, DeviceActions } from './management/cli/device-commands.ts';
import { deviceDetails, deviceList, settingsText } from './management/cli/devices.ts';
import { ExitStatus } from './management/cli/exit-status.ts';
import { askDevice, askStatus } from './management/control/client.ts';
import { defaultStateDirectory } from './management/state.ts';

export const deviceActions: DeviceActions = { listDevices, showDevice, extendDevice, setDevice };

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

function directoryOf({ state }: Asking): string {
  return path.resolve(state ?? defaultStateDirectory());
}

function tell<T>(options: Asking, answer: Result<unknown, string>, text: (value: T) => string): void {
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
