/** The command line: commands, their options and their help. What they do is passed in (`Actions`). */

import { Command, Option } from 'commander';
import { ENGINES_MAX } from '../config/schema.ts';
import { DEFAULT_PORTAL, type ExportOptions } from '../export-plan.ts';
import { type ClusterActions, clusterCommands } from './cluster-commands.ts';
import { type DeviceActions, deviceCommands } from './device-commands.ts';
import { type NodeActions, nodeCommands } from './node-commands.ts';
import { type ReplicaActions, replicaCommands } from './replica-commands.ts';
import { cacheSize, json, list, logLevel, sector, size, sizes, wholeNumber } from './options.ts';

export interface Common {
  readonly json?: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

export interface Actions extends ClusterActions, DeviceActions, NodeActions, ReplicaActions {
  export(
    files: readonly string[],
    options: ExportOptions & Common & { readonly state?: string },
  ): Promise<void>;
  serve(options: Common & { readonly config: string }): Promise<void>;
  status(options: { readonly state?: string; readonly json?: boolean }): Promise<void>;
  checkConfig(file: string): Promise<void>;
  clusterInit(directory: string, options: { readonly name: string }): Promise<void>;
  clusterCheck(options: { readonly config: string; readonly json?: boolean }): Promise<void>;
  clusterCertificate(
    directory: string,
    options: { readonly node: string; readonly out?: string },
  ): Promise<void>;
}

const EXIT_STATUS = `
Exit status:
  0  stopped in order
  1  failed while running, or did not stop in time
  2  wrong arguments or configuration; nothing was started
  3  a port or a file is in use by another program`;

export function createProgram(version: string, actions: Actions): Command {
  const program = new Command('lockstep')
    .description('Virtual SAN: serves disks over iSCSI')
    .version(`lockstep ${version}`, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showHelpAfterError('(see --help)')
    .addHelpText('after', EXIT_STATUS);
  exportCommand(program, actions);
  serveCommand(program, actions);
  statusCommand(program, actions);
  configCommand(program, actions);
  clusterCommand(program, actions);
  clusterCommands(program, actions);
  deviceCommands(program, actions);
  replicaCommands(program, actions);
  nodeCommands(program, actions);
  return program;
}

function exportCommand(program: Command, actions: Actions): void {
  program
    .command('export')
    .summary('serve disks now')
    .description(
      'Serves image files, block devices or RAM as one target, now, until stopped. Several disks are LUN 0, 1, 2 …',
    )
    .argument('[FILE...]', 'image files or block devices')
    .option('--ram <size>', 'a disk in memory; again for more', sizes)
    .option('--size <size>', 'size of a FILE that is not there yet, which is then created', size)
    .option('--sector <bytes>', 'logical block length: 512 or 4096', sector, 512)
    .option('--physical-sector <bytes>', 'physical block length, where it is not what the disk says', sector)
    .option(
      '--portal <address:port>',
      `where to listen; again for more; port 0 takes a free one (default: ${DEFAULT_PORTAL})`,
      list,
    )
    .option(
      '--announce <address:port>',
      'what discovery tells initiators, where it is another address; again for more',
      list,
    )
    .option('--name <iqn>', 'iSCSI name of the target (default: made from host and file)')
    .option('--read-only', 'refuse writes')
    .option('--removable', 'a medium that initiators can eject')
    .addOption(new Option('--thin', 'create a sparse FILE (default)').conflicts('thick'))
    .option('--thick', 'allocate all of a FILE that is created')
    .addOption(writeCache())
    .option('--cache <size>', 'memory that keeps blocks of each FILE (default: none)', cacheSize)
    .addOption(powerProtected())
    .option(
      '--chap <user:secret>',
      'who may log in; again for more. Other users of this machine can see arguments: prefer --chap-file',
      list,
    )
    .option('--chap-file <file>', 'the same from the first line of a file')
    .option('--mutual-chap <user:secret>', 'how the target proves itself to the initiator')
    .option('--allow <iqn>', 'initiator that may log in; again for more (default: every one)', list)
    .addOption(
      new Option(
        '--digests <mode>',
        'CRC32C: left to the initiator, required for headers, or for headers and data',
      )
        .choices(['optional', 'header', 'required'])
        .default('optional'),
    )
    .option(
      '--send-targets-in-normal-session',
      'answer SendTargets=All there too, against RFC 7143, for test suites',
    )
    .option('--engines <count>', 'processes for the data path', wholeNumber(1, ENGINES_MAX), 1)
    .option('--state <directory>', 'where persistent reservations are kept')
    .addOption(logLevel('warn'))
    .addOption(json())
    .addHelpText(
      'after',
      `
Examples:
  lockstep export --ram 512M
  lockstep export disk.img --size 10G --portal 192.0.2.1:3260
  lockstep export a.img b.img --sector 4096 --chap-file chap.txt
  lockstep export --ram 1G --portal 127.0.0.1:0 --json
${EXIT_STATUS}`,
    )
    .action((files: string[], options: ExportFlags) =>
      actions.export(files, { ...options, provisioning: options.thick === true ? 'thick' : 'thin' }),
    );
}

function writeCache(): Option {
  return new Option('--write-cache <mode>', 'when a write is acknowledged: on the medium, or before')
    .choices(['through', 'back'])
    .default('through');
}

function powerProtected(): Option {
  return new Option(
    '--power-protected',
    'confirms an uninterruptible power supply, for --write-cache back with --cache',
  );
}

type ExportFlags = ExportOptions & Common & { readonly thick?: boolean; readonly state?: string };

function serveCommand(program: Command, actions: Actions): void {
  program
    .command('serve')
    .summary('serve what a configuration file says')
    .description('Serves the devices and targets of a configuration file until stopped.')
    .requiredOption('--config <file>', 'the configuration (TOML)')
    .addOption(logLevel('info'))
    .addOption(json())
    .addHelpText('after', `\nExample:\n  lockstep serve --config /etc/lockstep/node.toml\n${EXIT_STATUS}`)
    .action((options: Common & { config: string }) => actions.serve(options));
}

function statusCommand(program: Command, actions: Actions): void {
  program
    .command('status')
    .summary('what a running node does')
    .description('Shows targets, devices and sessions of a node that runs on this machine.')
    .option('--state <directory>', 'state directory of the node')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  lockstep status --state /var/lib/lockstep')
    .action((options: { state?: string; json?: boolean }) => actions.status(options));
}

function configCommand(program: Command, actions: Actions): void {
  program
    .command('config')
    .description('Work with configuration files.')
    .command('check')
    .description('Checks a configuration file without starting anything. Exit status 0: good, 2: not.')
    .argument('<FILE>', 'the configuration (TOML)')
    .addHelpText('after', '\nExample:\n  lockstep config check node.toml')
    .action((file: string) => actions.checkConfig(file));
}

function clusterCommand(program: Command, actions: Actions): void {
  const cluster = program
    .command('cluster')
    .description(
      'Certificates, by which the nodes of a cluster know each other, and the links between them.',
    );
  cluster
    .command('init')
    .description(
      'Makes the certificate authority of a new cluster. Whoever has its key can make nodes: keep it safe.',
    )
    .argument('<DIRECTORY>', 'where it is kept; made if it is not there')
    .requiredOption('--name <name>', 'name of the cluster: letters in lower case, digits, hyphens')
    .addHelpText('after', '\nExample:\n  lockstep cluster init site1 --name site1')
    .action((directory: string, options: { name: string }) => actions.clusterInit(directory, options));
  cluster
    .command('check')
    .summary('measure the links to all partners')
    .description(
      'Connects to every partner over every link as mirroring does, and measures how long answers take and how much data the links for sync carry ' +
        '(half a second each). The partners have to run. Exit status 1: a link does not work.',
    )
    .requiredOption('--config <file>', 'the configuration (TOML)')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  lockstep cluster check --config /etc/lockstep/node.toml')
    .action((options: { config: string; json?: boolean }) => actions.clusterCheck(options));
  cluster
    .command('certificate')
    .description('Makes key and certificate of one node.')
    .argument('<DIRECTORY>', 'where the authority of the cluster is')
    .requiredOption('--node <name>', 'name of the node: letters in lower case, digits, hyphens')
    .option('--out <directory>', 'where the files go (default: DIRECTORY/NAME)')
    .addHelpText('after', '\nExample:\n  lockstep cluster certificate site1 --node node-a')
    .action((directory: string, options: { node: string; out?: string }) =>
      actions.clusterCertificate(directory, options),
    );
}
