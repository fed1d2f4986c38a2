/** What guests are made of: Debian packages of this machine's release, fetched once and kept under a hash of the recipe. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, parse } from 'node:path';
import { promisify } from 'node:util';

export const command = promisify(execFile);

/** A busy machine takes several times the minute that an idle one does. */
export const BUILD = { timeout: 600_000, killSignal: 'SIGTERM' } as const;

interface Release {
  readonly suite: string;
  /** apt sources of the distribution on this machine; none: mmdebstrap's own default. */
  readonly sources: readonly string[];
}

/** Unpacks packages, with those that they need, into the folder `root`; `variant`: how complete (mmdebstrap). */
export async function unpack(
  root: string,
  variant: 'minbase' | 'extract',
  packages: readonly string[],
  without: readonly string[],
): Promise<void> {
  const { suite, sources } = await osRelease();
  const exclude = without.map((pattern) => `--dpkgopt=path-exclude=${pattern}`);
  const include = `--include=${packages.join(',')}`;
  // What is not finished is thrown away: there is no need to flush.
  const quick = ['--aptopt=APT::Install-Recommends "false"', '--dpkgopt=force-unsafe-io'];
  const words = ['--quiet', `--variant=${variant}`, include, ...quick, ...exclude, suite, root, ...sources];
  await command('mmdebstrap', words, BUILD);
}

/**
 * Path of what `build` makes, which is built only when this recipe has not been built yet. `build` gets a folder to work in
 * and answers with the path of its result there, a file or a folder.
 */
export async function builtOnce(
  name: string,
  recipe: readonly unknown[],
  build: (folder: string) => Promise<string>,
): Promise<string> {
  const text = [(await osRelease()).suite, ...recipe.flat()].join('\n');
  const key = createHash('sha256').update(text).digest('hex').slice(0, 16);
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'lockstep');
  const { name: stem, ext } = parse(name);
  const built = join(cache, `${stem}-${key}${ext}`);
  if (existsSync(built)) return built;
  const folder = `${built}.${process.pid}`;
  await mkdir(folder, { recursive: true });
  try {
    await rename(await build(folder), built); // at once: a build that was cut short leaves nothing behind
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return built;
}

async function osRelease(): Promise<Release> {
  const text = await readFile('/etc/os-release', 'utf8');
  const value = (name: string): string | undefined => new RegExp(`^${name}="?([^"\n]+)`, 'm').exec(text)?.[1];
  const candidates = [`/etc/apt/sources.list.d/${value('ID')}.sources`, '/etc/apt/sources.list'];
  return { suite: value('VERSION_CODENAME') ?? 'stable', sources: candidates.filter(existsSync).slice(0, 1) };
}
