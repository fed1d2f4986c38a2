/** What an engine tells of itself, once a second: for `lockstep status`, metrics and the console. Plain data. */

import type { WriteCache } from '../ports/block-device.ts';
import type { Role } from '../cluster/messages.ts';
import type { JournalStrategy } from '../journal/recovery.ts';
import type { WritePolicy } from '../replication/ports.ts';
import type { ResyncProgress } from '../replication/resync-source.ts';
import type { LinkStatistics } from './mirror/partner-links.ts';
import type { PathState } from './mirror/path-state.ts';

export interface SessionStatistics {
  readonly initiatorName: string;
  /** Undefined for a discovery session. */
  readonly targetName: string | undefined;
  /** 'initiator address → portal'. */
  readonly path: string;
  readonly commands: number;
}

/** How a mirrored device is, as one node sees it. */
export interface Condition {
  /**
   * `synchronized`: every copy holds everything; `resynchronizing`: a copy is brought up to date; `degraded`: it is served,
   * and a copy takes no part; `diverged`: two sides were written without each other, and somebody has to choose; `failed`:
   * the copy of this node takes no part; `notServed`: nor does this node serve it.
   */
  readonly word: 'synchronized' | 'resynchronizing' | 'degraded' | 'diverged' | 'failed' | 'notServed';
  /** A clause for people; undefined: nothing to tell. */
  readonly why: string | undefined;
}

/** One copy of a device, as far as a node knows. */
export interface ReplicaStatistics {
  readonly node: number;
  readonly name: string;
  /** `waiting`: it is there while nobody serves; `behind`: it has not been taken in yet; `away`: nothing is heard of it. */
  readonly state: 'synchronized' | 'resynchronizing' | 'waiting' | 'behind' | 'away' | 'diverged' | 'failed';
  /** A clause for people. */
  readonly why: string | undefined;
  /** While this node, or one that was asked, brings it up to date. Bytes are compared, or copied where they differ. */
  readonly resync: ResyncStatistics | undefined;
  /** What it lacks while it takes no part, in whole chunks, and the share of the device; undefined: nothing is known. */
  readonly lack: { readonly bytes: number; readonly percent: number } | undefined;
  /** What initiators are told of the paths through it. */
  readonly path: PathState;
  readonly isPreferred: boolean;
}

export interface ResyncStatistics {
  readonly percent: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly bytesPerSecond: number;
  /** Undefined: not to be told yet. */
  readonly secondsLeft: number | undefined;
}

/** This node's part in a mirrored device. Nodes are told by their numbers. */
export interface MirrorStatistics {
  readonly condition: Condition;
  /** Of all data nodes, the one with the highest priority first. */
  readonly replicas: readonly ReplicaStatistics[];
  /** As it was chosen, and what is done: alone, a node writes through. */
  readonly writePolicy: WritePolicy;
  readonly writePolicyInForce: WritePolicy;
  /** Undefined: a witness. */
  readonly journal: JournalStrategy | undefined;
  /** Who may go on when nodes lose each other; for people. */
  readonly strategy: string;
  readonly role: Role;
  /** Reads and writes of initiators are answered here now. */
  readonly isServing: boolean;
  readonly term: number;
  /** Of the epoch, beside its number (`term`); undefined: none yet. */
  readonly epochId: string | undefined;
  readonly members: readonly number[];
  readonly learners: readonly number[];
  /** Why the copy of this node takes no part; undefined: it does, or it is not open. */
  readonly failure: string | undefined;
  /** Copies that this node brings up to date. */
  readonly resyncs: readonly ResyncProgress[];
  readonly links: readonly LinkStatistics[];
}

/** The cache of what this node has of a device. */
export interface CacheStatistics {
  /** What holds now: of a mirrored device, alone it is `through`. */
  readonly mode: WriteCache;
  /** Bytes reserved, bookkeeping included; bytes of it that hold something; of these, what the medium does not have yet. */
  readonly memory: number;
  readonly used: number;
  readonly dirty: number;
  /** Pages of 4 KiB that reads found, and did not find. */
  readonly hits: number;
  readonly misses: number;
  /** Bytes that were written out later than they were answered. */
  readonly destaged: number;
  /** Milliseconds that writing out everything would take, at the speed seen lately; undefined before any was seen. */
  readonly flushForecastMs: number | undefined;
  /** Why nothing is acknowledged in memory now, as a clause; undefined: all is well. */
  readonly fault: string | undefined;
}

export interface DeviceStatistics {
  readonly name: string;
  readonly kind: 'file' | 'ram' | 'mirror';
  readonly bytes: number;
  readonly blockLength: number;
  readonly writeCache: WritePolicy;
  readonly readOnly: boolean;
  readonly naa: string;
  readonly reads: number;
  readonly writes: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Undefined: it has none at present. */
  readonly cache: CacheStatistics | undefined;
  readonly mirror: MirrorStatistics | undefined;
}

export interface WitnessStatistics {
  readonly name: string;
  readonly mirror: MirrorStatistics;
}

export interface EngineStatistics {
  readonly engine: number;
  readonly pid: number;
  readonly sessions: readonly SessionStatistics[];
  readonly devices: readonly DeviceStatistics[];
  /** Mirrored devices of others that this node votes about. */
  readonly witnessed: readonly WitnessStatistics[];
}
