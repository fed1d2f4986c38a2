/**
 * What a first Login Request is about, before anybody decides on it: enough to hand a connection to the owner of its
 * target. A text that goes on in the next request, or that is malformed, may tell less; the login itself will say
 * what is wrong with it.
 */

import { parseText } from '../text/pairs.ts';
import { normalizeName } from './names.ts';

export interface LoginPeek {
  readonly sessionType: 'normal' | 'discovery';
  /** Normalized; undefined when the text does not name an iSCSI target. */
  readonly targetName: string | undefined;
}

/** `text` is the data segment of the first Login Request. */
export function peekLogin(text: Uint8Array): LoginPeek {
  // Whole pairs only: what follows the last NUL goes on elsewhere.
  const parsed = parseText(text.subarray(0, text.lastIndexOf(0) + 1));
  const pairs = new Map(parsed.ok ? parsed.value.map(({ key, value }) => [key, value]) : []);
  const targetName = pairs.get('TargetName');
  return {
    sessionType: pairs.get('SessionType') === 'Discovery' ? 'discovery' : 'normal',
    targetName: targetName === undefined ? undefined : normalizeName(targetName),
  };
}
