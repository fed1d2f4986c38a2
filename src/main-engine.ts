/**
 * An engine process: builds the storage node the supervisor specifies, takes connections from it, and drains when told
 * to or when the supervisor is gone. A bug ends the process: a stopped engine is safer than a wrong one, and the
 * supervisor starts another.
 */

import { mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import path from 'node:path';
import { assert } from './base/assert.ts';
import { fail } from './base/result.ts';
import type { DeviceAnswer } from './engine/device-commands.ts';
import type { StorageNodePorts } from './engine/devices.ts';
import type { FromEngine, ToEngine } from './engine/messages.ts';
import type { EngineSpec } from './engine/spec.ts';
import { openStorageNode, type StorageNode } from './engine/storage-node.ts';
import type { RecordFile } from './ports/record-file.ts';
import type { Trace } from './ports/trace.ts';
import { openChunkKeeper } from './runtime/chunk-keeper.ts';
import { systemClock } from './runtime/clock.ts';
import { crc32c } from './runtime/crc32c.ts';
import { platformCrypto } from './runtime/crypto.ts';
import { openDisk, openRecords } from './main-disk.ts';
import { createPartners, type Partners } from './main-partners.ts';
import { openStore } from './main-votes.ts';
import { Incarnations } from './runtime/incarnations.ts';
import { createLog, levelOfChildren } from './runtime/log.ts';
import { connectParent, type Parent, socketOf } from './runtime/parent.ts';
import { openRecordFile } from './runtime/record-file.ts';
import { streamOver } from './runtime/tcp.ts';

const STATISTICS_EVERY_MS = 1000;
/** Without a supervisor nobody else bounds the time to drain. */
const ORPHAN_DRAIN_MS = 5000;
/** EX_SOFTWARE of sysexits: a bug, not a fault. */
const EXIT_BUG = 70;

export function runEngine(index: number): void {
  process.title = `lockstep engine ${index}`;
  const trace = createLog(levelOfChildren(), `engine ${index}`);
  stopOnBugs(trace);
  let node: StorageNode | undefined;
  let partners: Partners | undefined;
  let leaving = false;
  let starting: Promise<void> | undefined;
  const stopStarting = new AbortController();

  const current = (): StorageNode | undefined => (leaving ? undefined : node);
  const leave = async (withinMs: number): Promise<void> => {
    if (leaving) return;
    leaving = true;
    // A half-made image is taken back before the process ends.
    stopStarting.abort();
    await starting;
    await node?.drain(withinMs, (bytes, forecastMs) => tell({ kind: 'writingOut', bytes, forecastMs }));
    tell({ kind: 'drained' });
    parent.disconnect();
    process.exit(0);
  };
  const parent: Parent = connectParent({
    onMessage: (raw, handle) => {
      const message = raw as ToEngine;
      switch (message.kind) {
        case 'start':
          starting = start(message.spec);
          return;
        case 'connection':
          if (handle === undefined) return; // the peer was gone before it arrived
          if (node === undefined || leaving) socketOf(handle).destroy();
          else node.accept(streamOver(socketOf(handle), message.head), message.answered);
          return;
        case 'partner':
          if (handle !== undefined) acceptPartner(partners, socketOf(handle), message.head);
          return;
        case 'command':
          void answerTo(message, current()).then((answer) =>
            tell({ kind: 'answer', id: message.id, answer }),
          );
          return;
        case 'drain':
          void leave(message.withinMs);
          return;
      }
    },
    onOrphaned: () => {
      trace('warn', 'engine.orphaned');
      void leave(ORPHAN_DRAIN_MS);
    },
  });
  process.on('SIGTERM', () => void leave(ORPHAN_DRAIN_MS));

  function tell(message: FromEngine): void {
    parent.send(message);
  }

  async function start(spec: EngineSpec): Promise<void> {
    partners = partnersOf(spec, trace, current);
    const ports = portsOf(spec, partners, trace, stopStarting.signal);
    node = await openNode(spec, ports, tell);
    if (node !== undefined) return;
    parent.disconnect();
    process.exitCode = 1;
  }
}

/** Undefined: it was refused. */
async function openNode(
  spec: EngineSpec,
  ports: StorageNodePorts,
  tell: (message: FromEngine) => void,
): Promise<StorageNode | undefined> {
  const opened = await openStorageNode(spec, ports, (device, done, total) =>
    tell({ kind: 'progress', device, done, total }),
  );
  if (!opened.ok) {
    tell({ kind: 'refused', fault: opened.fault });
    return undefined;
  }
  const serving = opened.value;
  tell({ kind: 'ready' });
  setInterval(
    () => tell({ kind: 'statistics', statistics: { ...serving.statistics(), pid: process.pid } }),
    STATISTICS_EVERY_MS,
  ).unref();
  return serving;
}

/** `current`: undefined before it is open, and when it stops. */
function partnersOf(
  { cluster }: EngineSpec,
  trace: Trace,
  current: () => StorageNode | undefined,
): Partners | undefined {
  if (cluster === undefined) return undefined;
  return createPartners(
    cluster,
    trace,
    async (device, request) => current()?.answerPartner(device, request) ?? fail('The node starts or stops.'),
  );
}

async function answerTo(
  { device, command }: Extract<ToEngine, { kind: 'command' }>,
  node: StorageNode | undefined,
): Promise<DeviceAnswer> {
  return node?.command(device, command) ?? fail(`Device ${device} is not open: the node starts or stops.`);
}

function acceptPartner(partners: Partners | undefined, socket: Socket, head: Uint8Array): void {
  if (partners === undefined) socket.destroy();
  else partners.accept(socket, head);
}

function portsOf(
  spec: EngineSpec,
  partners: Partners | undefined,
  trace: Trace,
  signal: AbortSignal,
): StorageNodePorts {
  const incarnations = new Incarnations(spec.stateDirectory, String(spec.engine));
  return {
    clock: systemClock,
    crypto: platformCrypto,
    crc32c,
    trace,
    openDisk: (device, onProgress) => openDisk(device, onProgress, signal),
    openRecords: (file, length) => openRecords(file, length, signal),
    openNetwork(device) {
      assert(partners !== undefined, 'a mirrored device has a cluster');
      return partners.open(device);
    },
    askPartner: (partner, device, request) => {
      assert(partners !== undefined, 'a mirrored device has a cluster');
      return partners.ask(partner, device, request);
    },
    openKeeper: (name, bytes) =>
      spec.stateDirectory === undefined
        ? Promise.resolve(fail('this node has no state directory'))
        : openChunkKeeper(path.join(spec.stateDirectory, 'diverged'), { name, bytes, now: new Date() }),
    openVotes(device) {
      const store = spec.cluster && openStore(spec.cluster);
      assert(store !== undefined, 'a device that asks a store has one');
      return store.votes(device);
    },
    nextIncarnation: () => incarnations.next(),
    openRecord: (naa) => openRecord(spec.stateDirectory, naa, trace),
  };
}

/** Where it cannot be kept, APTPL is refused to initiators instead of promised. */
function openRecord(directory: string | undefined, naa: string, trace: Trace): RecordFile | undefined {
  if (directory === undefined) return undefined;
  const folder = path.join(directory, 'reservations');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return openRecordFile(path.join(folder, naa));
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    trace('warn', 'reservations.notKept', { folder, cause });
    return undefined;
  }
}

function stopOnBugs(trace: Trace): void {
  process.on('uncaughtException', (error, origin) => {
    trace('error', 'engine.bug', { origin, stack: error.stack });
    process.exit(EXIT_BUG);
  });
}
