/** Commands about a whole node that runs. What they do is passed in. */

import type { Command } from 'commander';

export interface StopOptions {
  readonly state?: string;
  /** Whatever it takes away. */
  readonly force?: boolean;
}

export interface NodeActions {
  stopNode(options: StopOptions): Promise<void>;
}

export function nodeCommands(program: Command, actions: NodeActions): void {
  program
    .command('node')
    .description('Work with a node that runs on this machine.')
    .command('stop')
    .summary('stop the node for maintenance')
    .description(
      'Stops the node in order, when hosts can go on without it: not while it has the last synchronized copy of a device, or while the others would have no ' +
        'majority. The other nodes take over before it ends, and it is brought up to date when it is started again. Answers when it has stopped.',
    )
    .option('--state <directory>', 'state directory of the node')
    .option('--force', 'stop it although devices are lost to hosts until it is back')
    .addHelpText('after', '\nExample:\n  lockstep node stop && reboot')
    .action((options: StopOptions) => actions.stopNode(options));
}
