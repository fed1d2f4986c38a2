/** What a demo cluster says when it is ready: for people, or as one line of JSON for programs. */

import { formatSize } from '../../base/units.ts';
import type { NodeStatus } from '../control/status.ts';

export interface RunningNode {
  readonly name: string;
  readonly portals: readonly string[];
  readonly target: string | undefined;
  /** Where its control process answers. */
  readonly management: string;
  /** Supervisor first. */
  readonly pids: readonly number[];
}

export interface RunningDevice {
  readonly name: string;
  readonly bytes: number;
  readonly naa: string;
  readonly members: readonly number[];
}

export function demoLine(nodes: readonly RunningNode[], device: RunningDevice): string {
  return `${JSON.stringify({ ready: true, nodes, device })}\n`;
}

export function demoText(nodes: readonly RunningNode[], device: RunningDevice): string {
  const lines = [`Device    ${device.name}  ${formatSize(device.bytes)}  naa.${device.naa}`, ''];
  for (const { name, portals, target, management, pids } of nodes) {
    lines.push(`Node      ${name}`, `  Portal  ${portals.join('  ') || 'none: it votes'}`);
    if (target !== undefined) lines.push(`  Target  ${target}`);
    lines.push(`  Status  lockstep status --state ${management}`, `  Pids    ${pids.join(' ')}`);
  }
  lines.push('', 'Both paths, from a Linux initiator:');
  for (const { portals, target } of nodes) {
    if (target === undefined) continue;
    lines.push(
      `  iscsiadm -m discovery -t sendtargets -p ${portals[0]}`,
      `  iscsiadm -m node -T ${target} -p ${portals[0]} --login`,
    );
  }
  lines.push('', 'Kill a node (its first pid) and nothing happens. Ctrl+C stops all.', '');
  return lines.join('\n');
}

/** The device when every copy is a member and every node with one serves; undefined before. */
export function synchronized(
  statuses: readonly (NodeStatus | undefined)[],
  name: string,
  copies: number,
): RunningDevice | undefined {
  const parts = statuses.flatMap((status) =>
    (status?.engines ?? []).flatMap(({ devices }) => devices.filter((device) => device.name === name)),
  );
  const [first] = parts;
  const isServed = parts.every(
    ({ mirror }) => mirror?.isServing === true && mirror.members.length === copies,
  );
  if (first?.mirror === undefined || parts.length < copies || !isServed) return undefined;
  return { name, bytes: first.bytes, naa: first.naa, members: first.mirror.members };
}
