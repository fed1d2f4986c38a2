/** When a node proposes another configuration, and why: looked at every heartbeat. Decides; does nothing. */

import { type Configuration, includes, isMajority, votersOf, witnessOf } from './configuration.ts';
import type { ReplicaChange } from './choose.ts';
import { laterStrangers } from './later.ts';
import type { Membership } from './membership.ts';
import type { Beat } from './messages.ts';
import { BEAT_MS, FORGOTTEN_MS } from './times.ts';

export interface Reason {
  readonly cause: string;
  readonly excluded: readonly number[];
  readonly promoted: readonly number[];
  /** Other replicas, if an administrator wants them. */
  readonly change?: ReplicaChange;
}

/** A few heartbeats of patience, so that one who is just changing over is not taken for lost. */
const ASTRAY_TICKS = 4;
const IDLE_TICKS = 3;
/** Who comes later in the order waits longer before it proposes in the same place. */
const TICKS_PER_PLACE = 2;
/** Heartbeats that whoever has the higher priority gets before others try. */
const DEFERENCE_TICKS = 15;
/** Longer than a lease: whoever was left out and does not know it yet is no rival. */
const RIVALRY_TICKS = 15;
/**
 * Who was to come back and did not promise in time is left alone for a while, twice as long each time: each try interrupts
 * those who serve.
 */
const INVITE_AGAIN_MS = 1000;
const INVITE_AGAIN_MS_MAX = 10_000;
const NEVER = { at: -Infinity, forMs: INVITE_AGAIN_MS / 2 };
/** Longer than it takes to be granted a lease, and than most of what others have proposed takes to come to its end. */
const POWERLESS_TICKS = 15;
/** Longer than a voter without records promises nothing. */
const FORGETFUL_TICKS = Math.ceil(FORGOTTEN_MS / BEAT_MS) + 5;

export function reasonToPropose<H>(membership: Membership<H>, now: number): Reason | undefined {
  return membership.role === 'serving' ? asMember(membership, now) : asOther(membership, now);
}

function asMember<H>(membership: Membership<H>, now: number): Reason | undefined {
  const { self, peers, known, ports, proposer } = membership;
  const installed = membership.installed!;
  const others = [...installed.members, ...installed.learners].filter((node) => node !== self);
  if (proposer.isTold) return { cause: 'an administrator has decided', excluded: [], promoted: [] };
  const slow = ports.slowNodes();
  const lost = others.filter((node) => {
    const beat = peers.beatOf(node);
    const isAnother = known.has(node) && beat !== undefined && beat.incarnation !== known.get(node);
    return !peers.isJoined(node, now) || isAnother || slow.has(node) || isOver(beat);
  });
  if (lost.length > 0) {
    membership.astray += 1;
    // Two that have lost their sync links both see it: the one with the lower priority leaves the first word to the other.
    const higher = lost.some(
      (node) => isHigher(membership, node) && peers.hears(node, now) && !isOver(peers.beatOf(node)),
    );
    if (higher && membership.site.strategy.kind === 'heartbeat' && membership.astray < DEFERENCE_TICKS)
      return undefined;
    return { cause: `node ${lost.join(', ')} is lost`, excluded: lost, promoted: [] };
  }
  const astray = others.filter((node) => {
    const beat = peers.beatOf(node)!;
    return beat.term !== installed.term;
  });
  if (astray.length > 0) {
    membership.astray += 1;
    if (membership.astray <= ASTRAY_TICKS) return undefined;
    membership.astray = 0;
    return { cause: `node ${astray.join(', ')} is in another term`, excluded: [], promoted: [] };
  }
  membership.astray = 0;
  const later = laterStrangers(membership, installed.term, now);
  if (later.length > 0) return { cause: `node ${later.join(', ')} has gone on`, excluded: [], promoted: [] };
  return powerless(membership, now) ?? asRival(membership, now) ?? leading(membership, now);
}

/**
 * Everybody who is needed is heard, and yet nobody grants a lease: somebody has promised another term, of which nothing has
 * come.
 */
function powerless<H>(membership: Membership<H>, now: number): Reason | undefined {
  const { site, peers } = membership;
  const isEnough = site.strategy.kind === 'heartbeat' || isMajority(site, (node) => peers.hears(node, now));
  membership.powerless = membership.mayServe() || !isEnough ? 0 : membership.powerless + 1;
  if (membership.powerless <= POWERLESS_TICKS) return undefined;
  membership.powerless = 0;
  return { cause: 'nobody grants a lease', excluded: [], promoted: [] };
}

/** Others serve without this node, and this one without them: only where nobody has to be asked (policy `continue`). */
function asRival<H>(membership: Membership<H>, now: number): Reason | undefined {
  const { self, site, peers } = membership;
  const installed = membership.installed!;
  const rivals = site.nodes.filter((node) => {
    const beat = peers.hears(node, now) ? peers.beatOf(node) : undefined;
    return beat?.role === 'serving' && !includes(installed, node) && !beat.members.includes(self);
  });
  membership.rivalry = rivals.length === 0 ? 0 : membership.rivalry + 1;
  const isLower = rivals.some((node) => isHigher(membership, node));
  if (membership.rivalry <= RIVALRY_TICKS + (isLower ? DEFERENCE_TICKS : 0)) return undefined;
  membership.rivalry = 0;
  return { cause: `node ${rivals.join(', ')} serves, too`, excluded: [], promoted: [] };
}

