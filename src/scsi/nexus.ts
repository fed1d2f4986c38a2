/**
 * Who talks to whom. An I_T nexus is one initiator port joined to one target port (SAM-5 §4.8.4); with a logical unit
 * it is an I_T_L nexus, which owns the unit attentions and the prevention of medium removal.
 */

import type { NexusEvents, NexusIdentity } from '../ports/scsi-target.ts';
import type { LogicalUnit } from './logical-unit.ts';
import type { SenseReason } from './sense.ts';

/** A SCSI target port with the logical units behind it, as its own device server sees it. */
export interface TargetPort {
  /** iSCSI target name. */
  readonly targetName: string;
  readonly portalGroupTag: number;
  /** SPC-4 RELATIVE TARGET PORT IDENTIFIER, unique among the ports of one logical unit. */
  readonly relativeTargetPort: number;
  /** SPC-4 TARGET PORT GROUP that this port belongs to. */
  readonly targetPortGroup: number;
  /** `<targetName>,t,0x<tag, 4 hex digits>` (SPC-4 §7.6.4.7 with RFC 7143 §4.4). */
  readonly portName: string;
  /** By LUN. */
  readonly units: ReadonlyMap<number, LogicalUnit>;
  readonly nexuses: ReadonlySet<NexusState>;
  /** Where EXTENDED COPY finds the logical unit that a designation descriptor (SPC-4 §7.8.6) names. */
  readonly findUnit: FindUnit;
}

/** Among the units of this storage node, also those behind other targets; undefined when none is so designated. */
export type FindUnit = (designator: Uint8Array) => LogicalUnit | undefined;

/** One open I_T nexus. */
export interface NexusState {
  readonly identity: NexusIdentity;
  readonly events: NexusEvents;
  readonly port: TargetPort;
  /** Names the nexus across logins: `<initiator port> <target port>`. Reservations are kept by it. */
  readonly name: string;
  /** By logical unit; every unit of the port is here. */
  readonly links: Map<LogicalUnit, UnitNexus>;
  /** Closed: nothing of it starts any more. */
  closed: boolean;
}

/** One I_T_L nexus. */
export interface UnitNexus {
  readonly nexus: NexusState;
  readonly unit: LogicalUnit;
  readonly lun: number;
  /** Upper half of the 8-byte LUN; the lower half is zero. */
  readonly lunHigh: number;
  /** Pending unit attentions, the next to be reported first (SAM-5 §5.14). */
  readonly attentions: SenseReason[];
  /** PREVENT ALLOW MEDIUM REMOVAL: this nexus holds the medium. */
  preventsRemoval: boolean;
}

export function nexusName(identity: NexusIdentity): string {
  return `${identity.initiatorPort} ${portName(identity.targetName, identity.portalGroupTag)}`;
}

export function portName(targetName: string, portalGroupTag: number): string {
  return `${targetName},t,0x${portalGroupTag.toString(16).padStart(4, '0')}`;
}
