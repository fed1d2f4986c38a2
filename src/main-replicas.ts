/** `lockstep replica …`: asks the node that runs with a state directory, and prints what has become of it. */

import type { ReplicaChange } from './engine/replicas.ts';
import { directoryOf, tell } from './main-devices.ts';
import type { Asking } from './management/cli/device-commands.ts';
import type { ReplicaActions } from './management/cli/replica-commands.ts';
import { askDevice } from './management/control/client.ts';

export const replicaActions: ReplicaActions = {
  addReplica: (device, node, options) =>
    change('add', device, node, {
      options,
      done: `Node ${node} has a copy of device ${device} that is being brought up to date: see lockstep device show ${device}.\n`,
    }),
  removeReplica: (device, node, options) =>
    change('remove', device, node, {
      options,
      done: `Node ${node} has no copy of device ${device} any more. Its files stay there, and count for nothing.\n`,
    }),
};

async function change(
  kind: ReplicaChange,
  device: string,
  node: string,
  { options, done }: { readonly options: Asking; readonly done: string },
): Promise<void> {
  const changed = await askDevice(directoryOf(options), device, { kind: 'replica', change: kind, node });
  const answer = changed.ok ? { ok: true as const, value: { device, node, change: kind } } : changed;
  tell<unknown>(options, answer, () => done);
}
