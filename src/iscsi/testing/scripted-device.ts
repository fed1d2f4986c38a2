/** A SCSI target device for tests: it only notes what it is given, and the test answers. */

import type { MaybeAsync } from '../../base/result.ts';
import type { Loan } from '../../ports/block-device.ts';
import type {
  Nexus,
  NexusEvents,
  NexusIdentity,
  ScsiTargetDevice,
  Task,
  TaskManagementFunction,
  TaskManagementResponse,
} from '../../ports/scsi-target.ts';

export class ScriptedDevice implements ScsiTargetDevice {
  readonly nexuses: ScriptedNexus[] = [];
  /** Called for each task; without it tasks wait for the test. */
  onTask: ((task: Task, nexus: ScriptedNexus) => void) | undefined;
  onData: ((task: Task, data: Uint8Array) => void) | undefined;
  manage: (request: TaskManagementFunction, nexus: ScriptedNexus) => MaybeAsync<TaskManagementResponse> = (
    request,
    nexus,
  ) => nexus.abort(request);
  /** What `close` of a nexus waits for. */
  closing: MaybeAsync<void> = undefined;

  openNexus(identity: NexusIdentity, events: NexusEvents): Nexus {
    const nexus = new ScriptedNexus(this, identity, events);
    this.nexuses.push(nexus);
    return nexus;
  }

  get last(): ScriptedNexus {
    return this.nexuses[this.nexuses.length - 1]!;
  }
}

class ScriptedNexus implements Nexus {
  readonly identity: NexusIdentity;
  readonly events: NexusEvents;
  readonly tasks: Task[] = [];
  readonly managed: TaskManagementFunction[] = [];
  isClosed = false;
  private readonly device: ScriptedDevice;
  private readonly live = new Set<Task>();

  constructor(device: ScriptedDevice, identity: NexusIdentity, events: NexusEvents) {
    this.device = device;
    this.identity = identity;
    this.events = events;
  }

  submit(task: Task): void {
    this.tasks.push(task);
    this.live.add(task);
    this.device.onTask?.(task, this);
  }

  dataOutReceived(task: Task, segments: readonly Uint8Array[]): void {
    const data = new Uint8Array(segments.reduce((sum, segment) => sum + segment.length, 0));
    let at = 0;
    for (const segment of segments) {
      data.set(segment, at);
      at += segment.length;
    }
    this.device.onData?.(task, data);
  }

  manage(request: TaskManagementFunction): MaybeAsync<TaskManagementResponse> {
    this.managed.push(request);
    return this.device.manage(request, this);
  }

  close(): MaybeAsync<void> {
    this.isClosed = true;
    this.abandonAll();
    return this.device.closing;
  }

  abort(request: TaskManagementFunction): TaskManagementResponse {
    if (request.kind !== 'abortTask') {
      this.abandonAll();
      return 'complete';
    }
    for (const task of this.live) {
      if (task.tag !== request.tag) continue;
      this.live.delete(task);
      task.abandoned();
      return 'complete';
    }
    return 'taskDoesNotExist';
  }

  finish(task: Task, status: Parameters<Task['complete']>[0], data?: Uint8Array, sense?: Uint8Array): void {
    this.live.delete(task);
    task.complete(status, sense, data === undefined ? undefined : loanOf(data));
  }

  private abandonAll(): void {
    const tasks = [...this.live];
    this.live.clear();
    for (const task of tasks) task.abandoned();
  }
}

/** Loans that were not given back. */
export const outstandingLoans = { count: 0 };

function loanOf(data: Uint8Array): Loan {
  outstandingLoans.count++;
  return {
    segments: [data],
    release: () => {
      outstandingLoans.count--;
    },
  };
}
