/** What a started node says on standard output: for people, or as one line of JSON for programs. */

import { formatSize } from '../../base/units.ts';
import type { Started } from '../supervisor.ts';
import type { NodePlan } from '../plan.ts';

/** `pids`: supervisor, control, engines. */
export function readyLine(started: Started): string {
  const { portals, targets } = started;
  return `${JSON.stringify({ ready: true, portals, targets, pids: [process.pid, ...started.pids] })}\n`;
}

export function readyText(plan: NodePlan, started: Started): string {
  const devices = new Map(plan.devices.map((device) => [device.name, device]));
  const specs = started.specs.flatMap((spec) => spec.targets);
  const lines = [`Portals   ${started.portals.join('  ')}`];
  for (const target of specs) {
    lines.push(`Target    ${target.name}${target.chap === undefined ? '' : '  (CHAP)'}`);
    for (const { lun, device: name } of target.luns) {
      const device = devices.get(name)!;
      const length = device.length === undefined ? '' : `  ${formatSize(device.length)}`;
      const kind = device.kind === 'ram' ? 'RAM' : device.name;
      lines.push(`  LUN ${lun}   ${kind}${length}${device.readOnly ? '  read-only' : ''}`);
    }
  }
  const portal = reachable(started.portals[0]!);
  lines.push('', 'From a Linux initiator:', `  iscsiadm -m discovery -t sendtargets -p ${portal}`);
  for (const target of specs) {
    const node = `  iscsiadm -m node -T ${target.name} -p ${portal}`;
    const user = target.chap?.users[0]?.user;
    if (user !== undefined) {
      lines.push(
        `${node} -o update -n node.session.auth.authmethod -v CHAP \\`,
        `    -n node.session.auth.username -v ${user} -n node.session.auth.password -v SECRET`,
      );
    }
    lines.push(`${node} --login`);
  }
  lines.push('', 'Ctrl+C stops it.', '');
  return lines.join('\n');
}

/** Listening on every address, the initiator's own machine is one place to reach it from. */
function reachable(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:');
}
