/**
 * The reservations of a mirrored unit, as one of its nodes keeps them: the machine of step.ts decides on what all nodes
 * share, and every node is told of what was decided, raises its unit attentions and aborts its tasks.
 *
 *   PERSISTENT RESERVE OUT ──► decided while nothing of the unit changes anywhere ──► told to all ──► GOOD
 *   read, conflict ──► looked at ──► no other node has changed it meanwhile ──► answered
 *
 * A reset of the unit is such a change, too, so that an SPC-2 reservation ends together with all tasks. An SPC-2 reservation
 * ends with its nexus, and with the node of its nexus.
 *
 * Invariants
 *  1. The state here is that of the last change that this node was told of; while it serves, tasks that begin at the device
 *     begin after whatever change was answered.
 *  2. What ended with a nexus is released before anything else is decided here, so that it never takes away what the same
 *     nexus reserved later.
 */

import { isSame } from '../../base/segments.ts';
import { assert } from '../../base/assert.ts';
import { fail, type MaybeAsync, ok, type Result, then } from '../../base/result.ts';
import type { DeviceFault, Ticket } from '../../ports/block-device.ts';
import type { Clock } from '../../ports/clock.ts';
import type { SharedDocument } from '../../ports/shared-document.ts';
import type { Trace } from '../../ports/trace.ts';
import type { Command, Outcome, Request } from '../command.ts';
import { abortTasks } from '../execution.ts';
import type { LogicalUnit, ResetKind } from '../logical-unit.ts';
import type { NexusState } from '../nexus.ts';
import { deviceFault, GOOD } from '../outcome.ts';
import type { Fault } from '../sense.ts';
import { raise } from '../unit-attention.ts';
import { resetHere } from '../unit-reset.ts';
import { consequenceFor, type Effect, effectOf, NO_EFFECT, type SharedState } from './effect.ts';
import { HeldReservations, nameOf, type Seen, type Wanted } from './held.ts';
import { afterReset, withoutNexus } from './legacy.ts';
import { decodeShared, encodeShared } from './shared-record.ts';
import { isSameNexus, type NexusName, NOTHING_RESERVED, type ReservationState } from './state.ts';
import { step } from './step.ts';

export interface SharedReservationsOptions {
  readonly document: SharedDocument;
  /** Relative target port of the unit on this node. */
  readonly ownPort: number;
  readonly clock: Clock;
  readonly trace: Trace;
}

const NOTHING_SHARED: SharedState = { number: 0, resets: 0, state: NOTHING_RESERVED, effect: NO_EFFECT };
/** A release that could not be made is tried again. */
const RELEASE_AGAIN_MS = 1000;
const UNREADABLE: DeviceFault = { kind: 'unavailable', reason: 'its reservations cannot be read' };

type Change = Pick<SharedState, 'state' | 'effect'>;

export class SharedReservations extends HeldReservations {
  readonly persistence = 'always';
  readonly #options: SharedReservationsOptions;
  #unit: LogicalUnit | undefined;
  #shared = NOTHING_SHARED;
  #isTold = false;
  /** What was told last; undefined: that there is nothing yet. */
  #told: Uint8Array | undefined;
  /** What aborts by the last change wait for. */
  #ending: MaybeAsync<void> = undefined;
  #isReadable = true;
  /** Nexuses whose SPC-2 reservation has ended and is not released yet. */
  readonly #lost = new Set<NexusName>();
  #isReleasing = false;
  #isClosed = false;

  constructor(options: SharedReservationsOptions) {
    super(NOTHING_RESERVED);
    this.#options = options;
  }

