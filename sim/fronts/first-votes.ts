/** What lies in the vote store of a new device. */

import type { Configuration, Site } from '../../src/cluster/configuration.ts';
import { CLAIM, encodeRegister, VOTE } from '../../src/cluster/registers.ts';
import { DEVICE } from './mirror-layout.ts';

export function firstVotes({ strategy }: Site, first: Configuration): Uint8Array {
  const { term, members } = first;
  return strategy.kind === 'majority'
    ? encodeRegister(VOTE, DEVICE, { promised: term, accepted: first })
    : encodeRegister(CLAIM, DEVICE, { term, members });
}
