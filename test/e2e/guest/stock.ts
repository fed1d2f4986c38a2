/**
 * Debian's own kernel, as it is installed on servers, in QEMU: with everything that hosts have, such as scsi_dh_alua, at a
 * twentieth of the speed where there is no KVM. Kernel, modules and the initial RAM disk come from packages that are
 * unpacked, not installed.
 */
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Kernel } from './kernel.ts';
import { BUILD, builtOnce, command, unpack } from './packages.ts';

const EMULATOR = '/usr/bin/qemu-system-x86_64';
const PACKAGES = ['linux-image-amd64', 'busybox-static', 'kmod'];
const WITHOUT = ['/usr/share/*'];
/** Up to the root file system and the host's folder; all else is loaded from there. */
const FIRST_MODULES = ['virtio_pci', 'virtio_blk', 'ext4', '9pnet_virtio', '9p'];
const PLAN_9 = '-t 9p -o trans=virtio,version=9p2000.L,msize=512000';
/** The first process of the initial RAM disk. */
const FIRST_PROCESS = `#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
for module in /modules/*; do $b insmod "$module"; done
until [ -b /dev/vda ]; do $b sleep 0.02; done
$b mount -t ext4 -o noatime /dev/vda /image
$b mount -o move /dev /image/dev
$b mount -t proc proc /image/proc
$b mount ${PLAN_9} host /image/host
exec $b switch_root /image /bin/bash /host/init.sh
`;

/** A guest that still boots does not notice that its terminal hangs up. */
const ENDS_WITH_US = words('setpriv --pdeathsig KILL');
/** Fast where there is KVM. */
const MACHINE = words('-M q35 -accel kvm -accel tcg,thread=multi -cpu max -smp 2 -m 768');
const WITHOUT_DISPLAY = words('-nodefaults -no-user-config -display none -no-reboot -serial chardev:console');
const TERMINAL = words(
  '-chardev stdio,id=terminal,signal=off -device virtio-serial-pci -device virtserialport,chardev=terminal',
);
const KERNEL_WORDS = 'console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests';

export const STOCK: Kernel = {
  lacks: () =>
    existsSync(EMULATOR)
      ? undefined
      : `the stock kernel needs ${EMULATOR} (package qemu-system-x86, x64 only)`,
  async commandLine({ folder, image, ports }) {
    const built = await builtOnce('stock-kernel', [PACKAGES, WITHOUT, FIRST_MODULES, FIRST_PROCESS], build);
    const kernel = [
      '-kernel',
      join(built, 'vmlinuz'),
      '-initrd',
      join(built, 'initrd'),
      '-append',
      KERNEL_WORDS,
    ];
    const console = ['-chardev', `file,id=console,path=${folder}/console,append=on`];
    return {
      words: [
        ...ENDS_WITH_US,
        EMULATOR,
        ...MACHINE,
        ...WITHOUT_DISPLAY,
        ...TERMINAL,
        ...kernel,
        ...console,
        '-drive',
        `file=${image},format=raw,if=none,id=root,snapshot=on`,
        '-device',
        'virtio-blk-pci,drive=root',
        ...shared('host', folder),
        ...shared('modules', join(built, 'modules'), ',readonly=on'),
        ...ports.flatMap(({ tap, mac }, index) => [
          '-netdev',
          `tap,id=net${index},ifname=${tap},script=no,downscript=no`,
          '-device',
          `virtio-net-pci,netdev=net${index},mac=${mac},romfile=`,
        ]),
      ],
      settings: 'KERNEL=stock INTERFACE=eth',
    };
  },
};

/** A folder of this machine, by its name in the guest. */
function shared(name: string, path: string, more = ''): string[] {
  const folder = `local,id=${name},path=${path},security_model=none${more}`;
  return ['-fsdev', folder, '-device', `virtio-9p-pci,fsdev=${name},mount_tag=${name}`];
}

function words(line: string): string[] {
  return line.split(' ');
}

/** A folder with `vmlinuz`, `initrd` and `modules`. */
async function build(folder: string): Promise<string> {
  const root = join(folder, 'root');
  await unpack(root, 'extract', PACKAGES, WITHOUT);
  const [version = ''] = await readdir(join(root, 'lib/modules'));
  await command('chroot', [root, 'depmod', version], BUILD);
  const wanted = ['--all', '-S', version, '--show-depends', ...FIRST_MODULES];
  const { stdout } = await command('chroot', [root, 'modprobe', ...wanted], BUILD);
  const modules = new Set(Array.from(stdout.matchAll(/^insmod (\S+)/gm), ([, module]) => module!));
  const first = join(folder, 'initrd');
  for (const name of ['bin', 'modules', 'dev', 'image']) await mkdir(join(first, name), { recursive: true });
  await copyFile(join(root, 'bin/busybox'), join(first, 'bin/busybox'));
  for (const [index, module] of [...modules].entries()) {
    const place = `${String(index).padStart(2, '0')}-${basename(module)}`; // in the order in which they are loaded
    await copyFile(join(root, module), join(first, 'modules', place));
  }
  await writeFile(join(first, 'init'), FIRST_PROCESS);
  await chmod(join(first, 'init'), 0o755);
  const result = join(folder, 'result');
  await mkdir(result);
  await command('sh', ['-c', `cd ${first} && find . | cpio --quiet -o -H newc > ${result}/initrd`], BUILD);
  await rename(join(root, `boot/vmlinuz-${version}`), join(result, 'vmlinuz'));
  await rename(join(root, 'lib/modules'), join(result, 'modules'));
  return result;
}
