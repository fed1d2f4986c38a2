/**
 * Logins as readable transcripts. A script holds requests (`>`) and the steps they must lead to (`<`):
 *
 *   > S-O T InitiatorName=$I TargetName=$T AuthMethod=None
 *   < S-O T TargetPortalGroupTag=1 AuthMethod=None
 *
 * Stages are S, O, F and 2 (no stage); flags are T and C; `isid=`, `tsih=`, `cid=`, `vmin=` (lower case) set header
 * fields. A `<` line shows the status if it is not 0000, the TSIH if it differs from the request's, and ends in
 * `done` or `closed`. `$I` and `$T` are the names below; `@respond(secret)` is the answer to the last challenge.
 */

import { createHash } from 'node:crypto';
import { DONE, fail, ok } from '../../src/base/result.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/base/text.ts';
import type { LoginContext, LoginStep } from '../../src/iscsi/login/context.ts';
import { createLogin, stepLogin } from '../../src/iscsi/login/login.ts';
import type { LoginRequest } from '../../src/iscsi/login/messages.ts';
import { DEFAULT_LIMITS } from '../../src/iscsi/login/parameters.ts';
import type { AuthenticationPolicy, LoginPolicy, LoginTarget } from '../../src/iscsi/login/policy.ts';
import type { Crypto } from '../../src/ports/crypto.ts';
import { platformCrypto } from '../../src/runtime/crypto.ts';

export const INITIATOR = 'iqn.2004-01.com.example:host';
export const TARGET = 'iqn.2004-01.com.example:disk';
const OPEN: AuthenticationPolicy = { allowNone: true, chap: undefined };
const HASH_NAMES = new Map([
  ['5', 'md5'],
  ['6', 'sha1'],
  ['7', 'sha256'],
  ['8', 'sha3-256'],
]);

/** Every random byte is A5h, so that challenges can be written down. */
const predictableCrypto: Crypto = {
  ...platformCrypto,
  randomBytes: (length) => new Uint8Array(length).fill(0xa5),
};

export function target(fields: Partial<LoginTarget> = {}): LoginTarget {
  return {
    name: TARGET,
    alias: undefined,
    portals: [{ address: '127.0.0.1:3260', portalGroupTag: 1 }],
    availability: 'available',
    redirection: undefined,
    authentication: OPEN,
    initiators: 'any',
    limits: DEFAULT_LIMITS,
    ...fields,
  };
}

export function policy(targets: readonly LoginTarget[], fields: Partial<LoginPolicy> = {}): LoginPolicy {
  return {
    findTarget: (name) => targets.find((one) => one.name === name),
    targets: () => targets,
    discovery: OPEN,
    discoveryLimits: DEFAULT_LIMITS,
    sendTargetsAllInNormalSession: false,
    ...fields,
  };
}

/** Sessions 5 (which connection 1 may join again) and new ones, which get TSIH 7. */
export function context(targets: readonly LoginTarget[], fields: Partial<LoginContext> = {}): LoginContext {
  return {
    policy: policy(targets),
    sessions: {
      join: (_name, tsih, cid) =>
        tsih !== 5 ? fail('doesNotExist') : cid === 1 ? DONE : fail('tooManyConnections'),
      admit: () => ok(7),
    },
    crypto: predictableCrypto,
    throttle: undefined,
    source: '192.0.2.1',
    portalGroupTag: 1,
    ...fields,
  };
}

export function request(fields: Partial<LoginRequest> = {}, pairs: readonly string[] = []): LoginRequest {
  return {
    transit: false,
    continued: false,
    currentStage: 0,
    nextStage: 0,
    versionMax: 0,
    versionMin: 0,
    isid: '00023d000001',
    tsih: 0,
    initiatorTaskTag: 1,
    cid: 0,
    cmdSN: 1,
    expStatSN: 0,
    text: encodeUtf8(pairs.map((pair) => `${pair}\0`).join('')),
    ...fields,
  };
}

