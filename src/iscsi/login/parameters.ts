/** What a login settles (RFC 7143 §13): the values in force, and how far this target goes with each. */

export type Digest = 'None' | 'CRC32C';
export type TaskReporting = 'RFC3720' | 'ResponseFence' | 'FastAbort';

export interface SessionParameters {
  readonly headerDigest: Digest;
  readonly dataDigest: Digest;
  readonly maxConnections: number;
  readonly initialR2T: boolean;
  readonly immediateData: boolean;
  /** Declared by the initiator: the longest data segment that we may send. */
  readonly initiatorMaxRecvDataSegmentLength: number;
  /** Declared by us: the longest data segment that the initiator may send. */
  readonly targetMaxRecvDataSegmentLength: number;
  readonly maxBurstLength: number;
  /** Never above `maxBurstLength`. */
  readonly firstBurstLength: number;
  readonly defaultTime2Wait: number;
  readonly defaultTime2Retain: number;
  readonly maxOutstandingR2T: number;
  readonly dataPDUInOrder: boolean;
  readonly dataSequenceInOrder: boolean;
  readonly errorRecoveryLevel: number;
  readonly taskReporting: TaskReporting;
  readonly iSCSIProtocolLevel: number;
}

/** While they are negotiated. */
export type ParameterDraft = { -readonly [K in keyof SessionParameters]: SessionParameters[K] };

/** The target's side of each result function. */
export interface NegotiationLimits {
  /** What is accepted; leaving 'None' out makes the digest a condition of the login. */
  readonly headerDigest: readonly Digest[];
  readonly dataDigest: readonly Digest[];
  readonly taskReporting: readonly TaskReporting[];
  readonly maxConnections: number;
  readonly initialR2T: boolean;
  readonly immediateData: boolean;
  readonly targetMaxRecvDataSegmentLength: number;
  readonly maxBurstLength: number;
  readonly firstBurstLength: number;
  readonly defaultTime2Wait: number;
  readonly defaultTime2Retain: number;
  readonly maxOutstandingR2T: number;
  readonly dataPDUInOrder: boolean;
  readonly dataSequenceInOrder: boolean;
  readonly errorRecoveryLevel: number;
  readonly iSCSIProtocolLevel: number;
}

/** The values of keys that nobody mentions (the Default lines of RFC 7143 §13). */
export const DEFAULT_PARAMETERS: SessionParameters = {
  headerDigest: 'None',
  dataDigest: 'None',
  maxConnections: 1,
  initialR2T: true,
  immediateData: true,
  initiatorMaxRecvDataSegmentLength: 8192,
  targetMaxRecvDataSegmentLength: 8192,
  maxBurstLength: 262_144,
  firstBurstLength: 65_536,
  defaultTime2Wait: 2,
  defaultTime2Retain: 20,
  maxOutstandingR2T: 1,
  dataPDUInOrder: true,
  dataSequenceInOrder: true,
  errorRecoveryLevel: 0,
  taskReporting: 'RFC3720',
  iSCSIProtocolLevel: 1,
};

export const DEFAULT_LIMITS: NegotiationLimits = {
  headerDigest: ['CRC32C', 'None'],
  dataDigest: ['CRC32C', 'None'],
  // FastAbort and ResponseFence promise behaviour (RFC 7143 §4.2.3) that sessions of one connection do not need.
  taskReporting: ['RFC3720'],
  maxConnections: 1,
  initialR2T: false,
  immediateData: true,
  targetMaxRecvDataSegmentLength: 262_144,
  // The largest multiple of 64 KiB below 2^24: what Linux initiators offer.
  maxBurstLength: 16_776_192,
  // Unsolicited data needs memory that nobody has granted: no more than one full segment of it.
  firstBurstLength: 262_144,
  defaultTime2Wait: 2,
  // Nothing of a session outlives its connection at ErrorRecoveryLevel 0.
  defaultTime2Retain: 0,
  maxOutstandingR2T: 16,
  dataPDUInOrder: true,
  dataSequenceInOrder: true,
  errorRecoveryLevel: 0,
  // RFC 7144 (level 2) would promise QUERY TASK and command priority.
  iSCSIProtocolLevel: 1,
};

/** What holds when another connection takes the session over: the keys of a connection are its own (RFC 7143 §13). */
export function withConnection(
  session: SessionParameters,
  {
    headerDigest,
    dataDigest,
    initiatorMaxRecvDataSegmentLength,
    targetMaxRecvDataSegmentLength,
  }: SessionParameters,
): SessionParameters {
  return {
    ...session,
    headerDigest,
    dataDigest,
    initiatorMaxRecvDataSegmentLength,
    targetMaxRecvDataSegmentLength,
  };
}
