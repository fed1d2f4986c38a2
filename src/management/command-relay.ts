/**
 * What administrators ask of devices, on its way from control to the engine that has the device, and the answer back. Each is
 * answered once, whatever dies meanwhile; what a dead control process had asked is answered to nobody.
 */

import { fail } from '../base/result.ts';
import type { DeviceAnswer, DeviceCommand } from '../engine/device-commands.ts';
import type { ToEngine } from '../engine/messages.ts';
import type { EngineSpec } from '../engine/spec.ts';
import type { Child } from '../ports/process.ts';

interface Asked {
  readonly engine: number;
  readonly reply: (answer: DeviceAnswer) => void;
}

export class CommandRelay {
  readonly #owners: ReadonlyMap<string, number>;
  readonly #engineOf: (engine: number) => Child | undefined;
  readonly #asked = new Map<number, Asked>();
  #last = 0;

  /** `engineOf`: undefined while it is not up. */
  constructor(specs: readonly EngineSpec[], engineOf: (engine: number) => Child | undefined) {
    this.#owners = new Map(
      specs.flatMap(({ engine, devices, witnessed }) =>
        [...devices, ...witnessed].map(({ name }) => [name, engine] as const),
      ),
    );
    this.#engineOf = engineOf;
  }

  ask(device: string, command: DeviceCommand, reply: (answer: DeviceAnswer) => void): void {
    const engine = this.#owners.get(device);
    if (engine === undefined)
      return reply(
        fail(
          `There is no device ${device} at a target of this node: see lockstep device list for their names.`,
        ),
      );
    const child = this.#engineOf(engine);
    if (child === undefined)
      return reply(fail(`Device ${device} is not open: its engine ${engine} does not run; see the log.`));
    this.#last += 1;
    this.#asked.set(this.#last, { engine, reply });
    child.send({ kind: 'command', id: this.#last, device, command } satisfies ToEngine);
  }

  answered(id: number, answer: DeviceAnswer): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    asked?.reply(answer);
  }

  engineEnded(engine: number): void {
    for (const [id, asked] of this.#asked)
      if (asked.engine === engine)
        this.answered(
          id,
          fail(
            `Engine ${engine} ended before it had answered: it is not known what came of the command; see lockstep device show.`,
          ),
        );
  }
}
