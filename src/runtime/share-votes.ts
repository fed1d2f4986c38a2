/**
 * Registers (ports/vote-store.ts) in a folder that all nodes have mounted, over NFS or SMB. Neither locks nor what a client
 * remembers of names and times are relied on: only that the server makes a link, a folder, and removes a folder, each
 * wholly, once, and after it has answered for good.
 *
 *    <share>/<name>/vote-<n>       version n, complete before it has its name, never changed (docs/FORMATS.md)
 *                   fence-<id>/    of the version that names it; there until that version has been replaced
 *                   fence-<id>/<node>, gone-<id>/, look-<node>, new-<id>: for a moment
 *
 *    write over n   new file, synced ─► link as vote-<n+1>: one wins ─► fence of n: rename, remove ─► answered
 *    read           newest name ─► remove the fence before it ─► make and remove a folder within its own fence: it stands
 *
 * Invariants
 *  1. Names of versions are given by link(2), which makes a name that is not there or fails.
 *  2. A fence is made before the version that names it and never again; once removed nothing can be made in it, whatever a
 *     client believes to see. A write, or a read that found it, is answered when all fences before its version are gone:
 *     so what a read has proven is not older than anything that was answered before it began.
 *  3. A name that was removed could be given twice. It is removed when VERSIONS_KEPT newer ones are there and it has been
 *     replaced for an hour; and whoever has linked looks, after that change of his own, whether what he replaces is still
 *     there.
 *  4. A link that failed may be the answer to its own repetition (NFS): who owns the name is read from the file.
 *  5. A version whose fence is gone and that is the newest all the same (its writer, or an administrator, went wrong) is
 *     written again over itself.
 *  6. The folder is made once, by `create`. Where the share is not mounted, it is not there, and no node makes one of its
 *     own.
 *
 * A dead share hangs its callers in the kernel, each in a thread of Node's pool: there is one at a time per share.
 * Servers that answer before a link is durable (NFS exported `async`) can forget a promise when they lose power.
 */

import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rmdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, ok, type Result } from '../base/result.ts';
import type { StoredVote, VoteFault, VoteStore } from '../ports/vote-store.ts';
import { decodeVersion, encodeVersion, nameOf, numberOf, type Version } from './share-version.ts';

/** Who asks while an operation takes longer is told at once; who waited longer is not served any more. */
const HUNG_MS = 1500;
const WAITING_MAX = 64;
const VERSIONS_KEPT = 16;
const REPLACED_MS_MIN = 60 * 60 * 1000;
/** Marks of others that come while a fence is being removed. */
const REMOVALS_MAX = 50;
const LOOKS_MAX = 8;

export interface Share {
  /** Makes the folder of a register, once for all nodes; one that is there stays as it is. */
  create(name: string): Promise<Result<void, VoteFault>>;
  votes(name: string): VoteStore;
}

/**
 * `path` is on the share; `node`: unlike that of any other. One Share per path and process. Exported for tests: no
 * configuration names a share.
 */
export function openShare(path: string, node: string): Share {
  const inTurn = oneAtATime(path);
  return {
    create: (name) =>
      inTurn(async () => {
        await mkdir(join(path, name)).catch(unless('EEXIST'));
      }),
    votes(name) {
      const folder = new RegisterFolder(join(path, name), node);
      return {
        name: folder.path,
        read: () => inTurn(() => folder.read()),
        write: (bytes, version) => inTurn(() => folder.write(bytes, version)),
      };
    },
  };
}

class RegisterFolder {
  readonly path: string;
  readonly #node: string;
  /** The newest version when it was last looked at; its fence tells whether it still is. */
  #newest: Version | undefined;

  constructor(path: string, node: string) {
    this.path = path;
    this.#node = node;
  }

