/** The guest's root file system: an ext4 image made of Debian packages. Guests write to copies; the image never changes. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BUILD, builtOnce, command, unpack } from './packages.ts';

const SYSTEM = ['udev', 'kmod', 'iproute2', 'iputils-ping', 'procps'];
const STORAGE = ['open-iscsi', 'multipath-tools', 'sg3-utils', 'e2fsprogs', 'xfsprogs', 'fio'];
const DATABASE = ['postgresql'];
const PACKAGES = [...SYSTEM, ...STORAGE, ...DATABASE];
/** Without LLVM, which is large, PostgreSQL has to be told `jit=off`. */
const WITHOUT = [
  '/usr/share/doc/*',
  '/usr/share/man/*',
  '/usr/share/locale/*',
  '/usr/share/info/*',
  '/usr/lib/*/libLLVM*',
];
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
	devnode "^(ubd|vd|loop|ram)"
}
`;
const SPARE_MEBIBYTES = 128;

/** Path of the image; builds it when this recipe has not been built yet. */
export function guestImage(): Promise<string> {
  const recipe = [PACKAGES, WITHOUT, FIRST_PROCESS, MULTIPATH, SPARE_MEBIBYTES];
  return builtOnce('guest.ext4', recipe, build);
}

async function build(folder: string): Promise<string> {
  const root = join(folder, 'root');
  await unpack(root, 'minbase', PACKAGES, WITHOUT);
  await mkdir(join(root, 'host'));
  await mkdir(join(root, 'usr/lib/modules'), { recursive: true });
  await writeFile(join(root, 'sbin/lockstep-first'), FIRST_PROCESS, { mode: 0o755 });
  await writeFile(join(root, 'etc/multipath.conf'), MULTIPATH);
  // The database that Debian makes at once is not used.
  for (const unused of ['var/lib/apt/lists', 'var/lib/postgresql'])
    await rm(join(root, unused), { recursive: true, force: true });
  const { stdout } = await command('du', ['-sm', root]);
  const size = `${Math.ceil(parseInt(stdout, 10) * 1.1) + SPARE_MEBIBYTES}M`;
  const image = join(folder, 'image');
  const options = ['-q', '-t', 'ext4', '-O', '^has_journal', '-E', 'lazy_itable_init=1', '-d', root];
  await command('mke2fs', [...options, image, size], BUILD);
  return image;
}
