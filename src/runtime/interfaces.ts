/** What the system knows of the network interface that has an address. */

import { readFileSync } from 'node:fs';
import os from 'node:os';

export interface InterfaceSpeed {
  readonly name: string;
  /** What its link has negotiated; undefined: it does not say (loopback, most virtual ones). */
  readonly bytesPerSecond: number | undefined;
}

const BITS_PER_MEGABIT = 1e6;

/** Undefined: no interface has this address. `root`: where the system shows its interfaces. */
export function interfaceSpeed(address: string, root = '/sys/class/net'): InterfaceSpeed | undefined {
  for (const [name, addresses] of Object.entries(os.networkInterfaces()))
    if (addresses?.some((own) => own.address === address) === true)
      return { name, bytesPerSecond: speedOf(`${root}/${name}/speed`) };
  return undefined;
}

function speedOf(file: string): number | undefined {
  try {
    const megabits = Number(readFileSync(file, 'utf8'));
    return megabits > 0 ? (megabits * BITS_PER_MEGABIT) / 8 : undefined;
  } catch {
    return undefined; // the kernel refuses to tell of an interface that has no link
  }
}
