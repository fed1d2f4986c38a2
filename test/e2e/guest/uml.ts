/** The Linux kernel as an ordinary process, as Debian packages it (user-mode-linux): native speed, one CPU, no scsi_dh_alua. */
import { existsSync } from 'node:fs';
import type { Kernel } from './kernel.ts';

const PROGRAM = '/usr/bin/linux.uml';
const MODULES = '/usr/lib/uml/modules';
const MEMORY = '512M';

export const USER_MODE: Kernel = {
  lacks: () =>
    existsSync(PROGRAM) ? undefined : `guests need ${PROGRAM} (Debian package user-mode-linux, x64 only)`,
  commandLine({ folder, image, ports }) {
    const interfaces = ports.map(
      ({ tap }, index) => `vec${index}:transport=tap,ifname=${tap},depth=128,gro=1`,
    );
    const devices = [`ubd0=${folder}/disk,${image}`, ...interfaces];
    const system = [
      `mem=${MEMORY}`,
      ...devices,
      'root=/dev/ubda',
      'rw',
      'noatime',
      'init=/sbin/lockstep-first',
    ];
    const consoles = ['con=null', 'con0=fd:3,fd:3', 'con1=fd:0,fd:1', 'quiet', 'panic=-1'];
    const place = [`HOST=${folder}`, `uml_dir=${folder}`, 'umid=guest'];
    // A kernel that reboots or panics executes its argv[0] again: /bin/true makes that an end.
    const disguised = ['bash', '-c', 'exec -a /bin/true "$0" "$@"', PROGRAM];
    return Promise.resolve({
      words: [...disguised, ...system, ...consoles, ...place],
      settings: `KERNEL=user-mode INTERFACE=vec MODULES=${MODULES}`,
    });
  },
};
