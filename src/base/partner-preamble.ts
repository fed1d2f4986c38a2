/**
 * The first bytes of a connection between nodes, before anything is encrypted (docs/FORMATS.md, "Connections between
 * nodes"). They say only whom it is for; who sends them is proven afterwards.
 */

import { fail, ok, type Result } from './result.ts';
import { getUuid, putUuid, type Uuid } from './uuid.ts';

export const PREAMBLE_LENGTH = 24;

/**
 * `sync`: a channel's connection, only on a link for sync; `heartbeat`: datagrams, on every link; `measure`: an administrator
 * asks how fast the link is, and no device is meant; `command`: a node asks another one something about the device, on behalf of
 * an administrator.
 */
export type ConnectionKind = 'sync' | 'heartbeat' | 'measure' | 'command';

export interface Preamble {
  readonly kind: ConnectionKind;
  readonly device: Uuid;
  /** Number of the link, 1 to 255. */
  readonly link: number;
}

export type PreambleFault =
  | { readonly kind: 'notAPreamble' }
  | { readonly kind: 'otherVersion'; readonly version: number }
  | { readonly kind: 'unknownKind' };

const MAGIC = 0x4c53504e;
const VERSION = 1;
const KINDS: readonly ConnectionKind[] = ['sync', 'heartbeat', 'measure', 'command'];

export function encodePreamble({ kind, device, link }: Preamble): Uint8Array {
  const bytes = new Uint8Array(PREAMBLE_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint8(4, VERSION);
  view.setUint8(5, KINDS.indexOf(kind));
  view.setUint8(6, link);
  putUuid(view, 8, device);
  return bytes;
}

/** Of at least so many bytes. */
export function decodePreamble(bytes: Uint8Array): Result<Preamble, PreambleFault> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== MAGIC) return fail({ kind: 'notAPreamble' });
  const version = view.getUint8(4);
  if (version !== VERSION) return fail({ kind: 'otherVersion', version });
  const kind = KINDS[view.getUint8(5)];
  if (kind === undefined) return fail({ kind: 'unknownKind' });
  return ok({ kind, device: getUuid(view, 8), link: view.getUint8(6) });
}
