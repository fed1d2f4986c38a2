/**
 * One node's supervisor: owns the listening sockets, keeps one control and N engines running, and hands every
 * connection to the engine of its target.
 *
 *   start   listen → start control and engines → engines ready → accept logins → control answers, too
 *   stop    close the portals → drop unfinished logins → engines drain → control ends
 */

import type { LoginRouter, LoginRouterOptions } from '../engine/login-router.ts';
import type { PartnerRouter, PartnerRouterOptions } from '../engine/partner-router.ts';
import type { DeviceAnswer } from '../engine/device-commands.ts';
import type { FromEngine, StartFault, ToEngine } from '../engine/messages.ts';
import type { EngineSpec } from '../engine/spec.ts';
import type { OnWritingOut } from '../engine/storage-node.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Arrival, Child, Listen, Listener, SpawnChild } from '../ports/process.ts';
import type { RecordFile } from '../ports/record-file.ts';
import type { Trace } from '../ports/trace.ts';
import type { FromControl, ToControl } from './control/messages.ts';
import { CacheSizes } from './cache-sizes.ts';
import { CommandRelay } from './command-relay.ts';
import { type Keeper, keep } from './keeper.ts';
import { engineSpecs, type NodePlan } from './plan.ts';
import { WaitingLogins } from './waiting-logins.ts';

/**
 * A graceful stop takes at most this long, since it began or since the caches of an engine have last become emptier; then what
 * still runs is killed.
 */
export const STOP_MS_MAX = 10_000;
/** Of which engines may use this much to drain, so that they can still end by themselves. */
const DRAIN_MS_MAX = 8_000;
/** A start waits at most this long for control: I/O goes on without it. */
export const CONTROL_START_MS_MAX = 10_000;

export interface SupervisorOptions {
  readonly plan: NodePlan;
  readonly spawn: SpawnChild;
  readonly listen: Listen;
  readonly clock: Clock;
  readonly trace: Trace;
  readonly createRouter: (options: LoginRouterOptions) => LoginRouter;
  readonly createPartnerRouter: (options: PartnerRouterOptions) => PartnerRouter;
  /** Where sizes of caches are kept that were set while the node ran; undefined: nowhere. */
  readonly cacheRecord: RecordFile | undefined;
  /** A long step at the start, allocation of an image. */
  readonly onProgress: (device: string, done: number, total: number) => void;
  /** While the node stops: an engine's caches have so many bytes to write out, which takes about so many milliseconds. */
  readonly onWritingOut: OnWritingOut;
}

export interface Started {
  readonly portals: readonly string[];
  readonly targets: readonly string[];
  readonly specs: readonly EngineSpec[];
  /** Control and engines. */
  readonly pids: readonly number[];
}

export interface Supervisor {
  /** Answers once, when logins are accepted and the status can be asked for, or when logins cannot be. */
  start(): Promise<Result<Started, StartFault>>;
  /** Answers when every process has ended: false when some had to be killed. */
  stop(): Promise<boolean>;
  /** Kills what still runs. */
  kill(): void;
}

/** One engine as the supervisor sees it. */
interface Slot {
  readonly spec: EngineSpec;
  keeper: Keeper | undefined;
  ready: boolean;
  /** Bytes that its caches had to write out when it last told. */
  toWriteOut: number;
  readonly logins: WaitingLogins;
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  return new NodeSupervisor(options);
}

