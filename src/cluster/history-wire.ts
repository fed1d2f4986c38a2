/**
 * Layout of a history in a message. Shorter than in the superblock, without room for members that are not there: a report
 * has to fit into a datagram. How many epochs there are stands before it.
 */

import { getUuid, NO_UUID, putUuid } from '../base/uuid.ts';
import type { WireReader, WireWriter } from '../base/wire.ts';
import { MEMBERS_MAX } from './fields.ts';
import { type EpochRecord, type History, HISTORY_MAX } from './history.ts';

const UUID_LENGTH = 16;
const EPOCH = { length: 26, max: HISTORY_MAX };
const MEMBER = { length: 2, max: MEMBERS_MAX };

export function putHistory(to: WireWriter, history: History): void {
  for (const { term, id, members, wroteData } of history) {
    to.count(term);
    to.fixed(UUID_LENGTH, putUuid, id);
    to.byte(wroteData ? 1 : 0);
    to.byte(members.length);
    for (const node of members) to.uint16(node);
  }
}

export function getHistory(from: WireReader, epochs: number): EpochRecord[] {
  const history: EpochRecord[] = [];
  for (let left = from.rows(epochs, EPOCH); left > 0; left--) {
    const term = from.count();
    const id = from.fixed(UUID_LENGTH, getUuid) ?? NO_UUID;
    const wroteData = (from.byte() & 1) !== 0;
    const count = from.rows(from.byte(), MEMBER);
    const members = Array.from({ length: count }, () => from.uint16());
    if (id === NO_UUID || term <= (history.at(-1)?.term ?? -1)) from.refuse('outOfRange');
    history.push({ term, id, members, wroteData });
  }
  return history;
}
