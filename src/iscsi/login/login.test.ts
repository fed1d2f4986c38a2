// The login phase as transcripts: what an initiator sends and what it must get (format: test/support/login.ts).
// RFC 7143 §6.3, §11.12, §11.13.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { context, lines, play, request, TARGET, target } from '../../../test/support/login.ts';
import { fail } from '../../base/result.ts';
import { chapCredential } from './chap.ts';
import type { LoginContext } from './context.ts';
import { createLogin, stepLogin } from './login.ts';
import { DEFAULT_LIMITS } from './parameters.ts';
import type { AuthenticationPolicy, ChapPolicy } from './policy.ts';
import { createLoginThrottle, FAILURES_FREE } from './throttle.ts';

const HELLO = 'InitiatorName=$I TargetName=$T';
const A5 = (length: number): string => `0x${'a5'.repeat(length)}`;
const CHAP: ChapPolicy = {
  algorithms: [5, 7],
  users: [chapCredential('host', 'initiator-secret')],
  target: chapCredential('disk', 'target-secret-16'),
  requireMutual: false,
};
const CHAP_ONLY: AuthenticationPolicy = { allowNone: false, chap: CHAP };
const PLAIN = context([target()]);
const SECURED = context([target({ authentication: CHAP_ONLY })]);
const EITHER = context([target({ authentication: { allowNone: true, chap: CHAP } })]);
const BOUND = [{ initiatorName: 'iqn.2004-01.com.example:host', chapName: 'host' }];
const ALLOWED = 'iqn.2004-01.com.example:host';

