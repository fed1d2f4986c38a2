/** Commands about mirrors and whole clusters. What they do is passed in. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import type { DemoOptions } from '../demo/plan.ts';
import { type FaultName, PROCESS_FAULTS } from '../drill/faults.ts';
import type { DrillOptions } from '../drill/options.ts';
import { cacheChoice, json, logLevel, sector, size, wholeNumber } from './options.ts';
import type { Common } from './program.ts';

/** What the copies of a new device hold. */
export type Initialization =
  /** New files, empty and equal. */
  | { readonly kind: 'clear' }
  /** What the file of this node holds; the others get it from there. */
  | { readonly kind: 'existing'; readonly node: string }
  /** Files that are there on every node, and are not compared. */
  | { readonly kind: 'unsynchronized' };

export interface ClusterActions {
  createMirror(
    device: string,
    options: { readonly config: string; readonly init: Initialization },
  ): Promise<void>;
  demo(options: DemoOptions & Common): Promise<void>;
  drill(options: DrillOptions & Common): Promise<void>;
}

export function clusterCommands(program: Command, actions: ClusterActions): void {
  mirrorCommands(program, actions);
  demoCommand(program, actions);
  drillCommand(program, actions);
}

function mirrorCommands(program: Command, actions: ClusterActions): void {
  program
    .command('mirror')
    .description('Work with mirrored devices.')
    .command('create')
    .summary("make this node's copy of a new device")
    .description(
      'Makes the copy of a new mirrored device on this node, or its vote. Run it once on each node, before the node serves the device. ' +
        'What the copies hold is said by --init, with the same words on all nodes: `clear`, new files, empty and equal; `existing=NODE`, what the file ' +
        'of that node holds, and the others get it from there when they are started; `unsynchronized`, the files that are there on every node are taken as equal ' +
        'without being compared, which wants --copies-are-equal: where they are not, hosts read one thing through one node and another through the next.',
    )
    .argument('<DEVICE>', 'name of a [[device]] with kind = "mirror"')
    .requiredOption('--config <file>', 'the configuration (TOML)')
    .addOption(
      new Option('--init <mode>', 'clear, existing=NODE, or unsynchronized')
        .argParser(initialization)
        .default({ kind: 'clear' } satisfies Initialization, 'clear'),
    )
    .option('--copies-are-equal', 'for --init unsynchronized: the files of all nodes hold the same')
    .addHelpText(
      'after',
      `
Examples:
  lockstep mirror create disk1 --config /etc/lockstep/node.toml
  lockstep mirror create disk1 --init existing=alpha --config /etc/lockstep/node.toml`,
    )
    .action((device: string, options: CreateFlags, command: Command) => {
      if (options.init.kind === 'unsynchronized' && options.copiesAreEqual !== true)
        command.error(
          'error: --init unsynchronized compares nothing: where the files of all nodes hold the same, confirm that by --copies-are-equal; else say --init existing=NODE',
        );
      return actions.createMirror(device, options);
    });
}

interface CreateFlags {
  readonly config: string;
  readonly init: Initialization;
  readonly copiesAreEqual?: boolean;
}

function initialization(text: string): Initialization {
  if (text === 'clear' || text === 'unsynchronized') return { kind: text };
  const node = /^existing=(.+)$/.exec(text)?.[1];
  if (node !== undefined) return { kind: 'existing', node };
  throw new InvalidArgumentError('write clear, existing=NODE or unsynchronized.');
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
    .addOption(strategy())
    .option('--size <size>', 'size of the device', size, 2 ** 30)
    .option('--sector <bytes>', 'its logical block length: 512 or 4096', sector, 512)
    .addOption(cache())
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

const SECONDS_DEFAULT = 10;
const SECONDS_MAX = 3600;

function drillCommand(program: Command, actions: ClusterActions): void {
  program
    .command('drill')
    .summary('break a scratch cluster and see that nothing happens')
    .description(
      'Starts a scratch cluster on this machine, puts a load on its mirrored device through all nodes, as a host with multipathing does, ' +
        'and breaks one thing after another. Every read is judged; in the end the copies are compared. Tells how long hosts waited, and how ' +
        'soon all copies were synchronized again. Exit status 1: something was lost, mixed up, or failed.',
    )
    .option('--nodes <count>', 'nodes with a copy, 2 to 4', wholeNumber(COPIES_MIN, COPIES_MAX), COPIES_MIN)
    .addOption(strategy())
    .option(
      '--faults <list>',
      `what is broken, in this order, of ${PROCESS_FAULTS.join(', ')}`,
      faultNames,
      PROCESS_FAULTS,
    )
    .option(
      '--seconds <count>',
      'of load with each fault, at least',
      wholeNumber(1, SECONDS_MAX),
      SECONDS_DEFAULT,
    )
    .addOption(
      new Option('--profile <name>', 'the load: mixed reads and writes, or a mail system of 2,000 users')
        .choices(['mixed', 'mail'])
        .default('mixed'),
    )
    .option('--sector <bytes>', 'logical block length of the device: 512 or 4096', sector, 4096)
    .addOption(cache())
    .option('--seed <number>', 'of the load', wholeNumber(0, Number.MAX_SAFE_INTEGER), 1)
    .option(
      '--dir <directory>',
      'where the cluster is made and kept; there must be none yet (default: removed afterwards)',
    )
    .option('--address <address>', 'of the first node; the others have the next ones', '127.0.9.1')
    .option('--portal-port <port>', 'for initiators', wholeNumber(1, PORT_MAX), 3260)
    .option('--partner-port <port>', 'between nodes', wholeNumber(1, PORT_MAX), 3262)
    .option('--html <file>', 'write the report as a page, too')
    .option('--json', 'print the report as JSON')
    .action((flags: Omit<DrillOptions, 'directory'> & { dir?: string }) =>
      actions.drill({ ...flags, directory: flags.dir, logLevel: 'info' }),
    );
}

function faultNames(text: string): FaultName[] {
  return text.split(',').map((name) => {
    const known = PROCESS_FAULTS.find((fault) => fault === name.trim());
    if (known === undefined) throw new InvalidArgumentError(`write some of ${PROCESS_FAULTS.join(',')}.`);
    return known;
  });
}

function cache(): Option {
  return new Option(
    '--cache <choice>',
    'memory over each copy: wb:SIZE answers writes from there, wt:SIZE keeps blocks for readers',
  )
    .argParser(cacheChoice)
    .default(cacheChoice('none'), 'none');
}

function strategy(): Option {
  return new Option(
    '--strategy <name>',
    'who may go on when nodes lose each other; majority adds a witness to 2 or 4 nodes',
  )
    .choices(['heartbeat', 'majority'])
    .default('heartbeat');
}
