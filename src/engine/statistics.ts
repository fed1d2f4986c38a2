/** What an engine tells of itself, once a second: for `lockstep status`, metrics and the console. Plain data. */

import type { WriteCache } from '../ports/block-device.ts';
import type { Role } from '../cluster/messages.ts';
import type { ResyncProgress } from '../replication/resync-source.ts';
import type { LinkStatistics } from './mirror/partner-links.ts';

export interface SessionStatistics {
  readonly initiatorName: string;
  /** Undefined for a discovery session. */
  readonly targetName: string | undefined;
  /** 'initiator address → portal'. */
  readonly path: string;
  readonly commands: number;
}

/** This node's part in a mirrored device. Nodes are told by their numbers. */
export interface MirrorStatistics {
  readonly role: Role;
  /** Reads and writes of initiators are answered here now. */
  readonly isServing: boolean;
  readonly term: number;
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
  readonly readOnly: boolean;
  readonly naa: string;
  readonly reads: number;
  readonly writes: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
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
