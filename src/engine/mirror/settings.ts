/**
 * What an administrator changes of a device while it is served: a document of the device (docs/FORMATS.md, "Settings"),
 * so that it is one order with all else, and everywhere before it holds.
 */

import { fail, ok, type Result } from '../../base/result.ts';
import type { Stamp } from '../../replication/operation.ts';
import type { WritePolicy } from '../../replication/ports.ts';
import type { KeptDocument } from './handover.ts';

export interface Settings {
  /** Data nodes, highest priority first. */
  readonly order: readonly number[];
  readonly policy: WritePolicy;
  /** Nodes whose paths initiators should use last. */
  readonly asides: readonly number[];
  /** Percent of the device: a copy that lacks more of it is compared as a whole. 100: only what it lacks is looked at. */
  readonly fullResyncAbove: number;
}

export type SettingsFault = {
  readonly kind: 'invalidSettings';
  /** For people. */
  readonly reason: string;
};

const VERSION = 1;
const HEADER = 8;
export const PERCENT_MAX = 100;
const POLICIES = ['through', 'back'] as const;

/** Version (1), policy (1), nodes in order (1), asides (1), limit (1), 3 zero; node ids (2 each): the order, then the asides. */
export function encodeSettings({ order, policy, asides, fullResyncAbove }: Settings): Uint8Array {
  const bytes = new Uint8Array(HEADER + 2 * (order.length + asides.length));
  const view = new DataView(bytes.buffer);
  const limit = fullResyncAbove === PERCENT_MAX ? 0 : fullResyncAbove;
  bytes.set([VERSION, POLICIES.indexOf(policy), order.length, asides.length, limit]);
  for (const [at, node] of [...order, ...asides].entries()) view.setUint16(HEADER + 2 * at, node);
  return bytes;
}

export function settingsDocument(settings: Settings, revision: Stamp): KeptDocument {
  return { name: 'settings', revision, bytes: encodeSettings(settings) };
}

/** Undefined: none, or of a later program. */
export function decodeSettings(bytes: Uint8Array | undefined): Settings | undefined {
  if (bytes === undefined || bytes.length < HEADER || bytes[0] !== VERSION) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const policy = POLICIES[bytes[1]!];
  const [count, asides] = [bytes[2]!, bytes[3]!];
  if (policy === undefined || bytes.length !== HEADER + 2 * (count + asides)) return undefined;
  const nodes = Array.from({ length: count + asides }, (_, at) => view.getUint16(HEADER + 2 * at));
  const fullResyncAbove = bytes[4]! || PERCENT_MAX;
  return { order: nodes.slice(0, count), policy, asides: nodes.slice(count), fullResyncAbove };
}

/** What holds after a change of what held before; `nodes`: the data nodes of the device. */
export function changeSettings(
  before: Settings,
  change: Partial<Settings>,
  nodes: readonly number[],
): Result<Settings, SettingsFault> {
  const after = { ...before, ...change };
  if (!isPermutation(after.order, nodes)) return invalid('the order has to name every data node once');
  const asides = [...new Set(after.asides)];
  const stranger = asides.find((node) => !nodes.includes(node));
  if (stranger !== undefined) return invalid(`node ${stranger} holds no copy of the device`);
  const { fullResyncAbove: limit } = after;
  if (!Number.isInteger(limit) || limit < 1 || limit > PERCENT_MAX)
    return invalid('the share above which everything is compared has to be 1 to 100 %');
  return ok({ ...after, asides: asides.toSorted((a, b) => a - b) });
}

function isPermutation(order: readonly number[], nodes: readonly number[]): boolean {
  return order.length === nodes.length && nodes.every((node) => order.includes(node));
}

function invalid(reason: string): { readonly ok: false; readonly fault: SettingsFault } {
  return fail({ kind: 'invalidSettings', reason });
}
