/** What a seed decides about the mirrored device: strategy, witness, write policy, journal. */

import type { Prng } from '../../src/base/prng.ts';
import { inOrder, type IsolationPolicy, type Site } from '../../src/cluster/configuration.ts';
import type { Settings } from '../../src/engine/mirror/settings.ts';
import type { JournalStrategy } from '../../src/journal/recovery.ts';
import { drawTrouble, type VoteTrouble } from '../vote-store.ts';
import type { FrontParts } from '../world.ts';
import type { WritePolicy } from '../../src/replication/ports.ts';

export interface MirrorSite {
  readonly site: Site;
  readonly policy: WritePolicy;
  /** Copies have a cache in the memory of their process; without one, only in that of the machine. */
  readonly hasCache: boolean;
  /** Milliseconds after which it writes out what is dirty. */
  readonly cacheAgeMs: number;
  readonly journal: JournalStrategy;
  readonly confirmsReads: boolean;
  /** How messages between nodes travel. */
  readonly carriage: Carriage;
  /** The witness is a vote in a store, not a host. */
  readonly hasStoredVote: boolean;
  /** Of that store, or of the arbiter's. */
  readonly trouble: VoteTrouble;
  /** Data nodes that have no copy when the device is made. */
  readonly spares: readonly number[];
  /** Administrators give nodes copies and take them away. */
  readonly changesReplicas: boolean;
}

export type Carriage = 'asObjects' | 'asBytes';

const BYTES_CHANCE = 1 / 8;
const CHANGES_CHANCE = 1 / 5;
const BACK_CACHE_CHANCE = 0.5;
const THROUGH_CACHE_CHANCE = 0.25;
const CACHE_AGES_MS = [300, 1000, 5000];
const VOTES = ['majority', 'majority', 'heartbeat'] as const;
const WITNESSES = ['none', 'host', 'stored'] as const;
/** Of two without a witness nobody goes on alone. */
const WITNESSES_OF_TWO = ['none', 'stored'] as const;
const JOURNALS: readonly JournalStrategy[] = ['ram', 'failure', 'continuous'];
const POLICIES: readonly IsolationPolicy[] = ['arbitrate', 'suspendLow'];

/** What is not left to the seed. */
export interface SiteFocus {
  readonly strategy?: 'majority' | 'heartbeat';
  readonly policy?: WritePolicy;
  readonly carriage?: Carriage;
  readonly changesReplicas?: true;
}

/** Hosts are numbered from 0, replicas and the witness from 1; a witness is the last host, or comes after it. */
export function drawSite(
  random: Prng,
  hosts: number,
  { kinds, budget, oneByOne }: Pick<FrontParts, 'kinds' | 'budget' | 'oneByOne'>,
  focus: SiteFocus = {},
): MirrorSite {
  const votes = random.pick(VOTES);
  const kind = focus.strategy ?? votes;
  const witness = kind === 'majority' ? drawWitness(random, hosts, oneByOne) : 'none';
  const count = witness === 'host' ? hosts - 1 : hosts;
  const nodes = Array.from({ length: count }, (_, at) => at + 1);
  // Any order of priorities.
  for (let at = nodes.length - 1; at > 0; at--) {
    const other = random.integer(0, at);
    [nodes[at], nodes[other]] = [nodes[other]!, nodes[at]!];
  }
  const strategy: Site['strategy'] =
    kind === 'majority'
      ? { kind, witness: witness === 'none' ? undefined : count + 1 }
      : { kind, policy: oneByOne ? 'arbitrate' : random.pick(POLICIES) };
  // With write-back caches everybody at once must not die.
  const policy = focus.policy ?? (budget && random.chance(0.5) ? 'back' : 'through');
  const cache = random.fork('cache');
  // A single copy fails with its node.
  const own = random.fork('replicas');
  const changesReplicas = !oneByOne && (focus.changesReplicas ?? own.chance(CHANGES_CHANCE));
  const first = changesReplicas ? own.integer(1, nodes.length) : nodes.length;
  return {
    site: { nodes: nodes.slice(0, first), strategy },
    spares: nodes.slice(first).toSorted((a, b) => a - b),
    changesReplicas,
    policy,
    hasCache: cache.chance(policy === 'back' ? BACK_CACHE_CHANCE : THROUGH_CACHE_CHANCE),
    cacheAgeMs: cache.pick(CACHE_AGES_MS),
    journal: random.pick(JOURNALS),
    // A machine whose clock stands still does not know when its lease is over.
    confirmsReads: kinds.has('vmPause') || random.chance(0.3),
    // Not all: with bytes a run takes 10 to 20 % longer.
    carriage: focus.carriage ?? (random.chance(BYTES_CHANCE) ? 'asBytes' : 'asObjects'),
    hasStoredVote: witness === 'stored',
    trouble: drawTrouble(random.fork('trouble'), oneByOne),
  };
}

/** Settings for the checker. As the device was made: a document may say so, or there is none. */
export function settingsText(settings: Settings | undefined, { site, policy }: MirrorSite): string {
  if (settings === undefined) return '';
  const { order, asides, fullResyncAbove } = settings;
  const isAsMade =
    settings.policy === policy &&
    asides.length === 0 &&
    fullResyncAbove === 100 &&
    order.join() === inOrder(order, site.nodes).join();
  return isAsMade ? '' : JSON.stringify(settings);
}

function drawWitness(random: Prng, hosts: number, oneByOne: boolean): (typeof WITNESSES)[number] {
  if (hosts > 2) return random.pick(WITNESSES);
  return oneByOne ? 'stored' : random.pick(WITNESSES_OF_TWO);
}
