/**
 * Commands for a LUN behind which there is nothing (SPC-4 §4.2.2, SAM-5 §5.13), and for the REPORT LUNS well-known
 * logical unit (SPC-4 §8.2). There is no task set: each ends at once.
 */

import { LUN_REPORT_LUNS } from '../base/lun.ts';
import { fail, type Result } from '../base/result.ts';
import { Status, type Task } from '../ports/scsi-target.ts';
import type { Outcome } from './command.ts';
import { u16 } from './fields.ts';
import { absentInquiry, wellKnownInquiry } from './inquiry.ts';
import type { NexusState } from './nexus.ts';
import { GOOD, goodWith, refuse } from './outcome.ts';
import { reportLuns } from './report-luns.ts';
import { encodeSense, type Fault, fault, invalidCdbField } from './sense.ts';

const Opcode = { TEST_UNIT_READY: 0x00, REQUEST_SENSE: 0x03, INQUIRY: 0x12, REPORT_LUNS: 0xa0 } as const;

export function completeAbsent(nexus: NexusState, lun: number, task: Task): void {
  const result = answer(nexus, lun, task.cdb);
  if (result.ok) task.complete(result.value.status, undefined, result.value.dataIn);
  else task.complete(Status.CHECK_CONDITION, encodeSense(result.fault, 'fixed'), undefined);
}

function answer(nexus: NexusState, lun: number, cdb: Uint8Array): Result<Outcome, Fault> {
  const wellKnown = lun === LUN_REPORT_LUNS;
  switch (cdb[0]) {
    case Opcode.INQUIRY:
      if ((cdb[1]! & 1) !== 0)
        return wellKnown ? fail(invalidCdbField(2)) : refuse('logicalUnitNotSupported');
      return goodWith(wellKnown ? wellKnownInquiry() : absentInquiry(), u16(cdb, 3));
    case Opcode.REPORT_LUNS:
      return wellKnown || lun === 0 ? reportLuns(nexus, cdb) : refuse('logicalUnitNotSupported');
    case Opcode.REQUEST_SENSE: {
      const state = fault(wellKnown ? 'noSense' : 'logicalUnitNotSupported');
      return goodWith(encodeSense(state, (cdb[1]! & 1) === 0 ? 'fixed' : 'descriptor')!, cdb[4]!);
    }
    case Opcode.TEST_UNIT_READY:
      return wellKnown ? GOOD : refuse('logicalUnitNotSupported');
    default:
      return refuse(wellKnown ? 'invalidOpcode' : 'logicalUnitNotSupported');
  }
}