  async read(): Promise<StoredVote | undefined> {
    if (this.#newest !== undefined && (await this.#stands(this.#newest))) return voteOf(this.#newest);
    let seen = 0;
    for (let looks = 0; looks < LOOKS_MAX; looks++) {
      // oxlint-disable-next-line no-await-in-loop -- each sees what the one before did not
      const newest = Math.max(0, ...(await this.#versions()));
      if (newest === 0) return undefined;
      // oxlint-disable-next-line no-await-in-loop -- as above
      const version = await this.#load(newest);
      if (version === undefined) continue;
      // oxlint-disable-next-line no-await-in-loop -- as above
      if (await this.#stands(version, newest - 1)) {
        this.#newest = version;
        return voteOf(version);
      }
      // Still the newest, without its fence: it gets a successor that has one.
      // oxlint-disable-next-line no-await-in-loop -- as above
      if (newest === seen) await this.write(version.bytes, newest);
      seen = newest;
    }
    throw new Error('its versions come and go');
  }

  async write(bytes: Uint8Array, version: number): Promise<boolean> {
    // Whatever comes of it, the next read looks anew.
    this.#newest = undefined;
    const id = randomBytes(16).toString('hex');
    const temporary = join(this.path, `new-${id}`);
    const name = join(this.path, nameOf(version + 1));
    await mkdir(this.#fence(id));
    try {
      await writeSynced(temporary, encodeVersion(bytes, id));
      await link(temporary, name).catch(unless('EEXIST'));
      if ((await this.#load(version + 1))?.fence !== id) {
        await rmdir(this.#fence(id));
        return false;
      }
    } finally {
      await unlink(temporary).catch(() => undefined);
    }
    const versions = await this.#versions();
    if (version > 0 && !versions.includes(version)) {
      await unlink(name);
      return false;
    }
    await syncFolder(this.path);
    await this.#retire(version);
    await this.#clean(versions);
    return true;
  }

  /** Whether `version` has not been replaced by anything that was answered; `before`: of which that must be certain first. */
  async #stands(version: Version, before = 0): Promise<boolean> {
    await this.#retire(before);
    const mark = join(this.#fence(version.fence), this.#node);
    try {
      await mkdir(mark);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') {
        unless('ENOENT', 'ESTALE')(error);
        return false;
      }
      // Left behind by a process that has died; that it is there proves nothing.
      await rmdir(mark).catch(unless('ENOENT'));
      return this.#stands(version);
    }
    await rmdir(mark).catch(unless('ENOENT', 'ESTALE'));
    return true;
  }

  /** From here on nobody proves that `number` stands. */
  async #retire(number: number): Promise<void> {
    const version = number > 0 ? await this.#load(number) : undefined;
    if (version === undefined) return;
    const fence = join(this.path, `gone-${version.fence}`);
    // Those who come by its name find it no more; whoever has found it before may still make a mark.
    await rename(this.#fence(version.fence), fence).catch(unless('ENOENT'));
    for (let tries = 0; tries < REMOVALS_MAX; tries++) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- what comes meanwhile is removed the next time
        await rmdir(fence);
        return;
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return;
        unless('ENOTEMPTY', 'EEXIST')(error);
      }
      // oxlint-disable-next-line no-await-in-loop -- as above
      const marks = await readdir(fence).catch(() => []);
      // oxlint-disable-next-line no-await-in-loop -- as above
      for (const mark of marks) await rmdir(join(fence, mark)).catch(unless('ENOENT'));
    }
    throw new Error('the fence of the former version cannot be removed');
  }

  /** Numbers, after a change that makes the client forget what it knows of the folder. */
  async #versions(): Promise<number[]> {
    const look = join(this.path, `look-${this.#node}`);
    await mkdir(look).catch(unless('EEXIST'));
    await rmdir(look).catch(unless('ENOENT'));
    return (await readdir(this.path)).map(numberOf).filter((number) => number > 0);
  }

  async #load(number: number): Promise<Version | undefined> {
    try {
      return decodeVersion(await readFile(join(this.path, nameOf(number))), number);
    } catch (error) {
      unless('ENOENT', 'ESTALE')(error);
      return undefined;
    }
  }

  /** Of times only differences that the server has measured count. */
  async #clean(versions: readonly number[]): Promise<void> {
    const newest = Math.max(...versions);
    const old = versions.filter((number) => number <= newest - VERSIONS_KEPT).toSorted((a, b) => a - b);
    if (old.length === 0) return;
    const { mtimeMs: now } = await stat(join(this.path, nameOf(newest)));
    for (const number of old) {
      // oxlint-disable-next-line no-await-in-loop -- the oldest first
      const next = await stat(join(this.path, nameOf(number + 1))).catch(unless('ENOENT'));
      if (next !== undefined && now - next.mtimeMs < REPLACED_MS_MIN) return;
      // oxlint-disable-next-line no-await-in-loop -- as above
      await unlink(join(this.path, nameOf(number))).catch(unless('ENOENT'));
    }
  }

  #fence(id: string): string {
    return join(this.path, `fence-${id}`);
  }
}

function voteOf({ number, bytes }: Version): StoredVote {
  return { bytes, version: number };
}

type InTurn = <T>(work: () => Promise<T>) => Promise<Result<T, VoteFault>>;

/** One operation at a time; errors are faults. */
function oneAtATime(path: string): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let busySince: number | undefined;

  return async <T>(work: () => Promise<T>): Promise<Result<T, VoteFault>> => {
    const askedAt = performance.now();
    const hungMs = askedAt - (busySince ?? askedAt);
    if (hungMs > HUNG_MS || waiting >= WAITING_MAX)
      return fail({
        kind: 'unreachable',
        cause: `${path} has not answered for ${Math.round(hungMs / 1000)} s`,
      });
    const turn = last.then(async (): Promise<Result<T, VoteFault>> => {
      busySince = performance.now();
      if (busySince - askedAt > HUNG_MS)
        return fail({ kind: 'unreachable', cause: `${path} has others to serve` });
      return work().then(ok, (error: unknown) => fail(faultOf(error)));
    });
    waiting += 1;
    last = turn.finally(() => {
      waiting -= 1;
      busySince = undefined;
    });
    return turn;
  };
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Some clients cannot: their servers have then made the name durable before they answered. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync().catch(unless('EINVAL', 'ENOTSUP', 'EBADF'));
  } finally {
    await folder.close();
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

function unless(...codes: string[]): (error: unknown) => undefined {
  return (error) => {
    if (!codes.includes(codeOf(error))) throw error;
    return undefined;
  };
}

function faultOf(error: unknown): VoteFault {
  const cause = error instanceof Error ? error.message : String(error);
  const isUnsuitable = ['EACCES', 'EPERM', 'EROFS', 'ENOTSUP', 'EOPNOTSUPP'].includes(codeOf(error));
  return { kind: isUnsuitable ? 'unsuitable' : 'unreachable', cause };
}
