/** A node's part in a device, as administrators and initiators see it. */

import type { Configuration } from '../../cluster/configuration.ts';
import type { Membership } from '../../cluster/membership.ts';
import type { Role } from '../../cluster/messages.ts';
import { type PathGroup, pathGroups } from './path-state.ts';
import type { Settings } from './settings.ts';

export interface MirrorState {
  readonly role: Role;
  /** Installed, or else accepted last. */
  readonly configuration: Configuration;
  /** Reads and answers may leave at this moment. */
  readonly isServing: boolean;
  /** Of all data nodes, in the order of their numbers. */
  readonly paths: readonly PathGroup[];
}

/** What has changed since a copy was away: chunks, and their share of the device. */
export interface Lack {
  readonly chunks: number;
  readonly percent: number;
}

export function stateOf(
  membership: Membership<unknown>,
  { order, asides }: Pick<Settings, 'order' | 'asides'>,
  now: number,
): MirrorState {
  const { self, role, installed, standing, sealedAt } = membership;
  const configuration = installed ?? standing.accepted;
  const sealedForMs = installed === undefined ? now - sealedAt : 0;
  return {
    role,
    configuration,
    isServing: membership.mayServe(),
    paths: pathGroups({ self, nodes: order, role, sealedForMs, configuration, asides }),
  };
}
