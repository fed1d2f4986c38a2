/** A message through its codec, and messages made comparable: data may come back in other pieces than it was sent in. */

import type { Result } from '../result.ts';
import { ok } from '../result.ts';
import { copyTo, lengthOf } from '../segments.ts';
import { type MessageCodec, type WireFault, WireReader, WireWriter } from '../wire.ts';

export interface Encoded {
  readonly bytes: Uint8Array;
  readonly fieldsLength: number;
}

export function encode<M>(codec: MessageCodec<M>, message: M): Encoded {
  const to = new WireWriter(0, 0);
  codec.put(to, message);
  const { head, data } = to.take();
  const bytes = new Uint8Array(head.length + lengthOf(data));
  copyTo([head, ...data], bytes, 0);
  return { bytes, fieldsLength: head.length };
}

export function decode<M>(
  codec: MessageCodec<M>,
  { bytes, fieldsLength }: Encoded,
): Result<M | undefined, WireFault> {
  const from = new WireReader();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  from.begin(view, { fields: 0, fieldsEnd: fieldsLength, data: fieldsLength, end: bytes.length });
  const message = codec.get(from);
  return from.finish() ?? ok(message);
}

/** Every row of segments as one; everything else as it is. */
export function inOnePiece(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) {
    const items: unknown[] = value;
    const segments = items.filter((item) => item instanceof Uint8Array);
    if (segments.length === 0 || segments.length < items.length) return items.map(inOnePiece);
    return segments.flatMap((segment) => [...segment]);
  }
  if (value === null || typeof value !== 'object' || value instanceof Map) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, inOnePiece(part)]));
}