function isOver(beat: Beat | undefined): boolean {
  return beat?.role === 'failed' || beat?.role === 'diverged' || beat?.role === 'stopping';
}

/** One member takes care of joining and promoting. */
function leading<H>(membership: Membership<H>, now: number): Reason | undefined {
  const { self, site, peers, ports } = membership;
  const installed = membership.installed!;
  const ready = ports.readyLearners();
  if (ready.length > 0)
    return { cause: `node ${ready.join(', ')} has been brought up to date`, excluded: [], promoted: ready };
  if (installed.members[0] !== self) return undefined;
  if (installed.formerly !== undefined)
    return { cause: 'its replicas have changed: from now on they alone decide', excluded: [], promoted: [] };
  const forgetful = forgetfulWitness(membership, now);
  if (forgetful !== undefined) return forgetful;
  const joining = site.nodes.filter((node) => {
    if (includes(installed, node) || !peers.isJoined(node, now)) return false;
    const beat = peers.beatOf(node);
    if (beat === undefined || isOver(beat) || beat.role === 'serving') return false;
    const { at, forMs } = membership.invited.get(node) ?? NEVER;
    if (now - at < forMs) return false;
    // All must reach it, and it all.
    return installed.members.every(
      (member) =>
        member === self ||
        (beat.hearsSync.includes(member) && peers.beatOf(member)?.hearsSync.includes(node) === true),
    );
  });
  if (joining.length === 0) return undefined;
  for (const node of joining) {
    const { forMs } = membership.invited.get(node) ?? NEVER;
    membership.invited.set(node, { at: now, forMs: Math.min(2 * forMs, INVITE_AGAIN_MS_MAX) });
  }
  return { cause: `node ${joining.join(', ')} is back`, excluded: [], promoted: [] };
}

/** A witness that has lost its record has no vote before it has accepted another configuration. */
function forgetfulWitness<H>(membership: Membership<H>, now: number): Reason | undefined {
  const witness = witnessOf(membership.site);
  const beat =
    witness !== undefined && membership.peers.hears(witness, now)
      ? membership.peers.beatOf(witness)
      : undefined;
  membership.forgetful = beat?.accepted.term === 0 ? membership.forgetful + 1 : 0;
  if (membership.forgetful <= FORGETFUL_TICKS) return undefined;
  membership.forgetful = 0;
  return { cause: 'the witness has lost its record', excluded: [], promoted: [] };
}

function asOther<H>(membership: Membership<H>, now: number): Reason | undefined {
  const { self, site, peers, standing, proposer, role } = membership;
  if (standing.isDiverged && !proposer.isTold) return undefined;
  // A copy that has never been part of the device, or is no more, has no say.
  if (standing.accepted.term === 0 || role === 'removed') return undefined;
  const known = site.nodes.filter((node) => node !== self && peers.hears(node, now));
  const heard = [...known, ...laterStrangers(membership, standing.accepted.term, now)];
  const someoneServes = heard.some((node) => peers.beatOf(node)?.role === 'serving');
  // On a slow disk that takes its time: another term would come after it, and be overtaken by the next in turn.
  if (someoneServes || membership.isSettling || isHelpless(membership, now)) {
    membership.idle = 0;
    return undefined;
  }
  if (site.strategy.kind === 'majority' && !isMajority(site, (node) => peers.hears(node, now)))
    return undefined;
  membership.idle += 1;
  const place = site.nodes.indexOf(self);
  const higher = heard.some((node) => isHigher(membership, node) && !isOver(peers.beatOf(node)));
  const patience = IDLE_TICKS + place * TICKS_PER_PLACE + (higher ? DEFERENCE_TICKS : 0);
  if (membership.idle <= patience) return undefined;
  membership.idle = 0;
  return { cause: 'nobody serves', excluded: [], promoted: [] };
}

/**
 * Others have gone on without this node, and it hears none of them: it could only disturb those who vote for them.
 * That a witness tells it so is what keeps two nodes that have lost each other from taking turns.
 */
function isHelpless<H>(membership: Membership<H>, now: number): boolean {
  const { self, site, peers, standing } = membership;
  let { accepted }: { accepted: Pick<Configuration, 'term' | 'members'> } = standing;
  for (const node of [...votersOf(site), ...laterStrangers(membership, accepted.term, now)]) {
    const beat = peers.hears(node, now) ? peers.beatOf(node) : undefined;
    if (beat !== undefined && beat.accepted.term > accepted.term) accepted = beat.accepted;
  }
  const { members } = accepted;
  return !members.includes(self) && !members.some((node) => peers.hears(node, now));
}

/** By priority; whoever has gone on further without this node is, too. */
function isHigher<H>({ site, self }: Membership<H>, node: number): boolean {
  return site.nodes.indexOf(node) < site.nodes.indexOf(self);
}
