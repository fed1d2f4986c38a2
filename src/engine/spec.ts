/**
 * What one engine is to serve, as plain data: it crosses a process boundary, and the simulator builds the same. All
 * names are resolved, all defaults decided (management/plan.ts); an engine only does what stands here.
 */

import type { Uuid } from '../base/uuid.ts';
import type { Site } from '../cluster/configuration.ts';
import type { JournalStrategy } from '../journal/recovery.ts';
import type { BlockLength, WriteCache } from '../ports/block-device.ts';
import type { DigestAlgorithm } from '../ports/crypto.ts';

export type Provisioning = 'thin' | 'thick';

/** The names a logical unit is known by, on every path the same (SPC-4 §7.8.6, VPD page 83h). */
export interface Identity {
  /** NAA IEEE Registered Extended designator: 32 hex digits. */
  readonly naa: string;
  /** Unit serial number (VPD page 80h). */
  readonly serial: string;
}

interface DeviceCommon {
  readonly name: string;
  readonly blockLength: BlockLength;
  /** Logical blocks per physical block as a power of two; undefined: what the medium says. */
  readonly physicalBlockExponent: number | undefined;
  readonly provisioning: Provisioning;
  readonly readOnly: boolean;
  readonly writeCache: WriteCache;
  /** The medium can be ejected and loaded (RMB, START STOP UNIT). */
  readonly removable: boolean;
  readonly identity: Identity;
}

export interface FileDeviceSpec extends DeviceCommon {
  readonly kind: 'file';
  readonly path: string;
  /** Bytes to create the file with when it is missing; undefined: it must be there. */
  readonly length: number | undefined;
  /** Bytes of memory for its cache; 0: it has none. */
  readonly cacheMemory: number;
  /** The administrator has confirmed an uninterruptible power supply: memory may hold writes back. */
  readonly isPowerProtected: boolean;
}

/** What has to be opened for a device that lies in a file. */
export type MediumSpec = Omit<FileDeviceSpec, 'cacheMemory' | 'isPowerProtected'>;

export interface RamDeviceSpec extends DeviceCommon {
  readonly kind: 'ram';
  /** Bytes. */
  readonly length: number;
}

/** This node's part in a device that two to four nodes mirror. */
export interface MirrorDeviceSpec extends DeviceCommon {
  readonly kind: 'mirror';
  /** The same on all nodes. */
  readonly id: Uuid;
  /** The copy. */
  readonly path: string;
  /** Bytes. */
  readonly length: number;
  /** Superblock and journal. */
  readonly recordsPath: string;
  readonly site: Site;
  readonly journal: JournalStrategy;
  /** Bytes of memory for the cache of this node's copy; 0: it has none. */
  readonly cacheMemory: number;
  /** Its witness, or its arbiter, is the cluster's vote store. */
  readonly asksStore: boolean;
}

export type DeviceSpec = FileDeviceSpec | RamDeviceSpec | MirrorDeviceSpec;

/** A device that this node has no copy of, and votes about. */
export interface WitnessSpec {
  readonly name: string;
  readonly id: Uuid;
  readonly blockLength: BlockLength;
  readonly length: number;
  readonly recordsPath: string;
  readonly site: Site;
}

export interface PartnerLinkSpec {
  readonly kind: 'sync' | 'heartbeat';
  /** Address of this node to send from; undefined: what the system chooses. */
  readonly local: string | undefined;
  /** 'address:port' of the partner. */
  readonly remote: string;
}

/** Another node of the cluster. */
export interface PartnerSpec {
  readonly name: string;
  readonly node: number;
  /** In the same order as the partner has them. */
  readonly links: readonly PartnerLinkSpec[];
}

/** Where registers lie that every node reaches: witnesses and arbiters that are no nodes. */
export type VoteStoreSpec =
  /** A folder on a share that every node has mounted. */
  | { readonly kind: 'share'; readonly path: string }
  | {
      readonly kind: 'etcd';
      readonly endpoints: readonly string[];
      /** Paths of PEM files. */
      readonly ca: string | undefined;
      readonly certificate: string | undefined;
      readonly key: string | undefined;
    };

/** Who this node is among others. */
export interface ClusterSpec {
  readonly name: string;
  /** Name of this node, as its certificate has it. */
  readonly nodeName: string;
  /** 1 to 15. */
  readonly node: number;
  /** Directory with `ca.crt`, `node.crt` and `node.key`. */
  readonly certificates: string;
  readonly partners: readonly PartnerSpec[];
  readonly voteStore: VoteStoreSpec | undefined;
  /** Reads are confirmed by partners before they are answered: the clock of this machine may stand still. */
  readonly confirmsReads: boolean;
}

export interface Credentials {
  readonly user: string;
  readonly secret: string;
}

/** CHAP of one target (RFC 7143 §12.1). */
export interface ChapSpec {
  /** Any of these may log in. */
  readonly users: readonly Credentials[];
  /** How the target proves itself to initiators that ask. */
  readonly mutual: Credentials | undefined;
  /** In order of preference. */
  readonly algorithms: readonly DigestAlgorithm[];
}

export interface LunSpec {
  readonly lun: number;
  /** `name` of the device. */
  readonly device: string;
}

/** Logins without CRC32C are refused: for the header, or for header and data (`required`). */
export type DigestPolicy = 'optional' | 'header' | 'required';

export interface TargetSpec {
  /** iSCSI name. */
  readonly name: string;
  readonly alias: string | undefined;
  /** Addresses as 'address:port' that this target is offered on. */
  readonly portals: readonly string[];
  readonly portalGroupTag: number;
  /** SPC-4 relative target port identifier, unique on the node. */
  readonly relativeTargetPort: number;
  readonly luns: readonly LunSpec[];
  /** Initiator names that may log in; undefined: whoever passes CHAP, or anybody where there is no CHAP. */
  readonly allow: readonly string[] | undefined;
  readonly chap: ChapSpec | undefined;
  readonly digests: DigestPolicy;
  /** Answers SendTargets=All in a normal session too, against RFC 7143 Appendix C, for tools that want it. */
  readonly sendTargetsInNormalSession: boolean;
}

/** A silent initiator is asked whether it lives, and given up when it stays silent. */
export interface KeepAliveSpec {
  readonly pingAfterSeconds: number;
  readonly deadAfterSeconds: number;
}

export interface EngineSpec {
  /** From 0; engine 0 answers discovery. */
  readonly engine: number;
  /** Rises with every restart of this engine: what lived in RAM is gone and gets a new identity. */
  readonly incarnation: number;
  /** Small durable records go here; undefined: nothing outlives the process. */
  readonly stateDirectory: string | undefined;
  readonly keepAlive: KeepAliveSpec;
  readonly cluster: ClusterSpec | undefined;
  readonly devices: readonly DeviceSpec[];
  readonly witnessed: readonly WitnessSpec[];
  readonly targets: readonly TargetSpec[];
  /** Targets of the other engines, which discovery (engine 0) lists and nobody logs in to here. */
  readonly announced: readonly TargetSpec[];
}