class NodeSupervisor implements Supervisor {
  readonly #options: SupervisorOptions;
  #listeners: readonly Listener[] = [];
  #slots: readonly Slot[] = [];
  #control: Keeper | undefined;
  #router: LoginRouter | undefined;
  #isStarted = false;
  #partnerRouter: PartnerRouter | undefined;
  #relay: CommandRelay | undefined;
  readonly #cacheSizes: CacheSizes;
  #stopping: Promise<boolean> | undefined;
  /** Kills what does not stop. */
  #stopBound: Timer | undefined;
  #hasKilled = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const { plan, cacheRecord: record, trace } = options;
    this.#cacheSizes = new CacheSizes({ devices: plan.devices, memory: plan.memory, record, trace });
  }

  async start(): Promise<Result<Started, StartFault>> {
    const { plan, listen, trace } = this.#options;
    const bound: Listener[] = [];
    this.#listeners = bound;
    const early: Arrival[] = [];
    for (const portal of plan.portals) {
      const listener = await listen(portal.address, (arrival) => {
        if (this.#router === undefined) early.push(arrival);
        else this.#router.arrive(arrival);
      });
      if (!listener.ok) return fail(listener.fault);
      bound.push(listener.value);
    }
    const portals = bound.map((listener) => listener.address);
    for (const address of plan.cluster?.listen ?? []) {
      const listener = await listen(address, (arrival) => {
        if (this.#partnerRouter === undefined) arrival.drop();
        else this.#partnerRouter.arrive(arrival);
      });
      if (!listener.ok) return fail(listener.fault);
      bound.push(listener.value);
    }
    await this.#cacheSizes.load();
    const targets = plan.targets.map((target) => target.name);
    const specs = engineSpecs(plan, portals);
    this.#relay = new CommandRelay(specs, (engine) => {
      const slot = this.#slots[engine];
      return slot?.ready === true ? slot.keeper?.child : undefined;
    });
    const controlStarted = this.#startControl(portals);
    // Engines come to serve with the help of their partners.
    if (plan.cluster !== undefined) this.#partnerRouter = this.#routePartners(specs);
    this.#slots = specs.map((spec) => this.#slotOf(spec));
    this.#router = this.#createRouter(specs);
    for (const arrival of early) this.#router.arrive(arrival);
    const fault = await this.#startEngines();
    if (fault !== undefined) return fail(fault);
    this.#isStarted = true;
    await controlStarted;
    trace('info', 'node.ready', { portals, targets });
    return ok({ portals, targets, specs, pids: this.#children().map((child) => child.pid) });
  }

  stop(): Promise<boolean> {
    return (this.#stopping ??= this.#stopInOrder());
  }

  kill(): void {
    for (const child of this.#children()) child.kill('SIGKILL');
  }

  async #stopInOrder(): Promise<boolean> {
    const { trace } = this.#options;
    trace('info', 'node.stopping');
    this.#boundStop();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    this.#router?.stop();
    for (const { logins } of this.#slots) logins.stop();
    this.#partnerRouter?.stop();
    trace('info', 'portals.closed');
    const drain: ToEngine = { kind: 'drain', withinMs: DRAIN_MS_MAX };
    await Promise.all(this.#slots.map((slot) => end(slot.keeper, drain)));
    const stop: ToControl = { kind: 'stop' };
    await end(this.#control, stop);
    this.#stopBound?.cancel();
    const killed = this.#hasKilled;
    trace(killed ? 'error' : 'info', 'node.stopped', { killed });
    return !killed;
  }

  /** From now on. */
  #boundStop(): void {
    this.#stopBound?.cancel();
    this.#stopBound = this.#options.clock.after(STOP_MS_MAX, () => {
      this.#hasKilled = true;
      this.kill();
    });
  }

  #children(): readonly Child[] {
    const keepers = [this.#control, ...this.#slots.map((slot) => slot.keeper)];
    return keepers.flatMap((keeper) => keeper?.child ?? []);
  }

  /** Resolves when control is ready, or has once ended, or takes too long. */
  #startControl(portals: readonly string[]): Promise<void> {
    const { plan, spawn, clock, trace } = this.#options;
    const start: ToControl = {
      kind: 'start',
      node: plan.name,
      stateDirectory: plan.stateDirectory,
      portals,
      targets: plan.targets.map(({ name, alias, luns }) => ({ name, alias, luns })),
    };
    return new Promise((resolve) => {
      const limit = clock.after(CONTROL_START_MS_MAX, () => {
        trace('warn', 'control.slow', { waitedMs: CONTROL_START_MS_MAX });
        resolve();
      });
      const settle = (): void => {
        limit.cancel();
        resolve();
      };
      this.#control = keep({
        role: 'control',
        index: 0,
        spawn,
        clock,
        trace,
        onStarted: (child) => child.send(start),
        onMessage: (raw) => {
          const message = raw as FromControl;
          if (message.kind === 'ready') settle();
          else this.#command(message);
        },
        onEnded: settle,
      });
    });
  }

  #command({ id, device, command }: Extract<FromControl, { kind: 'command' }>): void {
    const asking = this.#control?.child;
    const reply = (answer: DeviceAnswer): void =>
      asking?.send({ kind: 'answer', id, answer } satisfies ToControl);
    if (command.kind !== 'setCache') return this.#relay!.ask(device, command, reply);
    const resize = (): Promise<DeviceAnswer> =>
      new Promise((resolve) => this.#relay!.ask(device, command, resolve));
    void this.#cacheSizes.change(device, command.bytes, resize).then(reply);
  }

  #slotOf(spec: EngineSpec): Slot {
    const { clock, trace } = this.#options;
    const logins = new WaitingLogins(clock, ({ remoteAddress }) =>
      trace('warn', 'login.engineAway', { engine: spec.engine, source: remoteAddress }),
    );
    return { spec, keeper: undefined, ready: false, toWriteOut: Infinity, logins };
  }

  /** Resolves when each engine is ready, or with the first fault. */
  #startEngines(): Promise<StartFault | undefined> {
    return new Promise((resolve) => {
      const settle = (fault: StartFault | undefined): void => {
        if (fault !== undefined || this.#slots.every((slot) => slot.ready)) resolve(fault);
      };
      for (const slot of this.#slots) slot.keeper = this.#keepEngine(slot, settle);
    });
  }

  /** `settle` is told of every start that succeeds or fails; only the first round is listened to. */
  #keepEngine(slot: Slot, settle: (fault: StartFault | undefined) => void): Keeper {
    const { spawn, clock, trace } = this.#options;
    const { engine } = slot.spec;
    return keep({
      role: 'engine',
      index: engine,
      spawn,
      clock,
      trace,
      onStarted: (child, incarnation) => {
        const devices = this.#cacheSizes.appliedTo(slot.spec.devices);
        const start: ToEngine = { kind: 'start', spec: { ...slot.spec, incarnation, devices } };
        child.send(start);
      },
      onMessage: (message) => this.#fromEngine(slot, message as FromEngine, settle),
      onEnded: (exit) => {
        slot.ready = false;
        this.#toControl({ kind: 'engineEnded', engine });
        this.#relay?.engineEnded(engine);
        const how = exit.signal ?? `status ${exit.status ?? 'unknown'}`;
        settle({
          reason: 'system',
          message: `Engine ${engine} ended (${how}) while it started; see the log.`,
        });
      },
    });
  }

  #fromEngine(slot: Slot, message: FromEngine, settle: (fault: StartFault | undefined) => void): void {
    const { trace, onProgress, onWritingOut } = this.#options;
    switch (message.kind) {
      case 'progress':
        onProgress(message.device, message.done, message.total);
        return;
      case 'ready':
        slot.ready = true;
        slot.logins.handOver();
        settle(undefined);
        return;
      case 'refused':
        // At the start the command itself tells the user.
        trace(this.#isStarted ? 'error' : 'info', 'engine.refused', {
          index: slot.spec.engine,
          ...message.fault,
        });
        settle(message.fault);
        return;
      case 'statistics':
        this.#toControl({ kind: 'statistics', statistics: message.statistics });
        return;
      case 'answer':
        this.#relay?.answered(message.id, message.answer);
        return;
      case 'writingOut':
        if (message.bytes < slot.toWriteOut && !this.#hasKilled) this.#boundStop();
        slot.toWriteOut = message.bytes;
        onWritingOut(message.bytes, message.forecastMs);
        return;
      case 'drained':
        trace('info', 'engine.drained', { index: slot.spec.engine });
        return;
    }
  }

  #toControl(message: ToControl): void {
    this.#control?.child?.send(message);
  }

  #routePartners(specs: readonly EngineSpec[]): PartnerRouter {
    const { createPartnerRouter, clock, trace } = this.#options;
    const owners = new Map<string, number>();
    for (const { engine, devices, witnessed } of specs) {
      for (const device of devices) if (device.kind === 'mirror') owners.set(device.id, engine);
      for (const { id } of witnessed) owners.set(id, engine);
    }
    return createPartnerRouter({
      clock,
      trace,
      ownerOf: (device) => owners.get(device),
      handOver: (engine, arrival, head) => {
        const child = this.#slots[engine]?.keeper?.child;
        // It tries again; by then the engine may be back.
        if (child === undefined) return arrival.drop();
        child.handOver({ kind: 'partner', head } satisfies ToEngine, arrival);
      },
    });
  }

  #createRouter(specs: readonly EngineSpec[]): LoginRouter {
    const { createRouter, clock, trace } = this.#options;
    const owners = new Map(
      specs.flatMap((spec) => spec.targets.map((target) => [target.name, spec.engine] as const)),
    );
    return createRouter({
      clock,
      trace,
      ownerOf: (targetName) => (targetName === undefined ? 0 : (owners.get(targetName) ?? 0)),
      handOver: (engine, arrival, head, answered) => {
        const slot = this.#slots[engine];
        if (slot === undefined) return arrival.drop();
        const handOver = (): void =>
          slot.keeper?.child?.handOver({ kind: 'connection', head, answered } satisfies ToEngine, arrival);
        if (slot.ready) handOver();
        else slot.logins.add(arrival, handOver);
      },
    });
  }
}

async function end(keeper: Keeper | undefined, message: ToEngine | ToControl): Promise<void> {
  if (keeper === undefined) return;
  const ended = keeper.release();
  keeper.child?.send(message);
  await ended;
}