const LOGINS: readonly (readonly [string, LoginContext, string])[] = [
  [
    'without security: operational stage to full feature phase in one request',
    PLAIN,
    `> O-F T ${HELLO} HeaderDigest=CRC32C,None MaxBurstLength=262144 FirstBurstLength=262144
     < O-F T tsih=7 TargetPortalGroupTag=1 HeaderDigest=CRC32C MaxBurstLength=262144 FirstBurstLength=262144 MaxRecvDataSegmentLength=262144 done`,
  ],
  [
    'security stage with None, then operational; TSIH in the final response only',
    PLAIN,
    `> S-O T ${HELLO} SessionType=Normal AuthMethod=None
     < S-O T TargetPortalGroupTag=1 AuthMethod=None
     > O-F MaxConnections=4
     < O-S MaxConnections=1 MaxRecvDataSegmentLength=262144
     > O-F T ErrorRecoveryLevel=2
     < O-F T tsih=7 ErrorRecoveryLevel=0 done`,
  ],
  [
    'security stage straight to the full feature phase',
    PLAIN,
    `> S-F T ${HELLO} AuthMethod=None
     < S-F T tsih=7 TargetPortalGroupTag=1 AuthMethod=None done`,
  ],
  [
    'security stage left without a word of security where none is needed',
    PLAIN,
    `> S-O T ${HELLO}
     < S-O T TargetPortalGroupTag=1
     > O-F T
     < O-F T tsih=7 MaxRecvDataSegmentLength=262144 done`,
  ],
  [
    'the alias of the target is told in the operational stage',
    context([target({ alias: 'data' })]),
    `> O-F T ${HELLO} InitiatorAlias=host
     < O-F T tsih=7 TargetPortalGroupTag=1 TargetAlias=data MaxRecvDataSegmentLength=262144 done`,
  ],
  [
    'names in any case are the same name',
    context([target({ initiators: [{ initiatorName: ALLOWED, chapName: undefined }] })]),
    `> O-F T InitiatorName=IQN.2004-01.com.Example:HOST TargetName=iqn.2004-01.COM.example:Disk
     < O-F T tsih=7 TargetPortalGroupTag=1 MaxRecvDataSegmentLength=262144 done`,
  ],
  [
    'a discovery session knows no target and finds most keys irrelevant',
    PLAIN,
    `> O-F T InitiatorName=$I SessionType=Discovery MaxBurstLength=262144 DefaultTime2Retain=0 HeaderDigest=None
     < O-F T tsih=7 MaxBurstLength=Irrelevant DefaultTime2Retain=0 HeaderDigest=None MaxRecvDataSegmentLength=262144 done`,
  ],
  [
    'CHAP one-way; the transit is held back until the proof',
    SECURED,
    `> S-O T ${HELLO} AuthMethod=CHAP,None
     < S-S TargetPortalGroupTag=1 AuthMethod=CHAP
     > S-O T CHAP_A=6,7,5
     < S-S CHAP_A=7 CHAP_I=165 CHAP_C=${A5(32)}
     > S-O T CHAP_N=host CHAP_R=@respond(initiator-secret)
     < S-O T
     > O-F T
     < O-F T tsih=7 MaxRecvDataSegmentLength=262144 done`,
  ],
  [
    'CHAP, and the initiator leaves the security stage with a request of its own',
    SECURED,
    `> S-O ${HELLO} AuthMethod=CHAP
     < S-S TargetPortalGroupTag=1 AuthMethod=CHAP
     > S-O
     < S-S
     > S-O CHAP_A=5
     < S-S CHAP_A=5 CHAP_I=165 CHAP_C=${A5(16)}
     > S-O CHAP_N=host CHAP_R=@respond(initiator-secret)
     < S-S
     > S-F T
     < S-F T tsih=7 done`,
  ],
  [
    'CHAP goes before None where the initiator prefers it',
    EITHER,
    `> S-O T ${HELLO} AuthMethod=KRB5,CHAP,None
     < S-S TargetPortalGroupTag=1 AuthMethod=CHAP`,
  ],
  [
    'None goes before CHAP where the initiator prefers it and the target allows it',
    EITHER,
    `> S-O T ${HELLO} AuthMethod=None,CHAP
     < S-O T TargetPortalGroupTag=1 AuthMethod=None`,
  ],
  [
    'a proved name bound to the initiator may log in',
    context([target({ authentication: CHAP_ONLY, initiators: BOUND })]),
    `> S-O T ${HELLO} AuthMethod=CHAP
     < S-S TargetPortalGroupTag=1 AuthMethod=CHAP
     > S-O T CHAP_A=5
     < S-S CHAP_A=5 CHAP_I=165 CHAP_C=${A5(16)}
     > S-F T CHAP_N=host CHAP_R=@respond(initiator-secret)
     < S-F T tsih=7 done`,
  ],
  [
    'discovery with CHAP',
    context([], { policy: { ...PLAIN.policy, discovery: CHAP_ONLY } }),
    `> S-O T InitiatorName=$I SessionType=Discovery AuthMethod=CHAP
     < S-S AuthMethod=CHAP
     > S-O T CHAP_A=5
     < S-S CHAP_A=5 CHAP_I=165 CHAP_C=${A5(16)}
     > S-F T CHAP_N=host CHAP_R=@respond(initiator-secret)
     < S-F T tsih=7 done`,
  ],
  [
    'the connection of session 5 comes back and keeps its TSIH',
    PLAIN,
    `> O-F T tsih=5 cid=1 ${HELLO} HeaderDigest=None
     < O-F T TargetPortalGroupTag=1 HeaderDigest=None MaxRecvDataSegmentLength=262144 done`,
  ],
  [
    'unknown, obsolete and illegal keys do not end a login',
    PLAIN,
    `> O-F T ${HELLO} X-com.example=1 IFMarker=No OFMarkInt=1~2 MaxBurstLength=1 Nonsense=
     < O-F T tsih=7 TargetPortalGroupTag=1 X-com.example=NotUnderstood IFMarker=No OFMarkInt=Reject MaxBurstLength=Reject Nonsense=NotUnderstood MaxRecvDataSegmentLength=262144 done`,
  ],
  [
    'declarations may come in the security stage already',
    PLAIN,
    `> S-F T ${HELLO} InitiatorAlias=a MaxRecvDataSegmentLength=65536
     < S-F T tsih=7 TargetPortalGroupTag=1 done`,
  ],
  [
    'a target that insists on digests gets them',
    context([target({ limits: { ...DEFAULT_LIMITS, headerDigest: ['CRC32C'], dataDigest: ['CRC32C'] } })]),
    `> O-F T ${HELLO} HeaderDigest=None,CRC32C DataDigest=CRC32C
     < O-F T tsih=7 TargetPortalGroupTag=1 HeaderDigest=CRC32C DataDigest=CRC32C MaxRecvDataSegmentLength=262144 done`,
  ],
];

const FIRST = `> S-O T ${HELLO} AuthMethod=CHAP
     < S-S TargetPortalGroupTag=1 AuthMethod=CHAP`;
const CHALLENGED = `${FIRST}
     > S-O T CHAP_A=5
     < S-S CHAP_A=5 CHAP_I=165 CHAP_C=${A5(16)}`;
const ANSWERED = 'CHAP_N=host CHAP_R=@respond(initiator-secret)';

