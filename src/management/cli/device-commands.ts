/** Commands about devices of a node that runs. What they do is passed in. */

import { type Command, InvalidArgumentError } from 'commander';
import type { SettingsChange } from '../../engine/device-settings.ts';
import { cacheSize, size } from './options.ts';

/** Which node is asked, and how the answer is printed. */
export interface Asking {
  readonly state?: string;
  readonly json?: boolean;
}

export interface Resolving {
  /** Name of the node whose side stays. */
  readonly keep: string;
  /** Nobody is asked. */
  readonly yes?: boolean;
}

export interface DeviceActions {
  listDevices(options: Asking): Promise<void>;
  showDevice(device: string, options: Asking): Promise<void>;
  extendDevice(device: string, options: Asking & { readonly size: number }): Promise<void>;
  showConflict(device: string, options: Asking): Promise<void>;
  resolveConflict(device: string, options: Asking & Resolving): Promise<void>;
  setDevice(device: string, options: Asking & { readonly change: SettingsChange }): Promise<void>;
  /** `cache`: bytes; 0: none. */
  setCache(device: string, options: Asking & { readonly cache: number }): Promise<void>;
}

export function deviceCommands(program: Command, actions: DeviceActions): void {
  const device = program
    .command('device')
    .description(
      'Look at the devices of a node that runs, and change them while they are served. Any node of the cluster that has a copy will do.',
    );
  asking(device.command('list'))
    .summary('all devices')
    .description(
      'Lists the devices that the node serves: their size, whether they are redundant, how writes are answered.',
    )
    .action((options: Asking) => actions.listDevices(options));
  asking(device.command('show'), 'disk1')
    .summary('one device and its copies')
    .description(
      'Shows one device: its state and why, each copy with the progress of its resynchronization, write policy, journal, epoch and paths.',
    )
    .argument('<DEVICE>', 'name of the device')
    .action((name: string, options: Asking) => actions.showDevice(name, options));
  asking(device.command('extend'), 'disk1 --size 2G')
    .summary('make a device larger')
    .description(
      'Makes a device larger on all nodes while it is served; initiators are told. A node that is away follows when it is back. No device becomes smaller.',
    )
    .argument('<DEVICE>', 'name of the device')
    .requiredOption('--size <size>', 'the new size', size)
    .action((name: string, options: Asking & { size: number }) => actions.extendDevice(name, options));
  setCommand(device, actions);
  splitBrainCommands(device, actions);
}

function splitBrainCommands(device: Command, actions: DeviceActions): void {
  asking(device.command('conflict'), 'disk1')
    .summary('both sides of a split brain')
    .description(
      'Shows what the sides of a split brain have changed without each other, and since when. Where there is none, it says so.',
    )
    .argument('<DEVICE>', 'name of the device')
    .action((name: string, options: Asking) => actions.showConflict(name, options));
  asking(device.command('resolve'), 'disk1 --keep alpha')
    .summary('choose one side of a split brain')
    .description(
      'The side of one node stays, and the others learn from it. What only they hold is first written into files on their nodes (state directory, ' +
        'diverged/). Says what is given up, and goes on with --yes or when the name of the device is typed.',
    )
    .argument('<DEVICE>', 'name of the device')
    .requiredOption('--keep <node>', 'the node whose side stays')
    .option('--yes', 'do it, without asking')
    .action((name: string, options: Asking & Resolving) => actions.resolveConflict(name, options));
}

function setCommand(device: Command, actions: DeviceActions): void {
  asking(device.command('set'), 'disk1 priority=beta,alpha write-policy=through')
    .summary('change settings of a device')
    .description(
      'Changes settings of a mirrored device while it is served, on all its nodes at once, and says what they were. A node that is away follows when it is back. ' +
        'The configuration files say how a device begins; what is set here holds from then on, over restarts. ' +
        "The cache of a device, mirrored or not, is each node's own: cache= changes that of the node that is asked, and stands alone.",
    )
    .argument('<DEVICE>', 'name of the device')
    .argument(
      '<SETTING...>',
      'priority=NODE,… (who goes on alone, and which paths are preferred), write-policy=through or back, aside=NODE,… or none (whose paths are used last), full-resync-above=PERCENT (of the device: a copy that lacks more is compared as a whole); or cache=SIZE or none (memory of this node)',
      setting,
    )
    .option('--power-protected', 'for write-policy=back: every node has an uninterruptible power supply')
    .action((name: string, { cache, ...change }: Change, options: SetFlags, command: Command) => {
      if (cache !== undefined) {
        if (Object.keys(change).length > 0)
          command.error(
            'error: cache= is about one node, and the other settings are about all: change them one after the other',
          );
        return actions.setCache(name, { ...options, cache });
      }
      if (change.writePolicy === 'back' && options.powerProtected !== true)
        command.error(
          'error: write-policy=back answers writes that only memory has: with an uninterruptible power supply on every node, confirm that by --power-protected',
        );
      return actions.setDevice(name, { ...options, change });
    });
}

type SetFlags = Asking & { readonly powerProtected?: boolean };

type Change = SettingsChange & { readonly cache?: number };

function setting(text: string, former: Change | undefined): Change {
  const [name = '', value = ''] = text.split(/=(.*)/s);
  const names = value.split(',').filter(Boolean);
  if (name === 'priority' && names.length > 0) return { ...former, priority: names };
  if (name === 'aside' && names.length > 0) return { ...former, aside: value === 'none' ? [] : names };
  if (name === 'write-policy' && (value === 'through' || value === 'back'))
    return { ...former, writePolicy: value };
  if (name === 'full-resync-above' && /^[1-9]\d?%?$|^100%?$/.test(value))
    return { ...former, fullResyncAbove: Number.parseInt(value, 10) };
  if (name === 'cache') return { ...former, cache: value === 'none' ? 0 : cacheSize(value) };
  throw new InvalidArgumentError(
    'write priority=NODE,…, write-policy=through or back, aside=NODE,… or none, full-resync-above=1 to 100 (percent), or cache=SIZE or none.',
  );
}

/** Options of a command about a device, and an example of its arguments. */
export function asking(command: Command, example = ''): Command {
  return command
    .option('--state <directory>', 'state directory of the node that is asked')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `\nExample:\n  lockstep ${`${command.parent!.name()} ${command.name()} ${example}`.trim()}`,
    );
}