export interface Played {
  /** The script with the `<` lines as they really came. */
  readonly transcript: string;
  readonly last: LoginStep | undefined;
}

export function play(given: LoginContext, script: string, now = 0): Played {
  const state = createLogin(given);
  const lines: string[] = [];
  let last: LoginStep | undefined;
  const challenge: Challenge = { algorithm: '5', identifier: '0', challenge: '0x' };
  for (const line of script.trim().split('\n')) {
    if (!line.trim().startsWith('>')) continue;
    lines.push(line.trim());
    const sent = parseRequest(line.trim().slice(2), challenge);
    last = stepLogin(state, sent, now);
    lines.push(render(last, sent, challenge));
  }
  return { transcript: lines.join('\n'), last };
}

/** The lines of a script without indentation, to compare with `Played.transcript`. */
export function lines(script: string): string {
  return script
    .trim()
    .split('\n')
    .map((line) => line.trim())
    .join('\n');
}

export function pairsOf(text: Uint8Array): string[] {
  const decoded = decodeUtf8(text);
  return decoded.ok ? decoded.value.split('\0').slice(0, -1) : ['malformed UTF-8'];
}

interface Challenge {
  algorithm: string;
  identifier: string;
  challenge: string;
}

const STAGES = 'SO2F';

function parseRequest(line: string, challenge: Challenge): LoginRequest {
  const fields: { -readonly [K in keyof LoginRequest]?: LoginRequest[K] } = {};
  const pairs: string[] = [];
  for (const word of line.split(' ').filter((one) => one !== '')) {
    const [key = '', ...rest] = word.split('=');
    const value = rest.join('=');
    if (/^[SO2F]-[SO2F]$/.test(word)) {
      fields.currentStage = STAGES.indexOf(word[0] ?? '');
      fields.nextStage = STAGES.indexOf(word[2] ?? '');
    } else if (word === 'T') fields.transit = true;
    else if (word === 'C') fields.continued = true;
    else if (key === 'tsih' || key === 'cid') fields[key] = Number(value);
    else if (key === 'isid') fields.isid = value;
    else if (key === 'vmin') fields.versionMin = Number(value);
    else pairs.push(expand(word, challenge));
  }
  return request(fields, pairs);
}

function expand(word: string, challenge: Challenge): string {
  return word
    .replace('$I', INITIATOR)
    .replace('$T', TARGET)
    .replace(/@respond\((.*)\)/, (_all, secret: string) => respond(challenge, secret));
}

/** RFC 1994 §4.1, written down a second time on purpose. */
function respond({ algorithm, identifier, challenge }: Challenge, secret: string): string {
  return `0x${createHash(HASH_NAMES.get(algorithm) ?? '')
    .update(Buffer.from([Number(identifier)]))
    .update(secret)
    .update(Buffer.from(challenge.slice(2), 'hex'))
    .digest('hex')}`;
}

function render(step: LoginStep, sent: LoginRequest, challenge: Challenge): string {
  const { response } = step;
  const words = ['<'];
  if (response !== undefined) {
    words.push(`${STAGES[response.currentStage]}-${STAGES[response.nextStage]}`);
    if (response.transit) words.push('T');
    if (response.continued) words.push('C');
    const status = ((response.statusClass << 8) | response.statusDetail).toString(16).padStart(4, '0');
    if (status !== '0000') words.push(status);
    if (response.tsih !== sent.tsih) words.push(`tsih=${response.tsih}`);
    for (const pair of pairsOf(response.text)) {
      const [key = '', value = ''] = pair.split('=');
      if (key === 'CHAP_A') challenge.algorithm = value;
      if (key === 'CHAP_I') challenge.identifier = value;
      if (key === 'CHAP_C') challenge.challenge = value;
      words.push(pair.replace(INITIATOR, '$I').replace(TARGET, '$T'));
    }
  }
  if (step.kind === 'done') words.push('done');
  if (step.kind === 'close') words.push('closed');
  return words.join(' ');
}
