/**
 * A logical unit: a device with an identity, mode parameters, a task set and reservations. It may stand behind several
 * target ports; all of this belongs to the unit, only what `UnitNexus` holds belongs to a path.
 */

import { assert } from '../base/assert.ts';
import { DONE, type MaybeAsync, type Result, then } from '../base/result.ts';
import type { BlockDevice, DeviceFault, WriteCache } from '../ports/block-device.ts';
import type { Clock } from '../ports/clock.ts';
import type { Crypto } from '../ports/crypto.ts';
import type { Command, Request } from './command.ts';
import { Tokens } from './copy/tokens.ts';
import type { NexusState, TargetPort, UnitNexus } from './nexus.ts';
import type { Fault } from './sense.ts';
import { fault } from './sense.ts';
import { allPortsOptimized, type TargetPortGroupProvider } from './target-port-groups.ts';
import { createTaskSet, type TaskSet } from './task-set.ts';
import { WatchedDevice } from './watched-device.ts';

export interface UnitIdentity {
  /** T10 vendor identification, at most 8 printable ASCII characters. */
  readonly vendor: string;
  /** At most 16. */
  readonly product: string;
  /** At most 4. */
  readonly revision: string;
  /** Unit serial number, at most 64. */
  readonly serial: string;
  /** NAA IEEE Registered Extended designator, 16 bytes, first half-byte 6. */
  readonly naa: Uint8Array;
}

/** Mode parameters that an application client may change; shared by all nexuses. WCE is the device's own. */
export interface ModeState {
  /** Control page D_SENSE. */
  descriptorSense: boolean;
  /** Control page SWP. */
  softwareWriteProtect: boolean;
  /** Control page TAS. */
  taskAbortedStatus: boolean;
}

/**
 * As created and after a reset. TAS is on: without it a command that another initiator aborts ends without an answer,
 * and its own initiator waits until it gives up.
 */
export const MODE_DEFAULTS: Readonly<ModeState> = {
  descriptorSense: false,
  softwareWriteProtect: false,
  taskAbortedStatus: true,
};

/**
 * What the reservations of a unit answer to the rest of the device server. The implementation knows more; its own
 * command rows work on that.
 */
export interface Reservations {
  /** False while there is no reservation of either kind: the path of READ and WRITE looks no further. */
  readonly held: boolean;
  /** Whether this command of this nexus ends with RESERVATION CONFLICT. Asked only while `held`. */
  conflicts(request: Request, command: Command): boolean;
  /** I_T nexus loss: an SPC-2 reservation of it ends, a persistent one stays. */
  nexusLost(nexus: NexusState): void;
  /**
   * Resets the unit on all its nodes: an SPC-2 reservation ends, a persistent one stays. `here` does the rest where there is
   * one node. Answers when no task that was there can touch the medium any more; a fault: nothing was reset.
   */
  resetUnit(
    kind: ResetKind,
    by: NexusState,
    here: () => MaybeAsync<void>,
  ): MaybeAsync<Result<void, DeviceFault>>;
  /**
   * Where other nodes share the reservations: whether `conflicts` says so on a state that none of them has changed. Without
   * it: always.
   */
  conflictStands?(request: Request, command: Command): Promise<Result<boolean, DeviceFault>>;
}

/** By LOGICAL UNIT RESET, or by a reset of its target. */
export type ResetKind = 'unit' | 'target';

/**
 * Whether this node may do now what commands ask of the unit. Transitioning: it will soon, and commands for the medium
 * wait; unavailable: through another node perhaps.
 */
export type Availability = 'serving' | 'transitioning' | 'unavailable';

/** START STOP UNIT with LOEJ moves the medium of a removable unit; there is no spindle to stop. */
export type MediumState = 'loaded' | 'ejected';

/** MEDIUM ROTATION RATE (SBC-3 §6.6.2): 1 is a solid state medium, 0 does not say. */
const ROTATION_SOLID_STATE = 1;

