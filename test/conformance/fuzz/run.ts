/**
 * Runs fuzz cases against a node in process and says what it found. Each case is one connection; afterwards the
 * connection must have gone, holding nothing, and a bystander's session must read what it wrote.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MemoryStream } from '../../../src/iscsi/testing/memory-stream.ts';
import { rawResponses } from '../../../src/iscsi/testing/raw-pdu.ts';
import { type Bystander, createBystander } from './bystander.ts';
import { type FuzzBench, openFuzzBench, settle } from './bench.ts';
import { nextCase } from './cases.ts';

export interface FuzzReport {
  readonly cases: number;
  readonly byKind: Readonly<Record<string, number>>;
  /** Responses sent, by opcode: the deeper the fuzzer gets, the more kinds. */
  readonly responses: Readonly<Record<string, number>>;
  /** Bytes of memory (heap and buffers) after a fifth of the cases and at the end. */
  readonly memoryEarly: number;
  readonly memoryLate: number;
}

const BYSTANDER_EVERY = 20;
/** Longer than any limit that ends a connection by itself. */
const LONG_MS = 120_000;
/** Turns of the event loop within which a connection that was lost has to be gone. */
const TURNS_MAX = 50;

/** Throws, naming the seed and case, at the first thing that must not happen. */
export async function fuzz(seed: number, cases: number): Promise<FuzzReport> {
  const bench = await openFuzzBench(seed);
  const bystander = createBystander(bench);
  await bystander.check(0);
  const byKind: Record<string, number> = {};
  const responses: Record<string, number> = {};
  let memoryEarly = 0;
  for (let number = 1; number <= cases; number++) {
    try {
      await runCase(bench, bystander, { byKind, responses });
      if (number % BYSTANDER_EVERY === 0) await bystander.check(number);
    } catch (error) {
      throw new Error(
        `seed ${seed}, case ${number}: ${error instanceof Error ? error.stack : String(error)}`,
      );
    }
    if (number === Math.ceil(cases / 5)) memoryEarly = memory();
  }
  await bench.node.stop(false);
  return { cases, byKind, responses, memoryEarly, memoryLate: memory() };
}

async function runCase(
  bench: FuzzBench,
  bystander: Bystander,
  { byKind, responses }: { byKind: Record<string, number>; responses: Record<string, number> },
): Promise<void> {
  const { node, clock, random } = bench;
  const { kind, pieces } = nextCase(random);
  byKind[kind] = (byKind[kind] ?? 0) + 1;
  const before = node.connections;
  const stream = new MemoryStream('127.0.0.3:50000');
  if (random.chance(0.05)) stream.stalled = true;
  node.accept(stream);
  for (const piece of pieces) {
    stream.feed(piece);
    if (random.chance(0.2)) stream.endTurn();
    if (random.chance(0.02)) {
      clock.advance(random.integer(1, 3000));
      await settle();
      bystander.pump();
    }
    if (stream.ended !== 'open') break;
  }
  await settle();
  stream.endTurn();
  count(stream.collect(), responses);
  // A peer that goes away, or one that just stays: then the node's own limits must end it.
  if (random.chance(0.7)) stream.hangUp(random.chance(0.5) ? 'ECONNRESET' : undefined);
  for (let turn = 0; turn < TURNS_MAX && node.connections > before; turn++) {
    clock.advance(LONG_MS / TURNS_MAX);
    bystander.pump();
    await settle();
    stream.endTurn();
  }
  if (node.connections > before) throw new Error(`a ${kind} connection is still there`);
  stream.take();
  await settle();
  if (stream.retained !== 0) throw new Error(`a ${kind} connection still holds ${stream.retained} buffers`);
  if (bench.complaints.length > 0) throw new Error(`the node complains: ${bench.complaints.join(', ')}`);
}

/** Everything sent must be whole, well-formed PDUs; digests are not followed here. */
function count(sent: Uint8Array, responses: Record<string, number>): void {
  if (sent.length === 0) return;
  let found: ReturnType<typeof rawResponses>;
  try {
    found = rawResponses(sent);
  } catch {
    responses['with digests'] = (responses['with digests'] ?? 0) + 1;
    return;
  }
  for (const { opcode } of found) {
    const name = `0x${opcode.toString(16)}`;
    responses[name] = (responses[name] ?? 0) + 1;
  }
}

const collectGarbage = exposeGarbageCollection();

function exposeGarbageCollection(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

function memory(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
