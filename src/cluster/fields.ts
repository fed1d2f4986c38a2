/** Fields that records and messages of this folder share, with the same layout in both (docs/FORMATS.md). */

import { assert } from '../base/assert.ts';
import { getCount, putCount } from '../base/count.ts';
import { getUuid, NO_UUID, putUuid } from '../base/uuid.ts';
import type { Configuration } from './configuration.ts';
import type { EpochRecord } from './history.ts';

/** Data nodes of one device; members with learners are no more than these. */
export const MEMBERS_MAX = 4;
/** … and a witness. */
export const VOTERS_MAX = MEMBERS_MAX + 1;

/** Bytes of a list of nodes, of a configuration, and of what it says of replicas. */
export const NODES_LENGTH = 12;
export const CONFIGURATION_LENGTH = 48;
export const REPLICAS_LENGTH = 2 * NODES_LENGTH;

type Replicas = Pick<Configuration, 'replicas' | 'formerly'>;

/** Term (8), id (16), members (12), data was written in it (1), reserved (3). */
export const EPOCH_LENGTH = 40;

/** How many (2), as many node ids (2 each, room for 5). */
export function putNodes(view: DataView, offset: number, nodes: readonly number[], max: number): void {
  assert(nodes.length <= max, 'a device has so many nodes and no more');
  view.setUint16(offset, nodes.length);
  for (const [at, node] of nodes.entries()) view.setUint16(offset + 2 + 2 * at, node);
}

/** Undefined: more than there can be. */
export function getNodes(view: DataView, offset: number, max: number): number[] | undefined {
  const count = view.getUint16(offset);
  if (count > max) return undefined;
  return Array.from({ length: count }, (_, at) => view.getUint16(offset + 2 + 2 * at));
}

export function putVoters(view: DataView, offset: number, nodes: readonly number[]): void {
  putNodes(view, offset, nodes, VOTERS_MAX);
}

export function getVoters(view: DataView, offset: number): number[] | undefined {
  return getNodes(view, offset, VOTERS_MAX);
}

/** Term (8), id (16), members (12), learners (12). */
export function putConfiguration(view: DataView, offset: number, configuration: Configuration): void {
  putCount(view, offset, configuration.term);
  putUuid(view, offset + 8, configuration.id);
  putNodes(view, offset + 24, configuration.members, MEMBERS_MAX);
  putNodes(view, offset + 36, configuration.learners, MEMBERS_MAX);
}

export function getConfiguration(view: DataView, offset: number): Configuration | undefined {
  const term = getCount(view, offset);
  const members = getNodes(view, offset + 24, MEMBERS_MAX);
  const learners = getNodes(view, offset + 36, MEMBERS_MAX);
  if (term < 0 || members === undefined || learners === undefined) return undefined;
  return { term, id: getUuid(view, offset + 8), members, learners };
}

/** Replicas (12), those of before (12). None: as the device was made, and as before. */
export function putReplicas(view: DataView, offset: number, { replicas, formerly }: Replicas): void {
  putNodes(view, offset, replicas ?? [], MEMBERS_MAX);
  putNodes(view, offset + NODES_LENGTH, formerly ?? [], MEMBERS_MAX);
}

export function getReplicas(view: DataView, offset: number): Replicas | undefined {
  const replicas = getNodes(view, offset, MEMBERS_MAX);
  const formerly = getNodes(view, offset + NODES_LENGTH, MEMBERS_MAX);
  if (replicas === undefined || formerly === undefined) return undefined;
  return { ...(replicas.length > 0 && { replicas }), ...(formerly.length > 0 && { formerly }) };
}

/** Both, one after the other: as records have them. */
export const CONFIGURATION_RECORD_LENGTH = CONFIGURATION_LENGTH + REPLICAS_LENGTH;

export function putConfigurationRecord(view: DataView, offset: number, configuration: Configuration): void {
  putConfiguration(view, offset, configuration);
  putReplicas(view, offset + CONFIGURATION_LENGTH, configuration);
}

export function getConfigurationRecord(view: DataView, offset: number): Configuration | undefined {
  const configuration = getConfiguration(view, offset);
  const replicas = getReplicas(view, offset + CONFIGURATION_LENGTH);
  return configuration && replicas && { ...configuration, ...replicas };
}

export function putEpoch(view: DataView, offset: number, epoch: EpochRecord): void {
  assert(epoch.id !== NO_UUID, 'an epoch has an id');
  putCount(view, offset, epoch.term);
  putUuid(view, offset + 8, epoch.id);
  putNodes(view, offset + 24, epoch.members, MEMBERS_MAX);
  view.setUint8(offset + 36, epoch.wroteData ? 1 : 0);
}

export function getEpoch(view: DataView, offset: number): EpochRecord | undefined {
  const term = getCount(view, offset);
  const id = getUuid(view, offset + 8);
  const members = getNodes(view, offset + 24, MEMBERS_MAX);
  if (term < 0 || id === NO_UUID || members === undefined) return undefined;
  return { term, id, members, wroteData: view.getUint8(offset + 36) === 1 };
}