  /** The unit whose reservations they are, before anybody uses it. */
  begin(unit: LogicalUnit): void {
    assert(this.#unit === undefined, 'reservations begin once');
    this.#unit = unit;
  }

  /** What was told last makes sense here: it is not of a later program. */
  get isReadable(): boolean {
    return this.#isReadable;
  }

  async perform(request: Request, wanted: Wanted): Promise<Result<Outcome, Fault>> {
    let answer: Result<Outcome, Fault> = GOOD;
    const by = nameOf(request.nexus);
    const changed = await this.#change(this.#ticketOf(request), (state) => {
      // Aborted while it waited: nobody is told what it would have become.
      if (request.aborted) return undefined;
      const asked = wanted(state);
      if (!asked.ok) {
        answer = asked;
        return undefined;
      }
      const decision = step(state, asked.value);
      if (decision.fault !== undefined) answer = fail(decision.fault);
      if (decision.state === state) return undefined;
      return { state: decision.state, effect: effectOf(decision, by) };
    });
    return changed.ok ? answer : deviceFault(changed.fault);
  }

  async look(request: Request, seen: Seen): Promise<Result<Outcome, Fault>> {
    let answer: Result<Outcome, Fault> = GOOD;
    const looked = await this.#options.document.current(this.#ticketOf(request), () => {
      answer = seen(this.state);
    });
    return looked.ok ? answer : deviceFault(looked.fault);
  }

  async conflictStands(request: Request, command: Command): Promise<Result<boolean, DeviceFault>> {
    let stands = true;
    const looked = await this.#options.document.current(this.#ticketOf(request), () => {
      stands = this.conflicts(request, command);
    });
    return looked.ok ? ok(stands) : looked;
  }

  nexusLost(nexus: NexusState): void {
    const name = nameOf(nexus);
    if (isLegacyHolder(this.state, name)) this.#lose(name);
  }

  resetUnit(kind: ResetKind, by: NexusState): Promise<Result<void, DeviceFault>> {
    const effect: Effect = { ...NO_EFFECT, by: nameOf(by), reset: kind };
    return this.#change(this.#ticket(), (state) => ({ state: afterReset(state), effect }));
  }

  /**
   * This is what all nodes share now, through whatever node it was changed; undefined: nothing, or nothing any more. Answers
   * when no task that the change aborts here can touch the medium any more. Begins nothing by itself.
   */
  told(bytes: Uint8Array | undefined): MaybeAsync<void> {
    if (isEqual(bytes, this.#told)) return this.#ending;
    this.#told = bytes;
    this.#ending = this.#learn(bytes);
    return this.#ending;
  }

  #learn(bytes: Uint8Array | undefined): MaybeAsync<void> {
    const decoded = sharedIn(bytes);
    this.#isReadable = decoded.ok;
    if (!decoded.ok) {
      this.#options.trace('error', 'scsi.reservations.unreadable', { cause: decoded.fault });
      return undefined;
    }
    const before = this.#shared;
    const after = decoded.value;
    this.#shared = after;
    this.enter(after.state);
    const { generation, registrations, reservation, legacyHolder } = after.state;
    this.#options.trace('info', 'scsi.reservations.changed', {
      by: after.effect.by?.initiatorPort,
      port: after.effect.by?.targetPort,
      generation,
      registrations: registrations.length,
      type: reservation?.type,
    });
    // What came before this node knew anything was not about its nexuses.
    const isNews = this.#isTold || after.number === 1;
    this.#isTold = true;
    const aborted = isNews ? this.#consequences(before, after) : undefined;
    if (legacyHolder?.targetPort === this.#options.ownPort && this.#openNexus(legacyHolder) === undefined)
      this.#lose(legacyHolder);
    return aborted;
  }

  /** The relative target ports of the nodes that have the unit now: what nexuses of others reserved (SPC-2) has ended. */
  portsAre(targetPorts: readonly number[]): void {
    const { legacyHolder } = this.state;
    if (legacyHolder !== undefined && !targetPorts.includes(legacyHolder.targetPort))
      this.#lose(legacyHolder);
  }

  /** The unit is served no more. */
  close(): void {
    this.#isClosed = true;
  }

  /** `decide`: from what is so, less what has ended, and what was told; undefined: nothing changes. */
  async #change(
    ticket: Ticket,
    decide: (state: ReservationState, shared: ReservationState) => Change | undefined,
  ): Promise<Result<void, DeviceFault>> {
    let made: Uint8Array | undefined;
    let isReadable = true;
    let released: readonly NexusName[] = [];
    const changed = await this.#options.document.change(ticket, (bytes) => {
      const before = sharedIn(bytes);
      isReadable = before.ok;
      if (!before.ok) return undefined;
      const { number, resets, state } = before.value;
      released = [...this.#lost];
      const decided = decide(released.reduce(withoutNexus, state), state);
      if (decided === undefined) return undefined;
      const isReset = decided.effect.reset !== undefined;
      made = encodeShared({
        ...decided,
        number: number + 1,
        resets: isReset ? (resets + 1) >>> 0 : resets,
      });
      return made;
    });
    if (!isReadable) return fail(UNREADABLE);
    if (!changed.ok || made === undefined) return changed;
    return then(this.told(made), () => {
      for (const name of released) this.#lost.delete(name);
      return changed;
    });
  }

  #consequences(before: SharedState, after: SharedState): MaybeAsync<void> {
    const unit = this.#unit!;
    const { effect } = after;
    const nexus = effect.by === undefined ? undefined : this.#openNexus(effect.by);
    const by = nexus ?? 'otherNode';
    const preempted = new Set<NexusState>();
    for (const link of unit.links) {
      const name = nameOf(link.nexus);
      const { attentions, aborts } = consequenceFor(name, before, after);
      for (const reason of attentions) raise(link, reason);
      if (aborts) preempted.add(link.nexus);
      if (this.#wasTakenFrom(name, before, after)) raise(link, 'nexusLoss');
    }
    if (after.resets !== before.resets) return resetHere(unit, effect.reset ?? 'unit', by);
    if (preempted.size === 0) return undefined;
    return abortTasks(unit, (task) => preempted.has(task.nexus), by);
  }

  /** Other nodes took its node for lost, and with it a nexus that lives on. */
  #wasTakenFrom(nexus: NexusName, before: SharedState, after: SharedState): boolean {
    return (
      after.effect.by === undefined &&
      isLegacyHolder(before.state, nexus) &&
      !isLegacyHolder(after.state, nexus) &&
      ![...this.#lost].some((lost) => isSameNexus(lost, nexus))
    );
  }

  #openNexus(name: NexusName): NexusState | undefined {
    for (const { nexus } of this.#unit!.links) if (isSameNexus(nameOf(nexus), name)) return nexus;
    return undefined;
  }

  #lose(name: NexusName): void {
    this.#lost.add(name);
    this.#release();
  }

  #release(): void {
    if (this.#isReleasing || this.#isClosed || this.#lost.size === 0) return;
    this.#isReleasing = true;
    let asked: readonly NexusName[] = [];
    const released = (): Promise<Result<void, DeviceFault>> =>
      this.#change(this.#ticket(), (state, shared) => {
        asked = [...this.#lost];
        return state === shared ? undefined : { state, effect: NO_EFFECT };
      });
    // Not while this node is being told of something.
    void Promise.resolve()
      .then(released)
      .then(({ ok: isDone }) => {
        this.#isReleasing = false;
        if (!isDone) return void this.#options.clock.after(RELEASE_AGAIN_MS, () => this.#release());
        for (const name of asked) this.#lost.delete(name);
        this.#release();
      });
  }

  /** Also of a command that conflicts. */
  #ticketOf(request: Request): Ticket {
    return { arrivedAt: request.arrivedAt, isAlive: () => !request.aborted && !request.nexus.closed };
  }

  /** Of what this node does by itself. */
  #ticket(): Ticket {
    return { arrivedAt: this.#options.clock.now(), isAlive: () => !this.#isClosed };
  }
}

function isLegacyHolder({ legacyHolder }: ReservationState, nexus: NexusName): boolean {
  return legacyHolder !== undefined && isSameNexus(legacyHolder, nexus);
}

function sharedIn(bytes: Uint8Array | undefined): Result<SharedState, string> {
  return bytes === undefined ? ok(NOTHING_SHARED) : decodeShared(bytes);
}

function isEqual(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : isSame(a, b);
}
