/** Commands about mirrors and whole clusters. What they do is passed in. */

import { type Command, Option } from 'commander';
import type { DemoOptions } from '../demo/plan.ts';
import { json, logLevel, size, wholeNumber } from './options.ts';
import type { Common } from './program.ts';

export interface ClusterActions {
  createMirror(
    device: string,
    options: { readonly config: string; readonly fromExisting?: boolean },
  ): Promise<void>;
  demo(options: DemoOptions & Common): Promise<void>;
}

export function clusterCommands(program: Command, actions: ClusterActions): void {
  mirrorCommands(program, actions);
  demoCommand(program, actions);
}

function mirrorCommands(program: Command, actions: ClusterActions): void {
  program
    .command('mirror')
    .description('Work with mirrored devices.')
    .command('create')
    .summary("make this node's copy of a new device")
    .description(
      'Makes the copy of a new mirrored device on this node, or its vote. Run it once on each node, before the node serves the device. ' +
        'Copies made so are empty and equal. With --from-existing the content is what the file of this node holds; run it on that node ' +
        'only: the others get it when they are started.',
    )
    .argument('<DEVICE>', 'name of a [[device]] with kind = "mirror"')
    .requiredOption('--config <file>', 'the configuration (TOML)')
    .option('--from-existing', "this node's file is the device's content")
    .addHelpText('after', '\nExample:\n  lockstep mirror create disk1 --config /etc/lockstep/node.toml')
    .action((device: string, options: { config: string; fromExisting?: boolean }) =>
      actions.createMirror(device, options),
    );
}

const COPIES_MIN = 2;
const COPIES_MAX = 4;
const PORT_MAX = 65_535;

function demoCommand(program: Command, actions: ClusterActions): void {
  program
    .command('demo')
    .summary('a whole cluster on this machine')
    .description(
      'Starts a cluster of two to four nodes on loopback addresses with one mirrored device, each node as processes of its own, until stopped.',
    )
    .option('--nodes <count>', 'nodes with a copy, 2 to 4', wholeNumber(COPIES_MIN, COPIES_MAX), COPIES_MIN)
    .addOption(
      new Option(
        '--strategy <name>',
        'who may go on when nodes lose each other; majority adds a witness to 2 or 4 nodes',
      )
        .choices(['heartbeat', 'majority'])
        .default('heartbeat'),
    )
    .option('--size <size>', 'size of the device', size, 2 ** 30)
    .option('--dir <directory>', 'where everything is kept', '.lockstep/demo')
    .option('--address <address>', 'of the first node; the others have the next ones', '127.0.0.1')
    .option('--portal-port <port>', 'for initiators', wholeNumber(1, PORT_MAX), 3260)
    .option('--partner-port <port>', 'between nodes', wholeNumber(1, PORT_MAX), 3262)
    .addOption(logLevel('warn'))
    .addOption(json())
    .action((flags: Omit<DemoOptions, 'directory'> & Common & { dir: string }) =>
      actions.demo({ ...flags, directory: flags.dir }),
    );
}
