// SendTargets (RFC 7143 §4.3, §13.3, Appendix C): what is listed to whom, in discovery and in normal sessions.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INITIATOR, policy, target } from '../../test/support/login.ts';
import { answerSendTargets, type SendTargetsCaller } from './discovery.ts';
import type { AllowedInitiators, LoginTarget } from './login/policy.ts';

const PORTALS = [
  { address: '192.0.2.1:3260', portalGroupTag: 1 },
  { address: '[2001:db8::1]:3260', portalGroupTag: 1 },
  { address: '192.0.2.2:3261', portalGroupTag: 2 },
];
const A = disk('a', 'any', { portals: PORTALS });
const B = disk('b', [{ initiatorName: INITIATOR, chapName: undefined }]);
const BOUND = disk('bound', [{ initiatorName: INITIATOR, chapName: 'host' }]);
const FOREIGN = disk('foreign', [{ initiatorName: 'iqn.2004-01.com.example:other', chapName: undefined }]);
const GONE = disk('gone', 'any', { availability: 'removed' });
const POLICY = policy([A, B, BOUND, FOREIGN, GONE]);

const DISCOVERY: SendTargetsCaller = caller(undefined, undefined);
const NORMAL: SendTargetsCaller = caller(undefined, B);
const ALL_OF_A = [
  'TargetName=iqn.2004-01.com.example:a',
  'TargetAddress=192.0.2.1:3260,1',
  'TargetAddress=[2001:db8::1]:3260,1',
  'TargetAddress=192.0.2.2:3261,2',
];
const ALL_OF_B = lines('b');
const REJECT = ['SendTargets=Reject'];

const CASES: readonly (readonly [string, SendTargetsCaller, string, readonly string[]])[] = [
  [
    'All lists every target that the caller may log in to',
    DISCOVERY,
    'All',
    [...ALL_OF_A, ...ALL_OF_B, ...lines('bound')],
  ],
  [
    'All with a proved name keeps to its bindings',
    caller('guest', undefined),
    'All',
    [...ALL_OF_A, ...ALL_OF_B],
  ],
  ['a name lists one target with all its portals', DISCOVERY, A.name, ALL_OF_A],
  ['a name in another case is the same name', DISCOVERY, A.name.toUpperCase(), ALL_OF_A],
  ['a target of others does not exist', DISCOVERY, FOREIGN.name, []],
  ['a removed target does not exist', DISCOVERY, GONE.name, []],
  ['an unknown name lists nothing', DISCOVERY, `${A.name}x`, []],
  ['the empty value has no target in a discovery session', DISCOVERY, '', REJECT],
  ['what is neither All nor a name is rejected', DISCOVERY, 'Alle', REJECT],
  ['case matters in All', DISCOVERY, 'aLL', REJECT],
  ['the empty value in a normal session lists its target', NORMAL, '', ALL_OF_B],
  ['the name of the session target lists it', NORMAL, B.name, ALL_OF_B],
  ['another target is none of the session', NORMAL, A.name, REJECT],
  ['All is rejected in a normal session', NORMAL, 'All', REJECT],
  ['nonsense is rejected in a normal session', NORMAL, 'A', REJECT],
];

for (const [title, who, value, expected] of CASES) {
  test(`SendTargets=${value}: ${title}`, () => {
    assert.deepEqual(answered(POLICY, who, value), expected);
  });
}

test('the compatibility switch allows All in a normal session, and nothing else', () => {
  const lenient = policy([A, B], { sendTargetsAllInNormalSession: true });
  assert.deepEqual(answered(lenient, NORMAL, 'All'), [...ALL_OF_A, ...ALL_OF_B]);
  assert.deepEqual(answered(lenient, NORMAL, 'Alle'), REJECT);
});

function answered(given: typeof POLICY, who: SendTargetsCaller, value: string): string[] {
  return answerSendTargets(given, who, value).map((pair) => `${pair.key}=${pair.value}`);
}

function caller(chapName: string | undefined, sessionTarget: LoginTarget | undefined): SendTargetsCaller {
  return { identity: { initiatorName: INITIATOR, chapName }, sessionTarget };
}

function disk(name: string, initiators: AllowedInitiators, fields: Partial<LoginTarget> = {}): LoginTarget {
  return target({ name: `iqn.2004-01.com.example:${name}`, initiators, ...fields });
}

function lines(name: string): string[] {
  return [`TargetName=iqn.2004-01.com.example:${name}`, 'TargetAddress=127.0.0.1:3260,1'];
}
