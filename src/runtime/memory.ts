/** How much memory there is: of the machine, or of what the system allows this program (a control group). */

import os from 'node:os';

/** Bytes. */
export function memoryOfMachine(): number {
  const allowed = process.constrainedMemory();
  const installed = os.totalmem();
  return allowed > 0 ? Math.min(allowed, installed) : installed;
}
