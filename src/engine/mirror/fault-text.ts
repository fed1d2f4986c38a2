/** What is wrong with a medium, for people. */

import type { DeviceFault } from '../../ports/block-device.ts';

export function faultText(fault: DeviceFault): string {
  switch (fault.kind) {
    case 'mediumError':
      return `block ${fault.lba} could not be ${fault.operation === 'read' ? 'read' : 'written'}: ${fault.cause}`;
    case 'noSpace':
      return `there is no space for block ${fault.lba}`;
    case 'unavailable':
      return fault.reason;
    default:
      return fault.kind;
  }
}
