/** How commands end: GOOD, GOOD with parameter data, and what a device's fault means in SCSI. */

import { unreachable } from '../base/assert.ts';
import { fail, type Failed, ok, type Ok, type Result } from '../base/result.ts';
import type { DeviceFault, Loan } from '../ports/block-device.ts';
import { Status } from '../ports/scsi-target.ts';
import type { Outcome } from './command.ts';
import { type Fault, fault } from './sense.ts';

/** GOOD without data; one shared object. */
export const GOOD: Ok<Outcome> = { ok: true, value: { status: Status.GOOD, dataIn: undefined } };

/** Data that is nobody's loan. */
function loanOf(bytes: Uint8Array): Loan {
  return { segments: [bytes], release: () => undefined };
}

/** GOOD with parameter data, cut to the allocation length (SPC-4 §4.2.5.6). */
export function goodWith(bytes: Uint8Array, allocationLength: number): Result<Outcome, Fault> {
  const cut = bytes.length > allocationLength ? bytes.subarray(0, allocationLength) : bytes;
  return ok({ status: Status.GOOD, dataIn: cut.length === 0 ? undefined : loanOf(cut) });
}

export function refuse(reason: Parameters<typeof fault>[0]): Failed<Fault> {
  return fail(fault(reason));
}

/** What goes wrong in a device, in SCSI's words. */
export function deviceFault(cause: DeviceFault): Failed<Fault> {
  switch (cause.kind) {
    case 'mediumError':
      return fail({
        reason: cause.operation === 'read' ? 'unrecoveredReadError' : 'writeError',
        information: cause.lba,
      });
    case 'noSpace':
      return fail({ reason: 'spaceAllocationFailedWriteProtect', information: cause.lba });
    case 'miscompare':
      return fail({ reason: 'miscompareDuringVerify', information: cause.offset });
    case 'writeProtected':
      return refuse('writeProtected');
    case 'busy':
      return refuse('busy');
    case 'unavailable':
      return refuse('notReadyPortUnavailable');
    default:
      return unreachable(cause);
  }
}

/** GOOD, or the device's fault. */
export function goodUnless(result: Result<void, DeviceFault>): Result<Outcome, Fault> {
  return result.ok ? GOOD : deviceFault(result.fault);
}