export interface LogicalUnit {
  readonly device: BlockDevice;
  readonly identity: UnitIdentity;
  readonly removable: boolean;
  readonly rotationRate: number;
  readonly mode: ModeState;
  /** What WCE goes back to when the unit is reset. */
  readonly writeCacheDefault: WriteCache;
  /** Whether initiators may not change WCE now; without it they always may. */
  readonly isWriteCacheFixed: (() => boolean) | undefined;
  /** Initiators may not change SWP: there are other ways to the device, which would not know. */
  readonly isWriteProtectFixed: boolean;
  readonly taskSet: TaskSet;
  /** By which commands that take long give way to others; without it they do not. */
  readonly clock: Clock | undefined;
  /** Offloaded data transfer; units made without clock or without crypto have none. */
  readonly tokens: Tokens | undefined;
  reservations: Reservations;
  /** What REPORT TARGET PORT GROUPS says. */
  portGroups: TargetPortGroupProvider;
  /** Without it: this node always may. */
  readonly availability: (() => Availability) | undefined;
  medium: MediumState;
  /** Set while a SANITIZE runs or after one has failed: what medium commands are answered with. */
  sanitizing: Fault | undefined;
  /** Every I_T_L nexus open to the unit, over all ports. */
  readonly links: Set<UnitNexus>;
  /** Every target port the unit stands behind. */
  readonly ports: Set<TargetPort>;
}

export interface LogicalUnitOptions {
  readonly device: BlockDevice;
  readonly identity: Omit<UnitIdentity, 'vendor'> & { readonly vendor?: string };
  readonly removable?: boolean;
  /** MEDIUM ROTATION RATE; solid state when not given. */
  readonly rotationRate?: number;
  readonly clock?: Clock;
  /** With it, and a clock, the unit makes ROD tokens. */
  readonly crypto?: Crypto;
  readonly reservations?: Reservations;
  /** All ports active/optimized when not given. */
  readonly portGroups?: TargetPortGroupProvider;
  readonly availability?: () => Availability;
  readonly isWriteCacheFixed?: () => boolean;
  /** Unless told they may change SWP. */
  readonly isWriteProtectFixed?: boolean;
}

const NO_RESERVATIONS: Reservations = {
  held: false,
  conflicts: () => false,
  nexusLost: () => undefined,
  resetUnit: (_kind, _by, here) => then(here(), () => DONE),
};

const PRINTABLE = /^[\x20-\x7e]*$/;

export function createLogicalUnit(options: LogicalUnitOptions): LogicalUnit {
  const identity = { vendor: 'LOCKSTEP', ...options.identity };
  const { vendor, product, revision, serial, naa } = identity;
  assert(PRINTABLE.test(vendor + product + revision + serial), 'identity: printable ASCII only');
  assert(vendor.length <= 8 && product.length <= 16 && revision.length <= 4, 'identity: text too long');
  assert(serial.length > 0 && serial.length <= 64, 'identity: serial of 1 to 64 characters');
  assert(naa.length === 16 && naa[0]! >>> 4 === 6, 'identity: NAA 6 designator of 16 bytes');
  const { clock, crypto } = options;
  const watched = clock !== undefined && crypto !== undefined ? new WatchedDevice(options.device) : undefined;
  return {
    device: watched ?? options.device,
    identity,
    removable: options.removable ?? false,
    rotationRate: options.rotationRate ?? ROTATION_SOLID_STATE,
    writeCacheDefault: options.device.writeCache,
    isWriteCacheFixed: options.isWriteCacheFixed,
    isWriteProtectFixed: options.isWriteProtectFixed ?? false,
    mode: { ...MODE_DEFAULTS },
    taskSet: createTaskSet(),
    clock,
    tokens: watched && new Tokens(watched, clock!, crypto!),
    reservations: options.reservations ?? NO_RESERVATIONS,
    portGroups: options.portGroups ?? allPortsOptimized,
    availability: options.availability,
    medium: 'loaded',
    sanitizing: undefined,
    links: new Set(),
    ports: new Set(),
  };
}

/** Why the unit cannot be asked through this node now; undefined when it can. */
export function absence(unit: LogicalUnit): Fault | undefined {
  switch (unit.availability?.()) {
    case 'transitioning':
      return fault('notReadyAsymmetricTransition');
    case 'unavailable':
      return fault('notReadyPortUnavailable');
    default:
      return undefined;
  }
}

/** Why the unit may not be written to; undefined when it may. */
export function writeProtection(unit: LogicalUnit): Fault | undefined {
  if (unit.device.geometry.readOnly) return fault('writeProtected');
  if (unit.mode.softwareWriteProtect) return fault('softwareWriteProtected');
  return undefined;
}
