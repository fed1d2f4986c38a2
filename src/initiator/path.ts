/**
 * One path to a logical unit: a portal and a target, at most one session on it, and a checker.
 *
 *   down ──connect, login──► checking ──the unit, ready──► usable ◄──ready again── failed
 *    ▲                          │                             └──"not ready"──► ▲
 *    └──────────────────────────┴──────────── session over ─────────────────────┘
 */

import type { Result } from '../base/result.ts';
import type { ByteStream } from '../ports/byte-stream.ts';
import type { Clock } from '../ports/clock.ts';
import type { Crc32c } from '../ports/crypto.ts';
import {
  type AccessState,
  type Capacity,
  capacityIn,
  groupsIn,
  identityIn,
  inquireIdentity,
  readCapacity,
  reportTargetPortGroups,
  type ScsiRequest,
  testUnitReady,
  type UnitIdentity,
} from './commands.ts';
import { type Done, Session, type SessionTimes } from './session.ts';
import { describe, type ScsiAnswer, verdictOf } from './verdict.ts';

export interface PathAddress {
  /** 'address:port' */
  readonly portal: string;
  readonly targetName: string;
}

export interface PathTimes extends SessionTimes {
  readonly connectMsMax: number;
  readonly reconnectMs: number;
  /** The path checker: TEST UNIT READY on every path. */
  readonly checkEveryMs: number;
}

export interface PathPorts {
  readonly clock: Clock;
  readonly crc32c: Crc32c;
  connect(portal: string, withinMs: number): Promise<Result<ByteStream, string>>;
}

export interface PathEvents {
  /** False: another unit than on other paths. */
  onUnit(unit: string, capacity: Capacity): boolean;
  onUsable(): void;
  onState(path: Path, state: PathState, why: string): void;
}

export interface PathOptions {
  readonly address: PathAddress;
  readonly initiatorName: string;
  readonly isid: { readonly random: number; readonly qualifier: number };
  readonly times: PathTimes;
  readonly ports: PathPorts;
  readonly events: PathEvents;
}

export type PathState = 'down' | 'checking' | 'usable' | 'failed';

/** Unit attentions are told one at a time. */
const ASK_AGAIN_MAX = 8;

export class Path {
  readonly address: PathAddress;
  readonly #options: PathOptions;
  #state: PathState = 'down';
  #session: Session | undefined;
  #identity: UnitIdentity | undefined;
  #groups: ReadonlyMap<number, AccessState> = new Map();
  #isChecking = false;
  #isClosed = false;

  constructor(options: PathOptions) {
    this.address = options.address;
    this.#options = options;
    void this.#connect();
  }

  get state(): PathState {
    return this.#state;
  }

  /** As the target tells it; 'optimized' where it tells nothing. */
  get access(): AccessState {
    return this.#groups.get(this.#identity?.group ?? -1) ?? 'optimized';
  }

  /** Access states of all groups, as this path tells them. */
  get groups(): ReadonlyMap<number, AccessState> {
    return this.#groups;
  }

  send(request: ScsiRequest, done: Done): void {
    const session = this.#session;
    if (session === undefined) done(undefined);
    else session.send(request, done);
  }

  /** An answer said so; the checker asks for its return. */
  failed(answer: ScsiAnswer): void {
    if (this.#state === 'usable') this.#become('failed', describe(answer));
  }

  close(): void {
    this.#isClosed = true;
    this.#session?.close();
  }

  async #connect(): Promise<void> {
    const { ports, times, address } = this.#options;
    if (this.#isClosed) return;
    const stream = await ports.connect(address.portal, times.connectMsMax);
    if (!stream.ok) return this.#reconnectLater();
    if (this.#isClosed) return stream.value.abort();
    const { initiatorName, isid } = this.#options;
    const session: Session = new Session({
      stream: stream.value,
      clock: ports.clock,
      crc32c: ports.crc32c,
      initiatorName,
      targetName: address.targetName,
      isid,
      times,
      onUp: () => {
        this.#become('checking', 'logged in');
        void this.#check(session);
      },
      onOver: (why) => {
        if (this.#session === session) this.#session = undefined;
        this.#become('down', why);
        this.#reconnectLater();
      },
    });
    this.#session = session;
  }

  #reconnectLater(): void {
    if (this.#isClosed) return;
    this.#options.ports.clock.after(this.#options.times.reconnectMs, () => void this.#connect());
  }

  /** Goes on for as long as the session. */
  async #check(session: Session): Promise<void> {
    const { ports, times } = this.#options;
    if (!session.isUp || this.#isChecking) return;
    this.#isChecking = true;
    await this.#look(session);
    this.#isChecking = false;
    if (session.isUp) ports.clock.after(times.checkEveryMs, () => void this.#check(session));
  }

  async #look(session: Session): Promise<void> {
    if (this.#state === 'checking' && !(await this.#identify(session))) return;
    const groups = await ask(session, reportTargetPortGroups);
    if (groups !== undefined && verdictOf(groups) === 'good') this.#groups = groupsIn(groups.data);
    const ready = await ask(session, testUnitReady);
    if (ready === undefined || !session.isUp) return;
    const verdict = verdictOf(ready);
    if (verdict === 'good') this.#become('usable', 'ready');
    // While its state changes a path stays what it was.
    else if (verdict !== 'busy') this.#become('failed', describe(ready));
  }

  async #identify(session: Session): Promise<boolean> {
    const page = await ask(session, inquireIdentity);
    const size = await ask(session, readCapacity);
    if (page === undefined || size === undefined) return false;
    const [identity, capacity] = [identityIn(page.data), capacityIn(size.data)];
    if (identity === undefined || capacity === undefined) return false;
    if (!this.#options.events.onUnit(identity.unit, capacity)) {
      session.abandon('another unit is behind this path');
      return false;
    }
    this.#identity = identity;
    return true;
  }

  #become(state: PathState, why: string): void {
    const before = this.#state;
    this.#state = state;
    if (state === before) return;
    this.#options.events.onState(this, state, why);
    if (state === 'usable') this.#options.events.onUsable();
  }
}

/** Undefined: the session is over. */
async function ask(session: Session, request: ScsiRequest): Promise<ScsiAnswer | undefined> {
  for (let round = 0; ; round++) {
    // oxlint-disable-next-line no-await-in-loop -- the next one is the answer's consequence
    const answer = await new Promise<ScsiAnswer | undefined>((resolve) => session.send(request, resolve));
    if (answer === undefined || verdictOf(answer) !== 'again' || round === ASK_AGAIN_MAX) return answer;
  }
}
