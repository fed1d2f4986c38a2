/** Names an administrator chooses: iSCSI names (RFC 7143 §4.2.7) and the ones made from an alias. */

import os from 'node:os';

/** RFC 7143 §4.2.7.2: bytes of an iSCSI name. */
const NAME_BYTES_MAX = 223;
const IQN = /^iqn\.\d{4}-(?:0[1-9]|1[0-2])\.[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[\p{L}\p{M}\p{N}.:_-]+)?$/u;
const EUI = /^eui\.[0-9a-f]{16}$/;
const NAA = /^naa\.(?:[0-9a-f]{16}|[0-9a-f]{32})$/;

/** Names of ours: a date at which the domain was ours, the domain reversed, then what tells targets apart. */
const IQN_PREFIX = 'iqn.2026-11.io.lockstep';

/** iSCSI names are compared in lower case (RFC 7143 §4.2.7.1). */
export function normalizeName(name: string): string {
  return name.normalize('NFKC').toLowerCase();
}

/** Why this is no iSCSI name; undefined when it is one. */
export function faultOfName(name: string): string | undefined {
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) return `an iSCSI name has at most ${NAME_BYTES_MAX} bytes`;
  if (IQN.test(name) || EUI.test(name) || NAA.test(name)) return undefined;
  return 'write an iSCSI name such as iqn.2026-11.com.example:disk1 (or eui. with 16, naa. with 16 or 32 hex digits)';
}

/** `iqn.2026-11.io.lockstep:<host>-<alias>`. */
export function nameFromAlias(alias: string, node: string): string {
  return `${IQN_PREFIX}:${plain(node)}-${plain(alias)}`.slice(0, NAME_BYTES_MAX);
}

export function hostName(): string {
  return os.hostname().replace(/\..*$/, '');
}

/** What may stand in an iSCSI name (RFC 3722): letters, digits, '-', '.', ':'. */
function plain(text: string): string {
  const kept = normalizeName(text)
    .replace(/[^a-z0-9.:-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return kept === '' ? 'node' : kept;
}
