/** The load of a drill as a process where initiators are. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import type { Measured } from '../../src/drill/meter.ts';
import type { LoadControl } from '../../src/management/drill/sequence.ts';
import type { Call } from './load.script.ts';
import type { Look } from './onlooker.ts';

export interface Load {
  call(call: Call): Promise<unknown>;
  end(): void;
}

export function startLoadProcess(within: readonly string[]): Load {
  const [command, ...words] = [...within, process.execPath];
  const script = resolve(import.meta.dirname, 'load.script.ts');
  const child = spawn(command!, [...words, script], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  let last: Promise<unknown> = Promise.resolve();
  return {
    call(call) {
      last = last.then(
        () =>
          new Promise((answered, failed) => {
            const onExit = (): void => failed(new Error('the load has ended by itself'));
            child.once('exit', onExit);
            child.once('message', ({ result }: { result: unknown }) => {
              child.off('exit', onExit);
              answered(result);
            });
            child.send(call);
          }),
      );
      return last;
    },
    end: () => child.kill('SIGKILL'),
  };
}

export function controlOf(load: Load): LoadControl {
  return {
    beginPart: async () => void (await load.call({ kind: 'beginPart' })),
    part: async () => (await load.call({ kind: 'part' })) as Measured,
    judge: async () => (await load.call({ kind: 'judge' })) as string | undefined,
    untilAllPaths: async (withinMs) => (await load.call({ kind: 'untilAllPaths', withinMs })) as boolean,
  };
}

export interface OnlookerControl {
  look(path: number): Promise<Look>;
  readBlock(path: number, lba: number, blockLength: number): Promise<number>;
  writeBlock(path: number, lba: number, blockLength: number, value: number): Promise<void>;
}

export function onlookerOf(load: Load): OnlookerControl {
  return {
    look: async (path) => (await load.call({ kind: 'look', path })) as Look,
    readBlock: async (path, lba, blockLength) =>
      (await load.call({ kind: 'readBlock', path, lba, blockLength })) as number,
    writeBlock: async (path, lba, blockLength, value) =>
      void (await load.call({ kind: 'writeBlock', path, lba, blockLength, value })),
  };
}