const REFUSED: readonly (readonly [string, LoginContext, string])[] = [
  ['version 1', PLAIN, `> O-F T vmin=1 ${HELLO}\n< O-S 0205 closed`],
  ['no InitiatorName', PLAIN, '> O-F T TargetName=$T\n< O-S 0207 closed'],
  ['no TargetName', PLAIN, '> O-F T InitiatorName=$I\n< O-S 0207 closed'],
  ['an InitiatorName that is none', PLAIN, '> O-F T InitiatorName=me TargetName=$T\n< O-S 0200 closed'],
  ['an unknown target', PLAIN, '> O-F T InitiatorName=$I TargetName=$Tx\n< O-S 0203 closed'],
  ['a target name that is none', PLAIN, '> O-F T InitiatorName=$I TargetName=disk\n< O-S 0203 closed'],
  ['an unknown SessionType', PLAIN, `> O-F T ${HELLO} SessionType=Other\n< O-S 0209 closed`],
  ['a removed target', context([target({ availability: 'removed' })]), `> O-F T ${HELLO}\n< O-S 0204 closed`],
  [
    'an unavailable target',
    context([target({ availability: 'unavailable' })]),
    `> O-F T ${HELLO}\n< O-S 0301 closed`,
  ],
  [
    'a target out of resources',
    context([target({ availability: 'outOfResources' })]),
    `> O-F T ${HELLO}\n< O-S 0302 closed`,
  ],
  [
    'an initiator that no rule names',
    context([target({ initiators: [] })]),
    `> O-F T ${HELLO}\n< O-S 0202 closed`,
  ],
  [
    'a target that moved for a while',
    context([target({ redirection: { kind: 'temporary', address: '192.0.2.7:3260' } })]),
    `> S-O T ${HELLO} AuthMethod=None\n< S-S 0101 TargetAddress=192.0.2.7:3260 closed`,
  ],
  [
    'a target that moved for good',
    context([target({ redirection: { kind: 'permanent', address: '[2001:db8::7]:3260' } })]),
    `> S-O T ${HELLO}\n< S-S 0102 TargetAddress=[2001:db8::7]:3260 closed`,
  ],
  ['an unknown session', PLAIN, `> O-F T tsih=6 ${HELLO}\n< O-S 020a closed`],
  ['a second connection', PLAIN, `> O-F T tsih=5 cid=2 ${HELLO}\n< O-S 0206 closed`],
  [
    'a connection that the session cannot have',
    admission({ join: () => fail('cannotInclude') }),
    `> O-F T tsih=5 ${HELLO}\n< O-S 0208 closed`,
  ],
  [
    'session-wide keys on a later connection',
    PLAIN,
    `> O-F T tsih=5 cid=1 ${HELLO} MaxBurstLength=512\n< O-S 0200 closed`,
  ],
  [
    'no room for a session',
    admission({ admit: () => fail('outOfResources') }),
    `> O-F T ${HELLO}\n< O-S 0302 closed`,
  ],
  [
    'a node that stops',
    admission({ admit: () => fail('serviceUnavailable') }),
    `> O-F T ${HELLO}\n< O-S 0301 closed`,
  ],
  [
    'too many sessions',
    admission({ admit: () => fail('tooManyConnections') }),
    `> O-F T ${HELLO}\n< O-S 0206 closed`,
  ],
  ['no security where it is needed', SECURED, `> O-F T ${HELLO}\n< O-S 0201 closed`],
  ['silence where security is needed', SECURED, `> S-O T ${HELLO}\n< S-S 0201 closed`],
  ['AuthMethod=None where it is not allowed', SECURED, `> S-O T ${HELLO} AuthMethod=None\n< S-S 0201 closed`],
  ['only unknown methods', SECURED, `> S-O T ${HELLO} AuthMethod=KRB5\n< S-S 0201 closed`],
  ['a malformed list of methods', PLAIN, `> S-O T ${HELLO} AuthMethod=,\n< S-S 0200 closed`],
  ['CHAP keys before the method', SECURED, `> S-O ${HELLO} AuthMethod=CHAP CHAP_A=5\n< S-S 0200 closed`],
  ['leaving instead of CHAP_A', SECURED, `${FIRST}\n> S-O T\n< S-S 0201 closed`],
  ['an answer before the challenge', SECURED, `${FIRST}\n> S-O T ${ANSWERED}\n< S-S 0200 closed`],
  ['leaving instead of an answer', SECURED, `${CHALLENGED}\n> S-F T\n< S-S 0201 closed`],
  ['a name without a response', SECURED, `${CHALLENGED}\n> S-O T CHAP_N=host\n< S-S 0207 closed`],
  ['a wrong secret', SECURED, `${CHALLENGED}\n> S-O T CHAP_N=host CHAP_R=@respond(guess)\n< S-S 0201 closed`],
  [
    'an unknown name',
    SECURED,
    `${CHALLENGED}\n> S-O T CHAP_N=me CHAP_R=@respond(initiator-secret)\n< S-S 0201 closed`,
  ],
  [
    'a reflected challenge',
    SECURED,
    `${CHALLENGED}\n> S-O T ${ANSWERED} CHAP_I=1 CHAP_C=${A5(16)}\n< closed`,
  ],
  [
    'a proved name bound to another initiator',
    context([
      target({
        authentication: CHAP_ONLY,
        initiators: [{ initiatorName: ALLOWED, chapName: 'somebody' }],
      }),
    ]),
    `${CHALLENGED}\n> S-O T ${ANSWERED}\n< S-S 0201 closed`,
  ],
  [
    'no proof where a rule binds the initiator to a name',
    context([target({ initiators: BOUND })]),
    `> O-F T ${HELLO}\n< O-S 0201 closed`,
  ],
  [
    'None where a rule binds the initiator to a name',
    context([target({ initiators: BOUND })]),
    `> S-F T ${HELLO} AuthMethod=None\n< S-S 0201 closed`,
  ],
  ['CSG 2', PLAIN, `> 2-F T ${HELLO}\n< 2-S 0200 closed`],
  ['CSG 3', PLAIN, `> F-F T ${HELLO}\n< F-S 0200 closed`],
  ['NSG 2', PLAIN, `> S-2 T ${HELLO}\n< S-S 0200 closed`],
  ['NSG not after CSG', PLAIN, `> O-O T ${HELLO}\n< O-S 0200 closed`],
  ['NSG before CSG', PLAIN, `> O-S T ${HELLO}\n< O-S 0200 closed`],
  ['T with C', PLAIN, `> O-F T C ${HELLO}\n< O-S 0200 closed`],
  [
    'a stage that goes back',
    PLAIN,
    `> O-F ${HELLO}\n< O-S TargetPortalGroupTag=1 MaxRecvDataSegmentLength=262144\n> S-O\n< S-S 0200 closed`,
  ],
  [
    'a stage before its time',
    PLAIN,
    `> S-O ${HELLO}\n< S-S TargetPortalGroupTag=1\n> O-F T\n< O-S 0200 closed`,
  ],
  [
    'a stage after its end',
    PLAIN,
    `> S-O T ${HELLO}\n< S-O T TargetPortalGroupTag=1\n> S-O T\n< S-S 0200 closed`,
  ],
  [
    'an ISID that changes',
    PLAIN,
    `> S-O ${HELLO}\n< S-S TargetPortalGroupTag=1\n> S-O isid=000000000001\n< S-S 0200 closed`,
  ],
  [
    'a TSIH that changes',
    PLAIN,
    `> S-O ${HELLO}\n< S-S TargetPortalGroupTag=1\n> S-O tsih=5\n< S-S 0200 closed`,
  ],
  [
    'a CID that changes',
    PLAIN,
    `> S-O ${HELLO}\n< S-S TargetPortalGroupTag=1\n> S-O cid=1\n< S-S 0200 closed`,
  ],
  [
    'a key twice in one request',
    PLAIN,
    `> O-F T ${HELLO} ImmediateData=No ImmediateData=No\n< O-S 0200 closed`,
  ],
  [
    'a key negotiated again in a later request',
    PLAIN,
    `> O-F ${HELLO} ImmediateData=No
     < O-S TargetPortalGroupTag=1 ImmediateData=No MaxRecvDataSegmentLength=262144
     > O-F T ImmediateData=Yes
     < O-S 0200 closed`,
  ],
  ['operational keys in the security stage', PLAIN, `> S-O T ${HELLO} ImmediateData=No\n< S-S 0200 closed`],
  ['security keys in the operational stage', PLAIN, `> O-F T ${HELLO} AuthMethod=None\n< O-S 0200 closed`],
  ['SendTargets in a login', PLAIN, `> O-F T ${HELLO} SendTargets=All\n< O-S 0200 closed`],
  [
    'names after the first request',
    PLAIN,
    `> S-O InitiatorName=$I SessionType=Discovery\n< S-S\n> S-O TargetName=$T\n< S-S 0200 closed`,
  ],
  ['text without an equal sign', PLAIN, `> O-F T ${HELLO} nonsense\n< O-S 0200 closed`],
  [
    'no digests where the target insists on them',
    context([target({ limits: { ...DEFAULT_LIMITS, headerDigest: ['CRC32C'] } })]),
    `> O-F T ${HELLO} HeaderDigest=None\n< O-S 0200 closed`,
  ],
];

