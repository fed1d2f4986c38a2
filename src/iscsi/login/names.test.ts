// RFC 7143 §4.2.7: what is an iSCSI name, and which names are the same.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NAME_LENGTH_MAX, normalizeName } from './names.ts';

const LONG = `iqn.2004-01.com.example:${'x'.repeat(NAME_LENGTH_MAX - 24)}`;

const NAMES: readonly (readonly [string, string | undefined])[] = [
  ['iqn.2004-01.com.example:host', 'iqn.2004-01.com.example:host'],
  ['iqn.2004-01.com.example', 'iqn.2004-01.com.example'],
  ['IQN.2004-01.COM.Example:Host', 'iqn.2004-01.com.example:host'],
  [
    'iqn.2007-10.com.github:sahlberg:libiscsi:iscsi-test',
    'iqn.2007-10.com.github:sahlberg:libiscsi:iscsi-test',
  ],
  ['iqn.1991-05.com.microsoft:my_host', 'iqn.1991-05.com.microsoft:my_host'],
  ['iqn.2004-01.com.example:Bücher', 'iqn.2004-01.com.example:bücher'],
  ['iqn.2004-01.com.example:ｗｉｄｅ', 'iqn.2004-01.com.example:wide'],
  ['eui.02004567A425678D', 'eui.02004567a425678d'],
  ['naa.52004567BA64678D', 'naa.52004567ba64678d'],
  ['naa.62004567BA64678D0123456789ABCDEF', 'naa.62004567ba64678d0123456789abcdef'],
  [LONG, LONG],
  [`${LONG}x`, undefined],
  [`iqn.2004-01.com.example:${'ü'.repeat(100)}`, undefined],
  ['', undefined],
  ['host', undefined],
  ['iqn.', undefined],
  ['iqn.2004-13.com.example:host', undefined],
  ['iqn.2004-1.com.example', undefined],
  ['iqn.2004-01.', undefined],
  ['iqn.2004-01.com.example:a b', undefined],
  ['iqn.2004-01.com.example:a/b', undefined],
  ['iqn.2004-01.com.example:a\n', undefined],
  ['iqn.2004-01.com.example:a,b', undefined],
  ['eui.02004567A425678', undefined],
  ['eui.02004567A425678G', undefined],
  ['naa.52004567BA64678D0', undefined],
];

for (const [name, normalized] of NAMES) {
  test(`${JSON.stringify(name.slice(0, 60))} is ${normalized === undefined ? 'no iSCSI name' : 'an iSCSI name'}`, () => {
    assert.equal(normalizeName(name), normalized);
    if (normalized !== undefined) assert.equal(normalizeName(normalized), normalized);
  });
}
