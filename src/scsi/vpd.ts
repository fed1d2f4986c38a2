/** Vital product data pages (SPC-4 §7.8, SBC-3 §6.6). */

import { ascii, setU16, setU32, setU64 } from './fields.ts';
import { deviceIdentification } from './device-identification.ts';
import {
  COMPARE_AND_WRITE_BLOCKS_MAX,
  TRANSFER_BYTES_OPTIMAL,
  transferBlocksMax,
  unmapBlocksMax,
  UNMAP_DESCRIPTORS_MAX,
  writeSameBlocksMax,
} from './limits.ts';
import type { LogicalUnit } from './logical-unit.ts';
import type { TargetPort } from './nexus.ts';
import { thirdPartyCopy } from './third-party-copy-page.ts';

type Page = (unit: LogicalUnit, port: TargetPort) => Uint8Array;

/** Payload by page code, in ascending order; page 00h lists exactly these. */
const PAGES: ReadonlyMap<number, Page> = new Map<number, Page>([
  [0x00, () => Uint8Array.from(PAGES.keys())],
  [0x80, (unit) => ascii(unit.identity.serial)],
  [0x83, deviceIdentification],
  [0x86, extendedInquiry],
  [0x8f, thirdPartyCopy],
  [0xb0, blockLimits],
  [0xb1, blockDeviceCharacteristics],
  [0xb2, logicalBlockProvisioning],
]);

/** The page with its header; undefined when there is no such page. */
export function vitalProductData(code: number, unit: LogicalUnit, port: TargetPort): Uint8Array | undefined {
  const payload = PAGES.get(code)?.(unit, port);
  if (payload === undefined) return undefined;
  const page = new Uint8Array(4 + payload.length);
  page[1] = code;
  setU16(page, 2, payload.length);
  page.set(payload, 4);
  return page;
}

/** SPC-4 §7.8.7. Offsets below are those of the page less its 4-byte header. */
function extendedInquiry(unit: LogicalUnit): Uint8Array {
  const bytes = new Uint8Array(0x3c);
  bytes[1] = 0x07; // HEADSUP, ORDSUP, SIMPSUP
  if (unit.device.writeCache === 'back') bytes[2] = 0x01; // V_SUP: there is a volatile cache
  return bytes;
}

/** SBC-3 §6.6.4. */
function blockLimits(unit: LogicalUnit): Uint8Array {
  const { geometry } = unit.device;
  const bytes = new Uint8Array(0x3c);
  bytes[0] = 0x01; // WSNZ: WRITE SAME with NUMBER OF LOGICAL BLOCKS zero is refused
  bytes[1] = COMPARE_AND_WRITE_BLOCKS_MAX;
  setU16(bytes, 2, 1 << geometry.physicalBlockExponent);
  setU32(bytes, 4, transferBlocksMax(geometry));
  setU32(bytes, 8, TRANSFER_BYTES_OPTIMAL / geometry.blockLength);
  if (geometry.thin) {
    setU32(bytes, 16, unmapBlocksMax(geometry));
    setU32(bytes, 20, UNMAP_DESCRIPTORS_MAX);
    setU32(bytes, 24, geometry.unmapGranularity);
    setU32(bytes, 28, 0x8000_0000); // UGAVALID, alignment 0
  }
  setU64(bytes, 32, writeSameBlocksMax(geometry));
  return bytes;
}

/** SBC-3 §6.6.2. */
function blockDeviceCharacteristics(unit: LogicalUnit): Uint8Array {
  const bytes = new Uint8Array(0x3c);
  setU16(bytes, 0, unit.rotationRate);
  // WABEREQ 01b: reads succeed after a block erase, which thin units have; WACEREQ 00b: no cryptographic erase.
  bytes[3] = unit.device.geometry.thin ? 0x40 : 0;
  return bytes;
}

/** SBC-3 §6.6.5: thin provisioned, and unmapped blocks read as zeros; or fully provisioned. */
function logicalBlockProvisioning(unit: LogicalUnit): Uint8Array {
  const bytes = new Uint8Array(4);
  if (unit.device.geometry.thin) {
    bytes[1] = 0x80 | 0x40 | 0x20 | 0x04; // LBPU, LBPWS, LBPWS10, LBPRZ
    bytes[2] = 0x02; // PROVISIONING TYPE: thin
  }
  return bytes;
}
