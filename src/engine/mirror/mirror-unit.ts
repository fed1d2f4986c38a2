/**
 * A mirrored device as a logical unit of one node: reservations and resets that all nodes share, path states, and what
 * initiators have to hear when either changes. Its target port and target port group have the number of the node. It lives
 * as long as the device is served; the node behind it comes and goes (`attach`, `detach`).
 *
 * Mode parameters (D_SENSE, TAS) belong to the unit of one node: initiators set them through each path. SWP is not theirs to
 * set: through the other paths it would not hold. There are no ROD tokens: one node does not see what another one changes.
 */

import type { BlockDevice, WriteCache } from '../../ports/block-device.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Trace } from '../../ports/trace.ts';
import type { DocumentName } from '../../replication/operation.ts';
import {
  type Availability,
  createLogicalUnit,
  type LogicalUnit,
  type UnitIdentity,
} from '../../scsi/logical-unit.ts';
import { SharedReservations } from '../../scsi/reservations/shared.ts';
import { AccessState, GroupStatus, type TargetPortGroups } from '../../scsi/target-port-groups.ts';
import { raiseOnAll } from '../../scsi/unit-attention.ts';
import { mirrorDocument } from './mirror-document.ts';
import type { MirrorNode } from './mirror-node.ts';
import { type PathGroup, type PathState, TRANSITION_MS_MAX } from './path-state.ts';

export interface MirrorUnitOptions {
  /** This node, from 1 to 15. */
  readonly self: number;
  /** All data nodes. */
  readonly nodes: readonly number[];
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

/** Exported for tests. */
export class MirrorUnit {
  readonly unit: LogicalUnit;
  readonly #options: MirrorUnitOptions;
  readonly #reservations: SharedReservations;
  #node: MirrorNode | undefined;
  /** As they were last; without a node its own are unavailable. */
  #paths: readonly PathGroup[];
  /** What initiators know. */
  #toldPaths: string;
  #toldBlocks: number;
  #toldCache: WriteCache;
  #isLooking = false;

  constructor(options: MirrorUnitOptions) {
    const { self, nodes, device, identity, clock, trace } = options;
    this.#options = options;
    this.#reservations = new SharedReservations({
      document: mirrorDocument(() => this.#node, 'reservations'),
      ownPort: self,
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
      // The policy is the device's, not one initiator's.
      isWriteCacheFixed: () => true,
      isWriteProtectFixed: true,
    });
    this.#reservations.begin(this.unit);
    this.#paths = [...new Set([...nodes, self])].toSorted((a, b) => a - b).map(unavailable);
    this.#toldPaths = textOf(this.#paths);
    this.#toldBlocks = device.geometry.blockCount;
    this.#toldCache = device.writeCache;
  }

  attach(node: MirrorNode): void {
    this.#node = node;
    this.onChanged();
  }

  detach(): void {
    this.#node = undefined;
    this.onChanged();
  }

  /** `MirrorPorts.onDocument` of the node. */
  onDocument(name: DocumentName, bytes: Uint8Array | undefined): void {
    if (name === 'reservations') void this.#reservations.told(bytes);
  }

  /** `MirrorPorts.onChanged` of the node, or the geometry has changed. Initiators hear of each change once. */
  onChanged(): void {
    const { role, configuration } = this.#node?.state ?? {};
    if (role === 'serving') this.#reservations.portsAre(configuration!.members);
    const { blockCount } = this.unit.device.geometry;
    if (blockCount !== this.#toldBlocks) {
      this.#toldBlocks = blockCount;
      raiseOnAll(this.unit, 'capacityDataChanged');
    }
    // While nobody serves nothing is cached; what holds then is told.
    const { writeCache } = this.unit.device;
    if (role === 'serving' && writeCache !== this.#toldCache) {
      this.#toldCache = writeCache;
      raiseOnAll(this.unit, 'modeParametersChanged');
    }
    const paths = this.#pathsNow();
    // Commands wait until it is known what comes of it.
    if (paths.some(({ state }) => state === 'transitioning')) return this.#lookLater();
    const text = textOf(paths);
    if (text === this.#toldPaths) return;
    this.#toldPaths = text;
    raiseOnAll(this.unit, 'asymmetricAccessStateChanged');
  }

  /** Nothing begins by itself any more. */
  close(): void {
    this.#node = undefined;
    this.#reservations.close();
  }

  /** Nobody tells when a transition has taken too long. */
  #lookLater(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#options.clock.after(TRANSITION_MS_MAX, () => {
      this.#isLooking = false;
      if (this.#node !== undefined) this.onChanged();
    });
  }

  #pathsNow(): readonly PathGroup[] {
    const { self } = this.#options;
    const own = unavailable(self);
    const paths = this.#node?.state.paths;
    if (paths === undefined) this.#paths = this.#paths.map((group) => (group.node === self ? own : group));
    // Initiators look for the group of the port that they ask, whether its node has a copy or not.
    else
      this.#paths = paths.some(({ node }) => node === self)
        ? paths
        : [...paths, own].toSorted((a, b) => a.node - b.node);
    return this.#paths;
  }

  #availability(): Availability {
    const { membership } = this.#node ?? {};
    if (membership === undefined || !this.#reservations.isReadable) return 'unavailable';
    if (membership.mayServe()) return 'serving';
    // The lease is about to be granted, or to end the configuration.
    if (membership.role === 'serving') return 'transitioning';
    if (membership.role !== 'sealed') return 'unavailable';
    const own = this.#pathsNow().find(({ node }) => node === membership.self);
    return own?.state === 'transitioning' ? 'transitioning' : 'unavailable';
  }

  #portGroups(): TargetPortGroups {
    const groups = this.#pathsNow().map(({ node, state, isPreferred }) => ({
      group: node,
      state: ACCESS[state],
      preferred: isPreferred,
      status: GroupStatus.BY_IMPLICIT_TRANSITION,
      ports: [node],
    }));
    return { groups, implicitTransitionSeconds: IMPLICIT_TRANSITION_SECONDS };
  }
}

function unavailable(node: number): PathGroup {
  return { node, state: 'unavailable', isPreferred: false };
}

function textOf(paths: readonly PathGroup[]): string {
  return paths.map(({ node, state, isPreferred }) => `${node} ${state} ${isPreferred}`).join();
}
