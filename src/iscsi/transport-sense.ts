/**
 * Sense data for iSCSI's own conditions: errors of the transport protocol service, not of the device server
 * (RFC 7143 §11.4.7.2; 4Bh/06h is INITIATOR RESPONSE TIMEOUT of SPC-4's list). Fixed format, current error (SPC-4 §4.5.3).
 */

const ABORTED_COMMAND = 0x0b;
const FIXED_CURRENT = 0x70;
const SENSE_LENGTH = 18;

const CONDITIONS = {
  unexpectedUnsolicitedData: [0x0c, 0x0c],
  incorrectAmountOfData: [0x0c, 0x0d],
  protocolServiceCrcError: [0x47, 0x05],
  initiatorResponseTimeout: [0x4b, 0x06],
} as const satisfies Record<string, readonly [asc: number, ascq: number]>;

export type TransportFault = keyof typeof CONDITIONS;

export function transportSense(fault: TransportFault): Uint8Array {
  const [asc, ascq] = CONDITIONS[fault];
  const sense = new Uint8Array(SENSE_LENGTH);
  sense[0] = FIXED_CURRENT;
  sense[2] = ABORTED_COMMAND;
  sense[7] = SENSE_LENGTH - 8;
  sense[12] = asc;
  sense[13] = ascq;
  return sense;
}
