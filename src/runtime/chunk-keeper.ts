/**
 * What would be lost of a device, in a sparse file of its size, each chunk at its place; beside it, `….json` lists the chunks.
 * The list is there only when the file is whole and durable.
 */

import { mkdir, open, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fail, ok, type Result } from '../base/result.ts';

export interface ChunkKeeper {
  readonly file: string;
  /** Why it could not keep or finish; a clause. */
  readonly fault: string | undefined;
  readonly keep: (chunk: number, data: readonly Uint8Array[]) => Promise<boolean>;
  readonly finish: (chunks: readonly number[]) => Promise<boolean>;
}

const CHUNK_BYTES = 65_536;

/** A new file of this name and moment in the folder; the fault is a clause. */
export async function openChunkKeeper(
  folder: string,
  { name, bytes, now }: { readonly name: string; readonly bytes: number; readonly now: Date },
): Promise<Result<ChunkKeeper, string>> {
  const file = path.join(folder, `${name}-${now.toISOString().replaceAll(/[-:]/g, '').slice(0, 15)}.img`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const handle = await open(file, 'wx', 0o600);
    await handle.truncate(bytes);
    let fault: string | undefined;
    const tried = async (step: () => Promise<void>): Promise<boolean> => {
      try {
        await step();
        return true;
      } catch (error) {
        fault = textOf(error);
        await handle.close().catch(() => undefined);
        return false;
      }
    };
    return ok({
      file,
      get fault() {
        return fault;
      },
      keep: (chunk, data) =>
        tried(async () => {
          let at = chunk * CHUNK_BYTES;
          for (const segment of data) {
            // oxlint-disable-next-line no-await-in-loop -- few, in order
            await handle.write(segment, 0, segment.length, at);
            at += segment.length;
          }
        }),
      finish: (chunks) =>
        tried(async () => {
          await handle.sync();
          await handle.close();
          const list = `${JSON.stringify({ name, bytes, chunkBytes: CHUNK_BYTES, chunks })}\n`;
          await writeFile(`${file}.json`, list, { flag: 'wx', mode: 0o600, flush: true });
          const directory = await open(folder, 'r');
          try {
            await directory.sync();
          } finally {
            await directory.close();
          }
        }),
    });
  } catch (error) {
    return fail(textOf(error));
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