for (const [title, given, script] of LOGINS) {
  test(`login: ${title}`, () => assert.equal(play(given, script).transcript, lines(script)));
}
for (const [title, given, script] of REFUSED) {
  test(`refused: ${title}`, () => assert.equal(play(given, script).transcript, lines(script)));
}

test('the result says who is there, where, and on what terms', () => {
  const script = `> O-F T cid=3 ${HELLO} InitiatorAlias=rack-4 MaxRecvDataSegmentLength=65536 InitialR2T=No`;
  const { last } = play(PLAIN, script);
  assert.equal(last?.kind, 'done');
  const { target: reached, parameters, ...rest } = last.result;
  assert.deepEqual(rest, {
    sessionType: 'normal',
    identity: { initiatorName: ALLOWED, chapName: undefined },
    mutual: false,
    initiatorAlias: 'rack-4',
    isid: '00023d000001',
    tsih: 7,
    cid: 3,
    opens: 'session',
  });
  assert.equal(reached?.name, 'iqn.2004-01.com.example:disk');
  assert.equal(parameters.initiatorMaxRecvDataSegmentLength, 65_536);
  assert.equal(parameters.targetMaxRecvDataSegmentLength, 262_144);
  assert.equal(parameters.initialR2T, false);
});

test('mutual CHAP: the target proves itself with its own secret', () => {
  const { last } = play(SECURED, `${CHALLENGED}\n> S-F T ${ANSWERED} CHAP_I=9 CHAP_C=0x00112233445566778899`);
  assert.equal(last?.kind, 'done');
  assert.deepEqual([last.result.mutual, last.result.identity.chapName], [true, 'host']);
});

