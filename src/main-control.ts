/** The control process: keeps the node's state together and answers administrators. I/O goes on without it. */

import type { DeviceAnswer, DeviceCommand } from './engine/device-commands.ts';
import type { EngineStatistics } from './engine/statistics.ts';
import type { FromControl, ToControl } from './management/control/messages.ts';
import { type ControlServer, serveControl } from './management/control/server.ts';
import type { NodeStatus } from './management/control/status.ts';
import { createLog, levelOfChildren } from './runtime/log.ts';
import { connectParent } from './runtime/parent.ts';

export function runControl(): void {
  process.title = 'lockstep control';
  const trace = createLog(levelOfChildren(), 'control');
  const engines = new Map<number, EngineStatistics>();
  let status: NodeStatus | undefined;
  let server: ControlServer | undefined;

  const asked = new Map<number, (answer: DeviceAnswer) => void>();
  const command = (device: string, wanted: DeviceCommand): Promise<DeviceAnswer> =>
    new Promise((resolve) => {
      const id = asked.size === 0 ? 1 : Math.max(...asked.keys()) + 1;
      asked.set(id, resolve);
      parent.send({ kind: 'command', id, device, command: wanted } satisfies FromControl);
    });
  const leave = (): void => {
    server?.close();
    parent.disconnect();
    process.exit(0);
  };
  const parent = connectParent({
    onMessage: (raw) => {
      const message = raw as ToControl;
      switch (message.kind) {
        case 'start': {
          const { node, portals, targets, stateDirectory } = message;
          status = { node, pid: process.ppid, portals, targets, engines: [] };
          const current = (): NodeStatus => ({ ...status!, engines: [...engines.values()] });
          if (stateDirectory !== undefined)
            server = serveControl(stateDirectory, { status: current, command }, trace);
          const ready: FromControl = { kind: 'ready' };
          void Promise.resolve(server?.ready).then(() => parent.send(ready));
          return;
        }
        case 'statistics':
          engines.set(message.statistics.engine, message.statistics);
          return;
        case 'engineEnded':
          engines.delete(message.engine);
          return;
        case 'answer':
          asked.get(message.id)?.(message.answer);
          asked.delete(message.id);
          return;
        case 'stop':
          leave();
          return;
      }
    },
    onOrphaned: leave,
  });
}
