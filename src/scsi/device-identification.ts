/**
 * Device Identification VPD page (SPC-4 §7.8.6): the logical unit's names, the same through every port, then the port
 * that asked and the target device. Initiators recognise two paths to one disk by the first of them.
 */

import { ascii, setU16 } from './fields.ts';
import type { LogicalUnit } from './logical-unit.ts';
import type { TargetPort } from './nexus.ts';

const CodeSet = { BINARY: 1, ASCII: 2, UTF8: 3 } as const;
const Association = { LOGICAL_UNIT: 0, TARGET_PORT: 1, TARGET_DEVICE: 2 } as const;
const Type = { T10: 1, NAA: 3, RELATIVE_PORT: 4, PORT_GROUP: 5, SCSI_NAME: 8 } as const;

const PROTOCOL_ISCSI = 5;

type ValueOf<T> = T[keyof T];

export function deviceIdentification(unit: LogicalUnit, port: TargetPort): Uint8Array {
  const { TARGET_PORT, TARGET_DEVICE } = Association;
  const parts = [
    ...unitDesignators(unit),
    designator(CodeSet.BINARY, TARGET_PORT, Type.RELATIVE_PORT, fourBytes(port.relativeTargetPort)),
    designator(CodeSet.BINARY, TARGET_PORT, Type.PORT_GROUP, fourBytes(port.targetPortGroup)),
    designator(CodeSet.UTF8, TARGET_PORT, Type.SCSI_NAME, scsiName(port.portName)),
    designator(CodeSet.UTF8, TARGET_DEVICE, Type.SCSI_NAME, scsiName(port.targetName)),
  ];
  const page = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    page.set(part, at);
    at += part.length;
  }
  return page;
}

/** Designation descriptors of the logical unit itself; EXTENDED COPY finds it by any of them. */
export function unitDesignators(unit: LogicalUnit): Uint8Array[] {
  const { vendor, product, serial, naa } = unit.identity;
  const { LOGICAL_UNIT } = Association;
  const t10 = vendor.padEnd(8) + product.padEnd(16) + serial;
  return [
    designator(CodeSet.BINARY, LOGICAL_UNIT, Type.NAA, naa),
    designator(CodeSet.ASCII, LOGICAL_UNIT, Type.T10, ascii(t10)),
    designator(CodeSet.UTF8, LOGICAL_UNIT, Type.SCSI_NAME, scsiName(`naa.${hex(naa)}`)),
  ];
}

function designator(
  codeSet: ValueOf<typeof CodeSet>,
  association: ValueOf<typeof Association>,
  type: ValueOf<typeof Type>,
  value: Uint8Array,
): Uint8Array {
  const bytes = new Uint8Array(4 + value.length);
  const ofTransport = association !== Association.LOGICAL_UNIT;
  bytes[0] = (ofTransport ? PROTOCOL_ISCSI << 4 : 0) | codeSet;
  bytes[1] = (ofTransport ? 0x80 : 0) | (association << 4) | type;
  bytes[3] = value.length;
  bytes.set(value, 4);
  return bytes;
}

function fourBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  setU16(bytes, 2, value);
  return bytes;
}

/** SPC-4 §7.8.6.11: ended by a zero and filled up to a multiple of four. */
function scsiName(name: string): Uint8Array {
  const bytes = new Uint8Array((name.length + 4) & ~3);
  bytes.set(ascii(name));
  return bytes;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
