/** From a target's specification to what the iSCSI side asks: who may log in, how, with what parameters. */

import { assert } from '../base/assert.ts';
import { type ChapAlgorithm, chapCredential } from '../iscsi/login/chap.ts';
import { normalizeName } from '../iscsi/login/names.ts';
import { DEFAULT_LIMITS, type NegotiationLimits } from '../iscsi/login/parameters.ts';
import type { AuthenticationPolicy } from '../iscsi/login/policy.ts';
import type { KeepAliveLimits } from '../iscsi/keep-alive.ts';
import type { IscsiTarget } from '../iscsi/target.ts';
import type { DigestAlgorithm } from '../ports/crypto.ts';
import type { ScsiTargetDevice } from '../ports/scsi-target.ts';
import type { ChapSpec, DigestPolicy, TargetSpec } from './spec.ts';

/** RFC 7143 §12.1.3 and the numbers IANA has added since. */
const CHAP_ALGORITHM: Readonly<Record<DigestAlgorithm, ChapAlgorithm>> = {
  md5: 5,
  sha1: 6,
  sha256: 7,
  'sha3-256': 8,
};

const LIMITS: Readonly<Record<DigestPolicy, NegotiationLimits>> = {
  optional: DEFAULT_LIMITS,
  header: { ...DEFAULT_LIMITS, headerDigest: ['CRC32C'] },
  required: { ...DEFAULT_LIMITS, headerDigest: ['CRC32C'], dataDigest: ['CRC32C'] },
};

/**
 * Where several nodes serve a device: its session is asked after a second whether it lives, and given up before the
 * initiator, after 5 s at the earliest, goes on by another node.
 */
const GUARDED: KeepAliveLimits = { pingAfterSilentMs: 1000, deadAfterPingMs: 1500, stalledSendMs: 5000 };

/**
 * `scsi` is undefined for a target of another engine, which is only announced here. `stoodStill`: of a mirrored device
 * behind it (MirrorNode.stoodStill).
 */
export function iscsiTarget(
  spec: TargetSpec,
  scsi: ScsiTargetDevice | undefined,
  stoodStill?: () => boolean,
): IscsiTarget {
  return {
    ...(stoodStill === undefined ? {} : { guard: { limits: GUARDED, stoodStill } }),
    name: normalized(spec.name),
    alias: spec.alias,
    portals: spec.portals.map((address) => ({ address, portalGroupTag: spec.portalGroupTag })),
    availability: scsi === undefined ? 'unavailable' : 'available',
    redirection: undefined,
    authentication: authenticationOf(spec.chap),
    initiators:
      spec.allow?.map((name) => ({ initiatorName: normalized(name), chapName: undefined })) ?? 'any',
    limits: LIMITS[spec.digests],
    scsi,
  };
}

function authenticationOf(chap: ChapSpec | undefined): AuthenticationPolicy {
  if (chap === undefined) return { allowNone: true, chap: undefined };
  return {
    allowNone: false,
    chap: {
      algorithms: chap.algorithms.map((algorithm) => CHAP_ALGORITHM[algorithm]),
      users: chap.users.map(({ user, secret }) => chapCredential(user, secret)),
      target: chap.mutual === undefined ? undefined : chapCredential(chap.mutual.user, chap.mutual.secret),
      requireMutual: false,
    },
  };
}

function normalized(name: string): string {
  const plain = normalizeName(name);
  assert(plain !== undefined, 'a specification has valid iSCSI names');
  return plain;
}
