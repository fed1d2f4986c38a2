/** A node's part in a device, as administrators and initiators see it. */

import type { Configuration } from '../../cluster/configuration.ts';
import type { Membership } from '../../cluster/membership.ts';
import type { Role } from '../../cluster/messages.ts';
import { type PathInput, pathState, type PathState } from './path-state.ts';

export interface MirrorState {
  readonly role: Role;
  /** Installed, or else accepted last. */
  readonly configuration: Configuration;
  /** Reads and answers may leave at this moment. */
  readonly isServing: boolean;
  readonly path: PathState;
}

export function stateOf(
  membership: Membership<unknown>,
  paths: Pick<PathInput, 'isResyncSource' | 'isAside'>,
  now: number,
): MirrorState {
  const { role, installed, standing, sealedAt } = membership;
  const configuration = installed ?? standing.accepted;
  const members = configuration.members.length;
  const sealedForMs = installed === undefined ? now - sealedAt : 0;
  return {
    role,
    configuration,
    isServing: membership.mayServe(),
    path: pathState({ ...paths, role, sealedForMs, members }),
  };
}
