/**
 * A mirrored device as a logical unit of one node: reservations and resets that all nodes share, path states, and what
 * initiators have to hear when either changes. Its target port and target port group have the number of the node.
 *
 * Mode parameters (D_SENSE, SWP, TAS) belong to the unit of one node: initiators set them through each path.
 */

import type { BlockDevice } from '../../ports/block-device.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Trace } from '../../ports/trace.ts';
import type { DocumentName } from '../../replication/operation.ts';
import { type Availability, createLogicalUnit, type LogicalUnit } from '../../scsi/logical-unit.ts';
import type { UnitIdentity } from '../../scsi/logical-unit.ts';
import { SharedReservations } from '../../scsi/reservations/shared.ts';
import { AccessState, GroupStatus, type TargetPortGroups } from '../../scsi/target-port-groups.ts';
import { raiseOnAll } from '../../scsi/unit-attention.ts';
import { mirrorDocument } from './mirror-document.ts';
import type { MirrorNode } from './mirror-node.ts';
import { type PathGroup, type PathState, TRANSITION_MS_MAX } from './path-state.ts';

export interface MirrorUnitOptions {
  readonly node: MirrorNode;
  /** What is served: the mirror, and what stands above it. */
  readonly device: BlockDevice;
  /** The same on all nodes. */
  readonly identity: Omit<UnitIdentity, 'vendor'>;
  readonly clock: Clock;
  readonly trace: Trace;
}

const ACCESS: Readonly<Record<PathState, AccessState>> = {
  optimized: AccessState.ACTIVE_OPTIMIZED,
  nonOptimized: AccessState.ACTIVE_NON_OPTIMIZED,
  transitioning: AccessState.TRANSITIONING,
  unavailable: AccessState.UNAVAILABLE,
};
/** A transition is over after TRANSITION_MS_MAX; initiators that count need not be exact. */
const IMPLICIT_TRANSITION_SECONDS = 10;

export class MirrorUnit {
  readonly unit: LogicalUnit;
  readonly #node: MirrorNode;
  readonly #clock: Clock;
  readonly #reservations: SharedReservations;
  /** What initiators know. */
  #paths: string;
  #blockCount: number;
  #isLooking = false;
  #isClosed = false;

  constructor({ node, device, identity, clock, trace }: MirrorUnitOptions) {
    this.#node = node;
    this.#clock = clock;
    this.#reservations = new SharedReservations({
      document: mirrorDocument(node, 'reservations'),
      ownPort: node.membership.self,
      clock,
      trace,
    });
    this.unit = createLogicalUnit({
      device,
      identity,
      clock,
      reservations: this.#reservations,
      portGroups: () => this.#portGroups(),
      availability: () => this.#availability(),
    });
    this.#reservations.begin(this.unit, node.document('reservations'));
    this.#paths = textOf(node.state.paths);
    this.#blockCount = device.geometry.blockCount;
  }

  /** `MirrorPorts.onDocument` */
  onDocument(name: DocumentName, bytes: Uint8Array | undefined): void {
    if (!this.#isClosed && name === 'reservations') void this.#reservations.told(bytes);
  }

  /** `MirrorPorts.onChanged`, or the geometry has changed. Initiators hear of each change once. */
  onChanged(): void {
    if (this.#isClosed) return;
    const { role, paths, configuration } = this.#node.state;
    if (role === 'serving') this.#reservations.portsAre(configuration.members);
    const { blockCount } = this.unit.device.geometry;
    if (blockCount !== this.#blockCount) {
      this.#blockCount = blockCount;
      raiseOnAll(this.unit, 'capacityDataChanged');
    }
    // Commands wait until it is known what comes of it.
    if (paths.some(({ state }) => state === 'transitioning')) return this.#lookLater();
    const text = textOf(paths);
    if (text === this.#paths) return;
    this.#paths = text;
    raiseOnAll(this.unit, 'asymmetricAccessStateChanged');
  }

  /** Nothing of the node is told any more. */
  close(): void {
    this.#isClosed = true;
    this.#reservations.close();
  }

  /** Nobody tells when a transition has taken too long. */
  #lookLater(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#clock.after(TRANSITION_MS_MAX, () => {
      this.#isLooking = false;
      this.onChanged();
    });
  }

  #availability(): Availability {
    const { membership } = this.#node;
    if (!this.#reservations.isReadable) return 'unavailable';
    if (membership.mayServe()) return 'serving';
    if (membership.role === 'serving') return 'transitioning';
    const own = this.#node.state.paths.find(({ node }) => node === membership.self);
    return own?.state === 'transitioning' ? 'transitioning' : 'unavailable';
  }

  #portGroups(): TargetPortGroups {
    const groups = this.#node.state.paths.map(({ node, state, isPreferred }) => ({
      group: node,
      state: ACCESS[state],
      preferred: isPreferred,
      status: GroupStatus.BY_IMPLICIT_TRANSITION,
      ports: [node],
    }));
    return { groups, implicitTransitionSeconds: IMPLICIT_TRANSITION_SECONDS };
  }
}

function textOf(paths: readonly PathGroup[]): string {
  return paths.map(({ node, state, isPreferred }) => `${node} ${state} ${isPreferred}`).join();
}
