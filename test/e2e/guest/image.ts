/**
 * The guest's root file system: an ext4 image made of Debian packages, built once and cached under a hash of its
 * recipe. Guests write to copies; the image itself never changes. Kernel and modules are those of Debian's package
 * user-mode-linux on this machine and are not part of it.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const command = promisify(execFile);

export const KERNEL = '/usr/bin/linux.uml';
export const MODULES = '/usr/lib/uml/modules';

const SYSTEM = ['udev', 'kmod', 'iproute2', 'iputils-ping', 'procps'];
const STORAGE = ['open-iscsi', 'multipath-tools', 'sg3-utils', 'e2fsprogs', 'xfsprogs', 'fio'];
const PACKAGES = [...SYSTEM, ...STORAGE];
const WITHOUT = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*'];
/** Finds its way to the host's folder, which the kernel's command line names, and goes on there. */
const FIRST_PROCESS = `#!/bin/sh
mount -t proc proc /proc
read -r line < /proc/cmdline
for word in $line; do case $word in HOST=*) mount -t hostfs host /host -o "\${word#HOST=}" ;; esac; done
exec /bin/bash /host/init.sh
`;
const MULTIPATH = `defaults {
	user_friendly_names yes
	find_multipaths no
	polling_interval 2
}
blacklist {
	devnode "^(ubd|loop|ram)"
}
`;
const SPARE_MEBIBYTES = 128;
const BUILD_LIMIT_MS = 300_000;

/** What this machine lacks to run guests; undefined when it has everything. */
export function guestLacks(): string | undefined {
  if (process.getuid?.() !== 0) return 'guests need root: network namespaces, tap devices, mmdebstrap';
  if (!existsSync(KERNEL)) return `guests need ${KERNEL} (Debian package user-mode-linux, x64 only)`;
  if (!existsSync('/dev/net/tun')) return 'guests need /dev/net/tun';
  return undefined;
}

/** Path of the image; builds it when this recipe has not been built yet. */
export async function guestImage(): Promise<string> {
  const release = await osRelease();
  const recipe = [release.suite, ...PACKAGES, ...WITHOUT, FIRST_PROCESS, MULTIPATH, SPARE_MEBIBYTES].join(
    '\n',
  );
  const key = createHash('sha256').update(recipe).digest('hex').slice(0, 16);
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'lockstep');
  const image = join(cache, `guest-${key}.ext4`);
  if (existsSync(image)) return image;
  await mkdir(cache, { recursive: true });
  const root = join(cache, `guest-${key}.${process.pid}`);
  try {
    await build(root, release);
    await rename(`${root}.ext4`, image); // at once: a build that was cut short leaves no image behind
  } finally {
    await rm(root, { recursive: true, force: true });
    await rm(`${root}.ext4`, { force: true });
  }
  return image;
}

interface Release {
  readonly suite: string;
  /** apt sources of the distribution on this machine; none: mmdebstrap's own default. */
  readonly sources: readonly string[];
}

async function osRelease(): Promise<Release> {
  const text = await readFile('/etc/os-release', 'utf8');
  const value = (name: string): string | undefined => new RegExp(`^${name}="?([^"\n]+)`, 'm').exec(text)?.[1];
  const candidates = [`/etc/apt/sources.list.d/${value('ID')}.sources`, '/etc/apt/sources.list'];
  return { suite: value('VERSION_CODENAME') ?? 'stable', sources: candidates.filter(existsSync).slice(0, 1) };
}

async function build(root: string, { suite, sources }: Release): Promise<void> {
  const options = { timeout: BUILD_LIMIT_MS, killSignal: 'SIGTERM' } as const;
  const exclude = WITHOUT.map((pattern) => `--dpkgopt=path-exclude=${pattern}`);
  const include = `--include=${PACKAGES.join(',')}`;
  const lean = '--aptopt=APT::Install-Recommends "false"';
  await command(
    'mmdebstrap',
    ['--quiet', '--variant=minbase', include, lean, ...exclude, suite, root, ...sources],
    options,
  );
  await mkdir(join(root, 'host'));
  await mkdir(join(root, 'usr/lib/modules'), { recursive: true });
  await writeFile(join(root, 'sbin/lockstep-first'), FIRST_PROCESS, { mode: 0o755 });
  await writeFile(join(root, 'etc/multipath.conf'), MULTIPATH);
  await rm(join(root, 'var/lib/apt/lists'), { recursive: true });
  const { stdout } = await command('du', ['-sm', root]);
  const size = `${Math.ceil(parseInt(stdout, 10) * 1.1) + SPARE_MEBIBYTES}M`;
  const ext4 = [
    '-q',
    '-t',
    'ext4',
    '-O',
    '^has_journal',
    '-E',
    'lazy_itable_init=1',
    '-d',
    root,
    `${root}.ext4`,
    size,
  ];
  await command('mke2fs', ext4, options);
}
