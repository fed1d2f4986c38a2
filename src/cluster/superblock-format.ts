/**
 * What a node has promised and knows about its copy of a device; one page of 4 KiB (docs/FORMATS.md, "Superblock").
 * Only layout: superblock.ts keeps two copies of it, with the reservations behind each.
 */

import { assert } from '../base/assert.ts';
import { getCount, putCount } from '../base/count.ts';
import { crc32c } from '../base/crc32c.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { getUuid, putUuid, type Uuid } from '../base/uuid.ts';
import type { Configuration } from './configuration.ts';
import {
  EPOCH_LENGTH,
  getConfigurationRecord,
  getEpoch,
  getNodes,
  MEMBERS_MAX,
  putConfigurationRecord,
  putEpoch,
  putNodes,
} from './fields.ts';
import { type EpochRecord, type History, HISTORY_MAX } from './history.ts';

export const SUPERBLOCK_LENGTH = 4096;
/** Reservations and whatever else is small, kept whole with the page. */
export const ATTACHMENT_MAX = 256 * 1024 - SUPERBLOCK_LENGTH;

const VERSION = 1;
/** The oldest that is still read: always one less than `VERSION`, once there has been one. */
const VERSION_OLDEST = 1;
const MAGIC = 0x4c535342;
const ACCEPTED = 80;
const COPY_SEQUENCE = 152;
const BOUND = 184;
const HISTORY = 256;
const CHECKSUM = SUPERBLOCK_LENGTH - 4;

const DATA_STATES = ['inSync', 'stale', 'inconsistent', 'diverged'] as const;
const SHUTDOWNS = ['none', 'inOrder', 'writtenOut'] as const;
const WRITE_POLICIES = ['through', 'back'] as const;
const JOURNALS = ['ram', 'failure', 'continuous'] as const;

/**
 * How the process ended that saved this last: without a word; in order; or written out, with changes under way: it holds
 * all that was answered, and perhaps what nobody else does.
 */
export type Shutdown = (typeof SHUTDOWNS)[number];
export type DataState = (typeof DATA_STATES)[number];
export type WritePolicy = (typeof WRITE_POLICIES)[number];

export interface Superblock {
  readonly device: Uuid;
  /** The node whose copy this is; a disk that was moved or copied shows itself by it. */
  readonly node: number;
  /** Unlike any other copy, also of the same node: a replaced disk has another. */
  readonly copy: Uuid;
  /** No message of a lower term is answered. */
  readonly promisedTerm: number;
  readonly accepted: Configuration;
  readonly installedTerm: number;
  /** Who has to agree to the next configuration under the heartbeat strategy. */
  readonly bound: readonly number[];
  /** The last accepted term that included this copy as member or learner; 0 for never. */
  readonly copyTerm: number;
  /** The sequence of the last save since when the process that saved it had accepted such a term; 0: not known. */
  readonly copySequence: number;
  readonly dataState: DataState;
  /** Made as a copy, or has accepted a configuration since; before that it is a vote that does not count. */
  readonly hasCopy: boolean;
  readonly shutdown: Shutdown;
  readonly writePolicy: WritePolicy;
  readonly journal: { readonly strategy: (typeof JOURNALS)[number]; readonly isTrusted: boolean };
  readonly blockLength: number;
  readonly blockCount: number;
  readonly history: History;
}

/** What the page says beside the superblock itself. */
export interface SuperblockPage {
  readonly superblock: Superblock;
  readonly sequence: number;
  readonly attachmentLength: number;
  readonly attachmentChecksum: number;
}

export type SuperblockFault =
  | { readonly kind: 'damaged' }
  /** Written by a later program; nothing may be concluded from it, and nothing overwritten. */
  | { readonly kind: 'newerVersion'; readonly version: number };

