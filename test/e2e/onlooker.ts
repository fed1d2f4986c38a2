/** A host that looks at one unit through each of its paths by itself: what it is told there, and what it reads and writes. */
import {
  capacityIn,
  readBlocks,
  readCapacity,
  type ScsiRequest,
  testUnitReady,
  writeBlocks,
} from '../../src/initiator/commands.ts';
import { DEFAULT_PATH_TIMES } from '../../src/initiator/multipath.ts';
import type { PathAddress } from '../../src/initiator/path.ts';
import { Session } from '../../src/initiator/session.ts';
import { describe, type ScsiAnswer } from '../../src/initiator/verdict.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { connect } from '../../src/runtime/connect.ts';
import { crc32c } from '../../src/runtime/crc32c.ts';

export interface Look {
  /** Unit attentions, one after the other, as 'key/asc/ascq'. */
  readonly attentions: readonly string[];
  readonly bytes: number;
}

const ATTENTIONS_MAX = 16;
const UP_MS_MAX = 5000;

export class Onlooker {
  readonly #sessions: Session[] = [];
  readonly #paths: readonly PathAddress[];

  constructor(paths: readonly PathAddress[]) {
    this.#paths = paths;
  }

  /** `path`: its place among the paths. */
  async look(path: number): Promise<Look> {
    const attentions: string[] = [];
    for (let count = 0; count < ATTENTIONS_MAX; count++) {
      const ready = await this.#send(path, testUnitReady);
      if (ready.status === 0) break;
      attentions.push(describe(ready).replace(/.* /, ''));
    }
    const { blocks, blockLength } = capacityIn((await this.#send(path, readCapacity)).data)!;
    return { attentions, bytes: blocks * blockLength };
  }

  /** A byte of what the block holds, which is the same everywhere in it. */
  async read(path: number, lba: number, blockLength: number): Promise<number> {
    const { data } = await this.#send(path, readBlocks(lba, 1, blockLength));
    if (data.length !== blockLength || data.some((byte) => byte !== data[0]))
      throw new Error(`block ${lba} holds ${data.length} bytes that are not the same`);
    return data[0]!;
  }

  async write(path: number, lba: number, blockLength: number, value: number): Promise<void> {
    const answer = await this.#send(
      path,
      writeBlocks(lba, new Uint8Array(blockLength).fill(value), blockLength),
    );
    if (answer.status !== 0) throw new Error(`block ${lba} was not written: ${describe(answer)}`);
  }

  async #send(path: number, request: ScsiRequest): Promise<ScsiAnswer> {
    const session = await this.#session(path);
    const answer = await new Promise<ScsiAnswer | undefined>((done) => session.send(request, done));
    if (answer === undefined) throw new Error(`the session through ${this.#paths[path]!.portal} has ended`);
    return answer;
  }

  async #session(path: number): Promise<Session> {
    const former = this.#sessions[path];
    if (former?.isUp === true) return former;
    const { portal, targetName } = this.#paths[path]!;
    const stream = await connect(portal, UP_MS_MAX);
    if (!stream.ok) throw new Error(`${portal}: ${stream.fault}`);
    return new Promise((resolve, reject) => {
      const session: Session = new Session({
        stream: stream.value,
        clock: systemClock,
        crc32c,
        initiatorName: 'iqn.2026-01.io.lockstep:onlooker',
        targetName,
        isid: { random: 1, qualifier: path + 1 },
        times: DEFAULT_PATH_TIMES,
        onUp: () => resolve(session),
        onOver: (why) => reject(new Error(`${portal}: ${why}`)),
      });
      this.#sessions[path] = session;
    });
  }
}
