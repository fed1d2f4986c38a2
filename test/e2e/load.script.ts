/** The load of a drill in a process of its own, where initiators are: does what it is told over its channel. */
import { readFileSync } from 'node:fs';
import type { PathAddress } from '../../src/initiator/path.ts';
import { DrillSession } from '../../src/drill/session.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { connect } from '../../src/runtime/connect.ts';
import { crc32c } from '../../src/runtime/crc32c.ts';
import { Onlooker } from './onlooker.ts';

export type Call =
  | {
      readonly kind: 'start';
      readonly paths: readonly PathAddress[];
      readonly seed: number;
      readonly areaBytes?: number;
      readonly isIdle?: boolean;
    }
  | { readonly kind: 'beginPart' | 'part' | 'judge' | 'stop' }
  | { readonly kind: 'untilAllPaths'; readonly withinMs: number }
  /** Through one path, by another host (onlooker.ts). */
  | { readonly kind: 'look'; readonly path: number }
  | { readonly kind: 'readBlock'; readonly path: number; readonly lba: number; readonly blockLength: number }
  | {
      readonly kind: 'writeBlock';
      readonly path: number;
      readonly lba: number;
      readonly blockLength: number;
      readonly value: number;
    }
  | { readonly kind: 'judgeCopies'; readonly images: readonly string[] };

const QUEUE_MS_MAX = 90_000;
let session: DrillSession | undefined;
let onlooker: Onlooker | undefined;
let areaBytes: number | undefined;

async function answer(call: Call): Promise<unknown> {
  switch (call.kind) {
    case 'start':
      areaBytes = call.areaBytes;
      onlooker = new Onlooker(call.paths);
      if (call.isIdle === true) return undefined;
      session = new DrillSession({
        paths: call.paths,
        initiatorName: 'iqn.2026-01.io.lockstep:drill',
        seed: call.seed,
        profile: 'mixed',
        ...(call.areaBytes === undefined ? {} : { areaBytes: call.areaBytes }),
        queueMsMax: QUEUE_MS_MAX,
        ports: { clock: systemClock, crc32c, connect },
      });
      return session.start();
    case 'beginPart':
      return session!.beginPart();
    case 'part':
      return session!.part;
    case 'judge':
      return session!.judge();
    case 'untilAllPaths':
      return session!.untilAllPaths(call.withinMs);
    case 'look':
      return onlooker!.look(call.path);
    case 'readBlock':
      return onlooker!.read(call.path, call.lba, call.blockLength);
    case 'writeBlock':
      return onlooker!.write(call.path, call.lba, call.blockLength, call.value);
    case 'stop':
      return session?.stop();
    case 'judgeCopies':
      return judgeCopies(call.images);
  }
}

function judgeCopies(images: readonly string[]): string | undefined {
  const [first, ...others] = images.map((image) => readFileSync(image));
  if (others.some((bytes) => !bytes.equals(first!))) return 'the images of the copies are not equal';
  const bytes = first!.subarray(0, areaBytes);
  return session?.judgeCopies(images.map((_, index) => ({ node: index + 1, bytes })));
}

process.on('message', (call: Call) => {
  void answer(call).then((result) => process.send!({ result }));
});
process.on('disconnect', () => process.exit());
