/**
 * iSCSI names (RFC 7143 §4.2.7; stringprep profile RFC 3722): three formats, compared after normalization.
 *
 *   iqn.  yyyy-mm.reversed.domain[:anything]
 *   eui.  16 hexadecimal digits
 *   naa.  16 or 32 hexadecimal digits
 */

import { utf8Length } from '../../base/text.ts';

/** RFC 7143 §4.2.7.1. */
export const NAME_LENGTH_MAX = 223;

const IQN = /^iqn\.[0-9]{4}-(?:0[1-9]|1[0-2])\.[^:]+(?::.*)?$/u;
const EUI = /^eui\.[0-9a-f]{16}$/;
const NAA = /^naa\.(?:[0-9a-f]{16}|[0-9a-f]{32})$/;
/**
 * RFC 3722 §6 leaves letters, digits, '-', '.' and ':'. The underscore is not among them, but host names that carry
 * one end up in the names of real initiators.
 */
const CHARACTERS = /^[\p{L}\p{M}\p{N}\-.:_]+$/u;

/** The form in which names are compared; undefined for what is no iSCSI name. */
export function normalizeName(name: string): string | undefined {
  if (name.length > NAME_LENGTH_MAX) return undefined;
  const folded = name.normalize('NFKC').toLowerCase().normalize('NFKC');
  if (utf8Length(folded) > NAME_LENGTH_MAX || !CHARACTERS.test(folded)) return undefined;
  return IQN.test(folded) || EUI.test(folded) || NAA.test(folded) ? folded : undefined;
}