test('a connection that comes back opens no session', () => {
  const { last } = play(PLAIN, `> O-F T tsih=5 cid=1 ${HELLO}`);
  assert.equal(last?.kind === 'done' && last.result.opens, 'connection');
});

test('a source that keeps guessing is refused before anything is looked at, for a time and at that target', () => {
  const throttle = createLoginThrottle();
  const other = target({ name: `${TARGET}2`, authentication: CHAP_ONLY });
  const given = context([target({ authentication: CHAP_ONLY }), other], { throttle });
  const guess = `${CHALLENGED}\n> S-O T CHAP_N=host CHAP_R=@respond(guess)`;
  for (let i = 0; i < FAILURES_FREE; i++) assert.match(play(given, guess, 0).transcript, /0201 closed$/);
  assert.equal(
    play(given, `> S-O T ${HELLO} AuthMethod=CHAP`, 10).transcript.split('\n')[1],
    '< S-S 0301 closed',
  );
  const right = `${CHALLENGED}\n> S-F T ${ANSWERED}`;
  assert.match(play(given, right.replace('=$T', '=$T2'), 10).transcript, /done$/);
  assert.match(play(given, right, 2000).transcript, /done$/);
});

test('guesses prepared in parallel do not outrun the delay', () => {
  const throttle = createLoginThrottle();
  const given = context([target({ authentication: CHAP_ONLY })], { throttle });
  const logins = Array.from({ length: FAILURES_FREE + 1 }, () => createLogin(given));
  const hello = request({ transit: true, nextStage: 1 }, [
    `InitiatorName=${ALLOWED}`,
    `TargetName=${TARGET}`,
    'AuthMethod=CHAP',
  ]);
  const offer = request({ transit: true, nextStage: 1 }, ['CHAP_A=5']);
  for (const login of logins) for (const one of [hello, offer]) stepLogin(login, one, 0);
  const guess = request({ transit: true, nextStage: 1 }, ['CHAP_N=host', 'CHAP_R=0x00']);
  const statuses = logins.map((login) => stepLogin(login, guess, 0).response?.statusClass);
  assert.deepEqual(statuses, [...Array(FAILURES_FREE).fill(2), 3]);
});

test('failures before the proof are no guesses', () => {
  const throttle = createLoginThrottle();
  const given = context([target({ authentication: CHAP_ONLY })], { throttle });
  for (let i = 0; i < 10; i++) play(given, `> S-O T ${HELLO} AuthMethod=None`);
  assert.equal(throttle.failures.size, 0);
});

function admission(fields: Partial<LoginContext['sessions']>): LoginContext {
  return context([target()], { sessions: { ...PLAIN.sessions, ...fields } });
}
