/**
 * Who may log in to what, and how they prove who they are: plain records that the owner of the targets fills in.
 * Denied unless a rule allows it. Reads nothing and remembers nothing.
 */

import type { ChapAlgorithm } from './chap.ts';
import type { NegotiationLimits } from './parameters.ts';

/** One name and its secret. The bytes never leave this folder: not in a reason, not in a trace. */
export interface ChapCredential {
  readonly name: string;
  readonly secret: Uint8Array;
}

export interface ChapPolicy {
  /** What may be used; the initiator's order of preference decides among them. */
  readonly algorithms: readonly ChapAlgorithm[];
  readonly users: readonly ChapCredential[];
  /** How the target proves itself when the initiator asks (mutual CHAP). */
  readonly target: ChapCredential | undefined;
  /** Refuse initiators that do not ask. */
  readonly requireMutual: boolean;
}

export interface AuthenticationPolicy {
  /** Login without proof of identity. */
  readonly allowNone: boolean;
  readonly chap: ChapPolicy | undefined;
}

/** An initiator that may log in; with `chapName` only after it has proved that name. */
export interface InitiatorRule {
  /** Compared after `normalizeName`. */
  readonly initiatorName: string;
  readonly chapName: string | undefined;
}

export type AllowedInitiators = 'any' | readonly InitiatorRule[];

/** A portal as initiators reach it, for SendTargets. */
export interface TargetPortal {
  /** 'address:port' or '[v6]:port'. */
  readonly address: string;
  readonly portalGroupTag: number;
}

export interface Redirection {
  readonly kind: 'temporary' | 'permanent';
  /** 'address:port' or '[v6]:port'. */
  readonly address: string;
}

export interface LoginTarget {
  /** Normalized iSCSI name. */
  readonly name: string;
  readonly alias: string | undefined;
  readonly portals: readonly TargetPortal[];
  readonly availability: 'available' | 'removed' | 'unavailable' | 'outOfResources';
  readonly redirection: Redirection | undefined;
  readonly authentication: AuthenticationPolicy;
  readonly initiators: AllowedInitiators;
  readonly limits: NegotiationLimits;
}

export interface LoginPolicy {
  /** By normalized name. */
  findTarget(name: string): LoginTarget | undefined;
  targets(): Iterable<LoginTarget>;
  /** For discovery sessions. */
  readonly discovery: AuthenticationPolicy;
  readonly discoveryLimits: NegotiationLimits;
  /** SendTargets=All within a normal session: RFC 7143 Appendix C forbids it, a conformance suite asks for it. */
  readonly sendTargetsAllInNormalSession: boolean;
}

/** Who is at the other end, as far as it is known. */
export interface InitiatorIdentity {
  /** Normalized iSCSI name; claimed, unless a rule binds it to a CHAP name. */
  readonly initiatorName: string;
  /** Proved by CHAP; undefined without authentication. */
  readonly chapName: string | undefined;
}

/** Some rule names this initiator, whatever it has proved so far. */
export function isInitiatorListed(target: LoginTarget, initiatorName: string): boolean {
  if (target.initiators === 'any') return true;
  return target.initiators.some((rule) => rule.initiatorName === initiatorName);
}

/** The proved name is one that this initiator may use. Only asked once the initiator has proved it. */
export function isNameBound(target: LoginTarget, identity: InitiatorIdentity): boolean {
  if (target.initiators === 'any') return true;
  return target.initiators.some(
    (rule) =>
      rule.initiatorName === identity.initiatorName &&
      (rule.chapName === undefined || rule.chapName === identity.chapName),
  );
}

/**
 * What a discovery session gets to see: the targets that it may log in to. Without authentication of the discovery
 * session the claimed name decides, because the proof is only asked for at the target itself.
 */
export function isVisible(target: LoginTarget, identity: InitiatorIdentity): boolean {
  if (target.availability === 'removed') return false;
  return identity.chapName === undefined
    ? isInitiatorListed(target, identity.initiatorName)
    : isNameBound(target, identity);
}
