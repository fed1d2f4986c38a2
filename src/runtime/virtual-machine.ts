/** Whether this is a virtual machine: its host may stop it, clock and all, for as long as it likes. */

import { existsSync, readFileSync } from 'node:fs';

export function isVirtualMachine(): boolean {
  // x86: the CPUID bit that hypervisors set. Xen and others name themselves.
  return existsSync('/sys/hypervisor/type') || cpuFlags().includes('hypervisor') || isVirtualBoard();
}

function cpuFlags(): readonly string[] {
  const line = /^flags\s*:(.*)$/m.exec(textOf('/proc/cpuinfo'));
  return line?.[1]?.trim().split(/\s+/) ?? [];
}

function isVirtualBoard(): boolean {
  return /\b(?:KVM|QEMU|VMware|VirtualBox|Virtual Machine|Xen|Bochs)\b/.test(
    textOf('/sys/class/dmi/id/product_name') + textOf('/sys/class/dmi/id/sys_vendor'),
  );
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
