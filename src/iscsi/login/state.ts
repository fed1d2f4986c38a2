/** What the login machine remembers between two requests of one connection. */

import { assert } from '../../base/assert.ts';
import type { LoginContext } from './context.ts';
import type { Stage } from './messages.ts';
import type { Opening, SessionHandle } from './opening.ts';
import type { ParameterDraft } from './parameters.ts';
import type { SecurityState } from './security.ts';

/** Made by `createLogin`, changed by `stepLogin` alone. */
export interface LoginState {
  readonly context: LoginContext;
  stage: Stage | undefined;
  ended: boolean;
  requests: number;
  /** Bytes of text received in this login. */
  received: number;
  /** What the first request said of the session; later ones repeat it. */
  handle: SessionHandle | undefined;
  /** Pieces of a text that goes on. */
  incoming: Uint8Array[];
  /** The rest of a response that goes on. */
  outgoing: Uint8Array;
  /** The stage may be left once `outgoing` is sent. */
  mayLeave: boolean;
  readonly seen: Set<string>;
  opening: Opening | undefined;
  security: SecurityState;
  initiatorAlias: string | undefined;
  hasDeclared: boolean;
  readonly draft: ParameterDraft;
}

/** Known once the first text was taken. */
export function openingOf(state: LoginState): Opening {
  assert(state.opening !== undefined, 'the first text has been taken');
  return state.opening;
}

/** Known once the first request was checked. */
export function handleOf(state: LoginState): SessionHandle {
  assert(state.handle !== undefined, 'a request has been checked');
  return state.handle;
}
