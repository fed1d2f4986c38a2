/** What an engine tells of itself, once a second: for `lockstep status`, metrics and the console. Plain data. */

export interface SessionStatistics {
  readonly initiatorName: string;
  /** Undefined for a discovery session. */
  readonly targetName: string | undefined;
  /** 'initiator address → portal'. */
  readonly path: string;
  readonly commands: number;
}

export interface DeviceStatistics {
  readonly name: string;
  readonly kind: 'file' | 'ram';
  readonly bytes: number;
  readonly readOnly: boolean;
  readonly naa: string;
  readonly reads: number;
  readonly writes: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

export interface EngineStatistics {
  readonly engine: number;
  readonly pid: number;
  readonly sessions: readonly SessionStatistics[];
  readonly devices: readonly DeviceStatistics[];
}
