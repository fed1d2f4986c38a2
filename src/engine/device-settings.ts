/** Changing settings of a mirrored device, with names in place of the core's numbers. */

import { fail, ok, type Result } from '../base/result.ts';
import type { WritePolicy } from '../replication/ports.ts';
import { faultText } from './mirror/fault-text.ts';
import type { MirrorNode } from './mirror/mirror-node.ts';
import type { Settings } from './mirror/settings.ts';
import { nodeNameOf, withNodeNames } from './node-names.ts';
import type { ClusterSpec } from './spec.ts';

/** Names of nodes with a copy; what is not there stays as it is. */
export interface SettingsChange {
  /** Who comes first, highest priority first; those that are not named follow in the order that they have. */
  readonly priority?: readonly string[];
  readonly writePolicy?: WritePolicy;
  /** Whose paths initiators should use last. */
  readonly aside?: readonly string[];
  /** Percent, 1 to 100: a copy that lacks more of the device is compared as a whole. */
  readonly fullResyncAbove?: number;
}

/** All settings of a device. */
export type NamedSettings = Required<SettingsChange>;

export interface SettingsChanged {
  readonly before: NamedSettings;
  readonly after: NamedSettings;
}

/**
 * Answers when all members act on it, and others will when they are back. The fault is a clause: nothing has changed, unless
 * it says otherwise.
 */
export async function changeSettings(
  node: MirrorNode,
  change: SettingsChange,
  cluster: ClusterSpec,
): Promise<Result<SettingsChanged, string>> {
  const { settings, membership } = node;
  const wanted = numbersOf(change, settings.order, cluster);
  if (!wanted.ok) return wanted;
  if (!membership.mayServe())
    return fail('the node that was asked does not serve it now: ask another one, or try again later');
  const before = namesIn(settings, cluster);
  const ticket = { arrivedAt: membership.ports.clock.now(), isAlive: () => true };
  return new Promise((resolve) => {
    node.changeSettings(ticket, wanted.value, (result) => {
      if (result.ok) return resolve(ok({ before, after: namesIn(node.settings, cluster) }));
      const { fault } = result;
      if (fault.kind === 'invalidSettings') return resolve(fail(withNodeNames(cluster, fault.reason)));
      const why = fault.kind === 'unavailable' ? fault.reason : faultText(fault);
      return resolve(fail(`${why}; look what it has with lockstep device show before you try again`));
    });
  });
}

function numbersOf(
  { priority, writePolicy, aside, fullResyncAbove }: SettingsChange,
  order: readonly number[],
  cluster: ClusterSpec,
): Result<Partial<Settings>, string> {
  const numbers = new Map(order.map((node) => [nodeNameOf(cluster, node), node]));
  const stranger = [...(priority ?? []), ...(aside ?? [])].find((name) => !numbers.has(name));
  if (stranger !== undefined)
    return fail(`no node ${stranger} has a copy of it; there are ${[...numbers.keys()].join(', ')}`);
  const first = [...new Set(priority)].map((name) => numbers.get(name)!);
  return ok({
    ...(priority === undefined
      ? {}
      : { order: [...first, ...order.filter((node) => !first.includes(node))] }),
    ...(writePolicy === undefined ? {} : { policy: writePolicy }),
    ...(aside === undefined ? {} : { asides: aside.map((name) => numbers.get(name)!) }),
    ...(fullResyncAbove === undefined ? {} : { fullResyncAbove }),
  });
}

function namesIn(settings: Settings, cluster: ClusterSpec): NamedSettings {
  const { order, policy, asides, fullResyncAbove } = settings;
  const names = (nodes: readonly number[]): string[] => nodes.map((node) => nodeNameOf(cluster, node));
  return { priority: names(order), writePolicy: policy, aside: names(asides), fullResyncAbove };
}
