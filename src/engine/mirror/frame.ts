/**
 * What every frame between two nodes has around its message (docs/FORMATS.md, "Messages between nodes"):
 *
 *   header (20) ── fields ── checksum of both (4) ── data
 *
 * Header and hello have the same layout in all versions. Every frame says in which version it is, and which is the
 * highest that its sender speaks.
 */

import { fail, ok, type Result } from '../../base/result.ts';
import type { WireFault, Written } from '../../base/wire.ts';
import type { Crc32c } from '../../ports/crypto.ts';

export const VERSION = 1;
/** The oldest that is still spoken: always one less than `VERSION`, once there has been one. */
export const VERSION_OLDEST = 1;
export const HEADER_LENGTH = 20;
/** Fits into a packet of any Ethernet, also in IPv6. */
export const DATAGRAM_BYTES_MAX = 1400;

const MAGIC = 0x4c534e4e;
export const CHECKSUM_LENGTH = 4;
const KINDS = [
  'hello',
  'ack',
  'probe',
  'probed',
  'forgotten',
  'replica',
  'control',
  'beat',
  'controlDatagram',
] as const;

export type FrameKind = (typeof KINDS)[number];

export type FrameFault =
  | WireFault
  | { readonly kind: 'notAFrame' }
  /** The sender speaks up to `highest`. */
  | { readonly kind: 'otherVersion'; readonly version: number; readonly highest: number }
  | { readonly kind: 'noCommonVersion'; readonly lowest: number; readonly highest: number }
  /** It claims more than a frame of its kind can have. */
  | { readonly kind: 'tooLong' }
  | { readonly kind: 'damaged' };

export interface FrameHeader {
  readonly kind: FrameKind;
  readonly highest: number;
  readonly fieldsLength: number;
  readonly dataLength: number;
  readonly dataChecksum: number;
}

/** Bytes that a frame may have. */
export interface FrameLimit {
  readonly fields: number;
  readonly data: number;
}

/** Writes header and checksum around the fields. */
export function sealFrame(
  { kind, version }: { readonly kind: FrameKind; readonly version: number },
  { view, head, data }: Written,
  crc32c: Crc32c,
): void {
  let [dataLength, dataChecksum] = [0, 0];
  for (const segment of data) {
    dataLength += segment.length;
    dataChecksum = crc32c(segment, dataChecksum);
  }
  const end = head.length - CHECKSUM_LENGTH;
  view.setUint32(0, MAGIC);
  view.setUint8(4, version);
  view.setUint8(5, VERSION);
  view.setUint8(6, KINDS.indexOf(kind));
  view.setUint8(7, 0);
  view.setUint32(8, end - HEADER_LENGTH);
  view.setUint32(12, dataLength);
  view.setUint32(16, dataChecksum);
  view.setUint32(end, crc32c(head.subarray(0, end), 0));
}

/** What the first bytes of a frame say; nothing is proven yet, but no limit is exceeded. */
export function readHeader(
  view: DataView,
  at: number,
  limitOf: (kind: FrameKind) => FrameLimit,
): Result<FrameHeader, FrameFault> {
  if (view.byteLength - at < HEADER_LENGTH) return fail({ kind: 'wrongLength' });
  if (view.getUint32(at) !== MAGIC) return fail({ kind: 'notAFrame' });
  const version = view.getUint8(at + 4);
  const highest = view.getUint8(at + 5);
  const kind = KINDS[view.getUint8(at + 6)];
  if (kind !== 'hello' && (version < VERSION_OLDEST || version > VERSION))
    return fail({ kind: 'otherVersion', version, highest });
  if (kind === undefined) return fail({ kind: 'unknownKind' });
  const fieldsLength = view.getUint32(at + 8);
  const dataLength = view.getUint32(at + 12);
  const { fields, data } = limitOf(kind);
  if (fieldsLength > fields || dataLength > data) return fail({ kind: 'tooLong' });
  return ok({ kind, highest, fieldsLength, dataLength, dataChecksum: view.getUint32(at + 16) });
}

export function lengthOfFrame({ fieldsLength, dataLength }: FrameHeader): number {
  return HEADER_LENGTH + fieldsLength + CHECKSUM_LENGTH + dataLength;
}

/** Whether all of the frame arrived as it was sent. */
export function isIntact(view: DataView, at: number, header: FrameHeader, crc32c: Crc32c): boolean {
  const { fieldsLength, dataLength, dataChecksum } = header;
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, lengthOfFrame(header));
  const end = HEADER_LENGTH + fieldsLength;
  if (crc32c(bytes.subarray(0, end), 0) !== view.getUint32(at + end)) return false;
  return dataLength === 0
    ? dataChecksum === 0
    : crc32c(bytes.subarray(end + CHECKSUM_LENGTH), 0) === dataChecksum;
}
