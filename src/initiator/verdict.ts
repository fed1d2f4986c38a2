/** What an answer means to who sent the command: done, again here, again elsewhere, or failed. As Linux decides it. */

import { Status } from '../ports/scsi-target.ts';

export interface ScsiAnswer {
  readonly status: number;
  /** As it came; empty without. */
  readonly sense: Uint8Array;
  readonly data: Uint8Array;
}

export type Verdict =
  | 'good'
  /** Of COMPARE AND WRITE: something else stood there. */
  | 'miscompare'
  /** The command was not begun; the next one on this path may be. */
  | 'again'
  /** The same, and not at once. */
  | 'busy'
  /** This path leads to a unit that does not serve. */
  | 'pathFailed'
  | 'failed';

interface SenseCode {
  readonly key: number;
  readonly asc: number;
  readonly ascq: number;
}

const NOT_READY = 0x2;
const UNIT_ATTENTION = 0x6;
const ABORTED_COMMAND = 0xb;
const MISCOMPARE = 0xe;
const LOGICAL_UNIT_NOT_READY = 0x04;
const TRANSITION = 0x0a;
/** LOGICAL UNIT NOT SUPPORTED: the node has no such unit now. */
const ILLEGAL_REQUEST = 0x5;
const NO_SUCH_UNIT = 0x25;

export function verdictOf(answer: ScsiAnswer): Verdict {
  switch (answer.status) {
    case Status.GOOD:
      return 'good';
    case Status.BUSY:
    case Status.TASK_SET_FULL:
      return 'busy';
    case Status.TASK_ABORTED:
      return 'again';
    case Status.CHECK_CONDITION:
      return verdictOfSense(senseIn(answer.sense));
    default:
      return 'failed';
  }
}

function verdictOfSense({ key, asc, ascq }: SenseCode): Verdict {
  switch (key) {
    case NOT_READY:
      return asc === LOGICAL_UNIT_NOT_READY && ascq === TRANSITION ? 'busy' : 'pathFailed';
    case UNIT_ATTENTION:
      return 'again';
    case ABORTED_COMMAND:
      return 'busy';
    case MISCOMPARE:
      return 'miscompare';
    case ILLEGAL_REQUEST:
      return asc === NO_SUCH_UNIT ? 'pathFailed' : 'failed';
    default:
      return 'failed';
  }
}

/** SPC-4 §4.5: fixed and descriptor format. */
function senseIn(sense: Uint8Array): SenseCode {
  const code = (sense[0] ?? 0) & 0x7f;
  const [key, asc, ascq] = code >= 0x72 ? [sense[1], sense[2], sense[3]] : [sense[2], sense[12], sense[13]];
  return { key: (key ?? 0) & 15, asc: asc ?? 0, ascq: ascq ?? 0 };
}

export function describe(answer: ScsiAnswer): string {
  if (answer.status !== Status.CHECK_CONDITION) return `status ${hex(answer.status)}h`;
  const { key, asc, ascq } = senseIn(answer.sense);
  return `CHECK CONDITION, sense ${key.toString(16)}/${hex(asc)}/${hex(ascq)}`;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
