/**
 * What a journal proves after something happened: where two replicas may differ (fast resync), or nothing (full).
 *
 *              partnerLost   outageInSync   outageDegraded   stopInSync   stopDegraded
 *   ram        map¹ ²        full: A        full: A          nothing      map
 *   failure    map¹ ²        full: B        map + log        nothing      map
 *   continuous map + log³    log            map + log        nothing      map
 *
 *   A  the map was in memory only               B  the log is kept only while a partner is absent
 *   ¹  the survivor's map, in memory             ³  the log of the partner that comes back
 *   ²  only because no replica writes to its medium what no survivor holds; see README
 *
 *   partnerLost     one replica was lost and this node went on serving
 *   outageInSync    all replicas stopped without warning while all were in sync
 *   outageDegraded  the replicas that served stopped without warning while this partner was absent
 *   stopInSync      all replicas stopped in order while this partner was in sync with this node: nothing differs
 *   stopDegraded    this node stopped in order while this partner was absent: its map was written, the log emptied
 *
 * Records that the superblock does not trust (they were being replaced when the node stopped) answer nothing.
 * A record that is needed and does not answer makes it a full resync, with the record named as the reason. Each node
 * judges its own records; a resync takes the union of what all say, and is full when one says so.
 */

import { unreachable } from '../base/assert.ts';

export type JournalStrategy = 'ram' | 'failure' | 'continuous';
export type Ending = 'partnerLost' | 'outageInSync' | 'outageDegraded' | 'stopInSync' | 'stopDegraded';

export interface RecordStates {
  readonly areTrusted: boolean;
  readonly map: 'readable' | 'unreadable' | 'otherEpoch';
  readonly log: 'readable' | 'unreadable';
}

export type FullReason =
  | 'mapWasInMemory'
  | 'logWasOff'
  | 'recordsNotTrusted'
  | 'mapUnreadable'
  | 'mapOfOtherEpoch'
  | 'logUnreadable';

export type Proof =
  | { readonly kind: 'fast'; readonly from: readonly ('map' | 'log')[] }
  | { readonly kind: 'full'; readonly reason: FullReason };

export function proofAfter(strategy: JournalStrategy, ending: Ending, records: RecordStates): Proof {
  switch (ending) {
    case 'partnerLost':
      return strategy === 'continuous' ? needing(records, ['map', 'log']) : needing(records, ['map']);
    case 'outageInSync':
      if (strategy === 'ram') return { kind: 'full', reason: 'mapWasInMemory' };
      if (strategy === 'failure') return { kind: 'full', reason: 'logWasOff' };
      return needing(records, ['log']);
    case 'outageDegraded':
      if (strategy === 'ram') return { kind: 'full', reason: 'mapWasInMemory' };
      return needing(records, ['map', 'log']);
    case 'stopInSync':
      return { kind: 'fast', from: [] };
    case 'stopDegraded':
      return needing(records, ['map']);
    default:
      return unreachable(ending);
  }
}

function needing(records: RecordStates, from: readonly ('map' | 'log')[]): Proof {
  if (!records.areTrusted) return { kind: 'full', reason: 'recordsNotTrusted' };
  if (from.includes('map') && records.map === 'unreadable') return { kind: 'full', reason: 'mapUnreadable' };
  if (from.includes('map') && records.map === 'otherEpoch')
    return { kind: 'full', reason: 'mapOfOtherEpoch' };
  if (from.includes('log') && records.log === 'unreadable') return { kind: 'full', reason: 'logUnreadable' };
  return { kind: 'fast', from };
}