export function encodeSuperblock(page: SuperblockPage): Uint8Array {
  const { superblock } = page;
  const bytes = new Uint8Array(SUPERBLOCK_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint16(4, VERSION);
  view.setUint16(6, superblock.node);
  putUuid(view, 8, superblock.device);
  putUuid(view, 24, superblock.copy);
  putCount(view, 40, page.sequence);
  putCount(view, 48, superblock.promisedTerm);
  putCount(view, 56, superblock.installedTerm);
  putCount(view, 64, superblock.copyTerm);
  view.setUint8(72, DATA_STATES.indexOf(superblock.dataState));
  view.setUint8(73, SHUTDOWNS.indexOf(superblock.shutdown));
  view.setUint8(74, WRITE_POLICIES.indexOf(superblock.writePolicy));
  view.setUint8(75, JOURNALS.indexOf(superblock.journal.strategy));
  view.setUint8(76, superblock.journal.isTrusted ? 1 : 0);
  view.setUint8(77, superblock.history.length);
  view.setUint8(78, superblock.hasCopy ? 1 : 0);
  putConfigurationRecord(view, ACCEPTED, superblock.accepted);
  putCount(view, COPY_SEQUENCE, superblock.copySequence);
  putNodes(view, BOUND, superblock.bound, MEMBERS_MAX);
  putCount(view, 160, superblock.blockCount);
  view.setUint32(168, superblock.blockLength);
  view.setUint32(172, page.attachmentLength);
  view.setUint32(176, page.attachmentChecksum);
  assert(superblock.history.length <= HISTORY_MAX, 'the history has at most 32 epochs');
  for (const [at, epoch] of superblock.history.entries()) putEpoch(view, HISTORY + at * EPOCH_LENGTH, epoch);
  view.setUint32(CHECKSUM, crc32c(bytes.subarray(0, CHECKSUM), 0));
  return bytes;
}

export function decodeSuperblock(bytes: Uint8Array): Result<SuperblockPage, SuperblockFault> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length !== SUPERBLOCK_LENGTH || view.getUint32(0) !== MAGIC) return fail({ kind: 'damaged' });
  if (view.getUint32(CHECKSUM) !== crc32c(bytes.subarray(0, CHECKSUM), 0)) return fail({ kind: 'damaged' });
  const version = view.getUint16(4);
  if (version > VERSION) return fail({ kind: 'newerVersion', version });
  const dataState = DATA_STATES[view.getUint8(72)];
  const writePolicy = WRITE_POLICIES[view.getUint8(74)];
  const strategy = JOURNALS[view.getUint8(75)];
  const accepted = getConfigurationRecord(view, ACCEPTED);
  const epochs = view.getUint8(77);
  const shutdown = SHUTDOWNS[view.getUint8(73)];
  if (
    dataState === undefined ||
    writePolicy === undefined ||
    strategy === undefined ||
    shutdown === undefined
  )
    return fail({ kind: 'damaged' });
  const bound = getNodes(view, BOUND, MEMBERS_MAX);
  if (version < VERSION_OLDEST || accepted === undefined || bound === undefined || epochs > HISTORY_MAX)
    return fail({ kind: 'damaged' });
  const history: EpochRecord[] = [];
  for (let at = 0; at < epochs; at++) {
    const epoch = getEpoch(view, HISTORY + at * EPOCH_LENGTH);
    if (epoch === undefined) return fail({ kind: 'damaged' });
    history.push(epoch);
  }
  return ok({
    sequence: getCount(view, 40),
    attachmentLength: view.getUint32(172),
    attachmentChecksum: view.getUint32(176),
    superblock: {
      device: getUuid(view, 8),
      node: view.getUint16(6),
      copy: getUuid(view, 24),
      promisedTerm: getCount(view, 48),
      accepted,
      bound,
      installedTerm: getCount(view, 56),
      copyTerm: getCount(view, 64),
      copySequence: getCount(view, COPY_SEQUENCE),
      dataState,
      hasCopy: view.getUint8(78) === 1,
      shutdown,
      writePolicy,
      journal: { strategy, isTrusted: view.getUint8(76) === 1 },
      blockLength: view.getUint32(168),
      blockCount: getCount(view, 160),
      history,
    },
  });
}
