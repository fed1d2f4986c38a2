/** Where the votes of a drilled cluster are kept, besides its nodes: a folder that all have, or an etcd beside the switch. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { etcdWords } from '../support/etcd.ts';
import { ETCD, type Shape } from './drill-config.ts';

const command = promisify(execFile);
const UP_TRIES = 100;
const UP_LOOK_MS = 100;

export interface VotePlace extends AsyncDisposable {
  readonly name: string;
  /** Nobody reaches it from now on. */
  leave(): Promise<void>;
  /** As it was. */
  return(): Promise<void>;
}

/** Undefined: what is needed is there. */
export async function votePlaceLacks({ witness }: Shape): Promise<string | undefined> {
  if (witness !== 'etcd') return undefined;
  return (await succeeds('etcd', ['--version'])) ? undefined : 'etcd is not installed (Debian: etcd-server)';
}

/** `within`: a command line that runs where initiators are. */
export async function createVotePlace(
  { witness }: Shape,
  directory: string,
  within: readonly string[],
): Promise<VotePlace> {
  const folder = join(directory, 'share');
  if (witness === 'etcd') return startEtcd(join(directory, 'etcd'), within);
  mkdirSync(folder);
  return {
    name: 'share',
    leave: () => Promise.resolve(renameSync(folder, `${folder}.gone`)),
    return: () => Promise.resolve(renameSync(`${folder}.gone`, folder)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function startEtcd(data: string, within: readonly string[]): Promise<VotePlace> {
  const { client, peer } = ETCD;
  const words = etcdWords(data, client, peer);
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const [program, ...first] = [...within, 'etcd', ...words];
    child = spawn(program!, first, { stdio: 'ignore' });
    await untilUp(within);
  };
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  await start();
  return { name: 'etcd', leave: kill, return: start, [Symbol.asyncDispose]: kill };
}

async function untilUp(within: readonly string[]): Promise<void> {
  const script = `process.exitCode = (await fetch('${ETCD.client}/health')).ok ? 0 : 1`;
  const [program, ...words] = [...within, process.execPath, '--input-type=module', '--eval', script];
  for (let tried = 0; tried < UP_TRIES; tried++) {
    // oxlint-disable-next-line no-await-in-loop -- until it answers
    if (await succeeds(program!, words)) return;
    // oxlint-disable-next-line no-await-in-loop -- the same
    await new Promise((again) => setTimeout(again, UP_LOOK_MS));
  }
  throw new Error('etcd does not come up');
}

function succeeds(program: string, words: readonly string[]): Promise<boolean> {
  return command(program, words).then(
    () => true,
    () => false,
  );
}
