/** Commands about devices of a node that runs. What they do is passed in. */

import { Command } from 'commander';
import { size } from './options.ts';

/** Which node is asked, and how the answer is printed. */
export interface Asking {
  readonly state?: string;
  readonly json?: boolean;
}

export interface DeviceActions {
  listDevices(options: Asking): Promise<void>;
  showDevice(device: string, options: Asking): Promise<void>;
  extendDevice(device: string, options: Asking & { readonly size: number }): Promise<void>;
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
}

function asking(command: Command, example = ''): Command {
  return command
    .option('--state <directory>', 'state directory of the node that is asked')
    .option('--json', 'print JSON')
    .addHelpText('after', `\nExample:\n  lockstep device ${`${command.name()} ${example}`.trim()}`);
}
