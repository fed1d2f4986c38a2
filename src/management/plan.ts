/**
 * What one node serves, decided: from a configuration file or from the arguments of `export`, ready to be started.
 * A device lives in one engine, so targets that share a device share an engine; the groups are spread over the engines.
 */

import { createHash } from 'node:crypto';
import os from 'node:os';
import type {
  ClusterSpec,
  DeviceSpec,
  EngineSpec,
  Identity,
  KeepAliveSpec,
  TargetSpec,
  WitnessSpec,
} from '../engine/spec.ts';

export interface NodePlan {
  readonly name: string;
  readonly stateDirectory: string | undefined;
  readonly portals: readonly PortalPlan[];
  readonly engines: number;
  readonly keepAlive: KeepAliveSpec;
  readonly cluster: ClusterPlan | undefined;
  /** Bytes that all programs on this machine together may use. */
  readonly memory: number;
  readonly devices: readonly DeviceSpec[];
  readonly witnessed: readonly WitnessSpec[];
  readonly targets: readonly TargetSpec[];
}

export interface ClusterPlan extends ClusterSpec {
  /** Where partners reach this node: 'address:port'. */
  readonly listen: readonly string[];
}

export interface PortalPlan {
  /** Where to listen, as written: port 0 is not chosen yet. */
  readonly address: string;
  /** What discovery tells initiators, where that is another address; undefined: what is listened on. */
  readonly announce: readonly string[] | undefined;
}

/** All portals of a node form one portal group: any of them reaches the same targets. */
export const PORTAL_GROUP_TAG = 1;
/**
 * Others wait for what a dead initiator holds (SPC-2 reservations, half-written commands), so it is given up well before
 * Linux gives up commands that wait (120 s, its replacement_timeout). One that lives answers at once.
 */
export const DEFAULT_KEEP_ALIVE: KeepAliveSpec = { pingAfterSeconds: 10, deadAfterSeconds: 15 };
/** NAA 6 designators of ours carry a locally administered company identifier (IEEE 802-2014 §8.2.2). */
const NAA_COMPANY_ID = '024c53';

/**
 * Names of a device, the same whenever the same `parts` are given: initiators recognise a disk by them, so two disks
 * must never share them and one disk must never change them.
 */
export function identityOf(parts: readonly string[], serial: string | undefined): Identity {
  const hash = createHash('sha256')
    .update(['lockstep device', ...parts].join('\0'))
    .digest('hex');
  return { naa: `6${NAA_COMPANY_ID}${hash.slice(0, 25)}`, serial: serial ?? hash.slice(0, 16).toUpperCase() };
}

/** The engine of each target, by name; targets bound by a shared device come together. */
function assignTargets(targets: readonly TargetSpec[], engines: number): ReadonlyMap<string, number> {
  const assigned = new Map<string, number>();
  const load = Array.from({ length: engines }, () => 0);
  for (const group of groupsOf(targets)) {
    const engine = load.indexOf(Math.min(...load));
    for (const target of group) {
      assigned.set(target.name, engine);
      load[engine]! += Math.max(target.luns.length, 1);
    }
  }
  return assigned;
}

/** Targets reachable from each other by shared devices, in the order of their first target. */
function groupsOf(targets: readonly TargetSpec[]): readonly (readonly TargetSpec[])[] {
  let groups: { readonly devices: Set<string>; readonly targets: TargetSpec[] }[] = [];
  for (const target of targets) {
    const devices = target.luns.map((lun) => lun.device);
    const touching = groups.filter((group) => devices.some((device) => group.devices.has(device)));
    const merged = {
      devices: new Set([...touching.flatMap((group) => [...group.devices]), ...devices]),
      targets: [...touching.flatMap((group) => group.targets), target],
    };
    const place = touching[0] === undefined ? groups.length : groups.indexOf(touching[0]);
    const others = groups.filter((group) => !touching.includes(group));
    groups = [...others.slice(0, place), merged, ...others.slice(place)];
  }
  return groups.map((group) => group.targets);
}

/** The engines' specifications once the portals' ports are known. `bound`: the address of each of `plan.portals`. */
export function engineSpecs(plan: NodePlan, bound: readonly string[]): readonly EngineSpec[] {
  const announced = new Map(
    plan.portals.map(({ address, announce }, index) => [address, announce ?? reachableAt(bound[index]!)]),
  );
  const targets = plan.targets.map((target) => ({
    ...target,
    portals: target.portals.flatMap((portal) => announced.get(portal) ?? []),
  }));
  const owners = assignTargets(targets, plan.engines);
  return Array.from({ length: plan.engines }, (_, engine) => {
    const own = targets.filter((target) => owners.get(target.name) === engine);
    const used = new Set(own.flatMap((target) => target.luns.map((lun) => lun.device)));
    return {
      engine,
      incarnation: 0,
      stateDirectory: plan.stateDirectory,
      keepAlive: plan.keepAlive,
      cluster: plan.cluster,
      devices: plan.devices.filter((device) => used.has(device.name)),
      // Voting is no work; which engine does it does not matter.
      witnessed: engine === 0 ? plan.witnessed : [],
      targets: own,
      announced: engine === 0 ? targets.filter((target) => owners.get(target.name) !== 0) : [],
    };
  });
}

/** Who listens on every address is announced with each that others can reach. */
function reachableAt(bound: string): readonly string[] {
  const wildcard = /^(0\.0\.0\.0|\[::\]):(\d+)$/.exec(bound);
  if (wildcard === null) return [bound];
  const families = wildcard[1] === '0.0.0.0' ? ['IPv4'] : ['IPv4', 'IPv6'];
  const own = Object.values(os.networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, address }) => families.includes(family) && !/^fe80:/i.test(address));
  const outer = own.filter((address) => !address.internal);
  return (outer.length > 0 ? outer : own).map(({ family, address }) =>
    family === 'IPv6' ? `[${address}]:${wildcard[2]}` : `${address}:${wildcard[2]}`,
  );
}
