/** Commands that give nodes copies of a device and take them away. What they do is passed in. */

import type { Command } from 'commander';
import { type Asking, asking } from './device-commands.ts';

export interface ReplicaActions {
  addReplica(device: string, node: string, options: Asking): Promise<void>;
  removeReplica(device: string, node: string, options: Asking): Promise<void>;
}

export function replicaCommands(program: Command, actions: ReplicaActions): void {
  const replica = program
    .command('replica')
    .description(
      'Give another node a copy of a mirrored device, or take one away, while it is served. Any node of the cluster that has the device in its configuration may be asked.',
    );
  asking(replica.command('add'), 'disk1 gamma')
    .summary('give a node a copy')
    .description(
      'Gives a node a copy of a device. The node runs, and its configuration has the device, with the path of the copy. Answers when the copy is being ' +
        'brought up to date: lockstep device show tells how far it is. Where it cannot be, nothing changes.',
    )
    .argument('<DEVICE>', 'name of the device')
    .argument('<NODE>', 'name of the node')
    .action((device: string, node: string, options: Asking) => actions.addReplica(device, node, options));
  asking(replica.command('remove'), 'disk1 alpha')
    .summary('take the copy of a node away')
    .description(
      'The others go on without the copy of a node, whether it is there or not; never without the last synchronized one. The node serves the device no more. ' +
        'Its files stay, and count for nothing.',
    )
    .argument('<DEVICE>', 'name of the device')
    .argument('<NODE>', 'name of the node')
    .action((device: string, node: string, options: Asking) => actions.removeReplica(device, node, options));
}
