/**
 * Goal: SANITIZE does what it says to every block, lets nothing else in meanwhile, and cannot be stopped by aborts,
 * resets or lost nexuses. Method: an array as device whose operations can be held up or fail.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeviceFault } from '../ports/block-device.ts';
import type { Command } from './command.ts';
import { createLogicalUnit, type LogicalUnit, type LogicalUnitOptions } from './logical-unit.ts';
import { GOOD } from './outcome.ts';
import { SANITIZE_COMMANDS } from './sanitize.ts';
import { resetHere } from './unit-reset.ts';
import { createInitiator, createPort, type Initiator } from './testing/initiator.ts';
import { createMemoryDevice, type MemoryDevice, type MemoryDeviceOptions } from './testing/memory-device.ts';

const READ: Command = {
  name: 'READ',
  opcode: 0x28,
  usage: [0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  access: 'read',
  execute: () => GOOD,
};
const READ10 = [0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const ROWS = [...SANITIZE_COMMANDS, READ];

interface Stage {
  readonly unit: LogicalUnit;
  readonly device: MemoryDevice;
  readonly a: Initiator;
  readonly b: Initiator;
}

function createStage(options: MemoryDeviceOptions = {}, more: Partial<LogicalUnitOptions> = {}): Stage {
  const device = createMemoryDevice(5000, options);
  const naa = Uint8Array.from({ length: 16 }, () => 0x60);
  const identity = { product: 'TEST', revision: '1', serial: 'S', naa };
  const unit = createLogicalUnit({ device, identity, ...more });
  const port = createPort(1, [unit]);
  return {
    unit,
    device,
    a: createInitiator(unit, port, 'iqn.a', ROWS),
    b: createInitiator(unit, port, 'iqn.b', ROWS),
  };
}

const IMMED = 0x80;
const AUSE = 0x20;

async function overwrite(
  initiator: Initiator,
  first: number,
  pattern: readonly number[],
  flags = 0,
): Promise<string> {
  const list = Uint8Array.of(first, 0, pattern.length >>> 8, pattern.length & 0xff, ...pattern);
  const cdb = [0x48, 0x01 | flags, 0, 0, 0, 0, 0, list.length >>> 8, list.length & 0xff, 0];
  return (await initiator.send(cdb, list)).outcome;
}

const blockErase = async (initiator: Initiator, flags = 0): Promise<string> =>
  (await initiator.send([0x48, 0x02 | flags, 0, 0, 0, 0, 0, 0, 0, 0])).outcome;
const exitFailureMode = async (initiator: Initiator): Promise<string> =>
  (await initiator.send([0x48, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0])).outcome;

/** Holds the device up at its next operation; the answer lets that one go on. */
function hold(device: MemoryDevice): () => void {
  let go: (value: undefined) => void = () => undefined;
  const gate = new Promise<undefined>((resolve) => {
    go = resolve;
  });
  device.before = () => gate;
  return () => go(undefined);
}

const turn = (): Promise<void> => new Promise(setImmediate);

test('OVERWRITE leaves the pattern in every block and flushes each pass', async () => {
  for (const blockLength of [512, 4096] as const) {
    const { a, device, unit } = createStage({ blockLength });
    assert.equal(await overwrite(a, 3, [1, 2, 3]), 'GOOD');
    const wrong = device.bytes.findIndex((byte, at) => byte !== ((at % blockLength) % 3) + 1);
    assert.equal(wrong, -1);
    assert.equal(device.flushes, 3);
    assert.equal(unit.sanitizing, undefined);
  }
});

test('INVERT alternates, and the last pass is not inverted', async () => {
  const { a, device } = createStage();
  const firsts: number[] = [];
  device.before = (operation) => {
    if (operation === 'flush') firsts.push(device.bytes[700]!);
    return undefined;
  };
  assert.equal(await overwrite(a, 0x80 | 3, [0x0f]), 'GOOD');
  assert.deepEqual(firsts, [0x0f, 0xf0, 0x0f]);
  firsts.length = 0;
  assert.equal(await overwrite(a, 0x80 | 2, [0x0f]), 'GOOD');
  assert.deepEqual(firsts, [0xf0, 0x0f]);
});

test('BLOCK ERASE writes zeros over what is mapped before it unmaps everything', async () => {
  const { a, device } = createStage();
  await device.write(100, [new Uint8Array(512 * 3).fill(7)]);
  device.log.length = 0;
  device.mapping = (lba, blocks) => ({
    ok: true,
    value:
      lba === 0
        ? [
            { lba: 0, blocks: 100, mapped: false },
            { lba: 100, blocks: 3, mapped: true },
            { lba: 103, blocks: blocks - 103, mapped: false },
          ]
        : [{ lba, blocks, mapped: false }],
  });
  assert.equal(await blockErase(a), 'GOOD');
  assert.deepEqual(device.log, ['write 100+3', 'flush 0+0', 'unmap 0+5000', 'flush 0+0']);
  assert(device.bytes.every((byte) => byte === 0));
  assert(device.mapped.every((mapped) => mapped === 0));
});

test('malformed requests change nothing', async () => {
  const { a, b, device } = createStage({ thin: false });
  const list = (length: number): number[] => [0x48, 0x01, 0, 0, 0, 0, 0, length >>> 8, length & 0xff, 0];
  for (const length of [0, 1, 2, 3, 4, 517]) {
    assert.equal((await a.send(list(length), new Uint8Array(length))).outcome, '5/24/00');
  }
  assert.equal(await overwrite(a, 0, [1]), '5/26/00');
  assert.equal(await overwrite(a, 0x21, [1]), '5/26/00');
  assert.equal((await a.send(list(8), Uint8Array.of(1, 0, 0, 5, 1, 1, 1, 1))).outcome, '5/26/00');
  assert.equal((await a.send(list(8), Uint8Array.of(1, 0, 0, 0, 1, 1, 1, 1))).outcome, '5/26/00');
  assert.equal(await blockErase(a), '5/24/00', 'a thick unit has no block erase');
  assert.equal(await blockErase(b, 0x40), '5/24/00');
  assert.equal((await a.send([0x48, 0x1f, 0, 0, 0, 0, 0, 0, 8, 0], new Uint8Array(8))).outcome, '5/24/00');
  assert.deepEqual(device.log, []);
});

test('while it runs everything else is told so, with the progress, by every nexus', async () => {
  const { a, b, device } = createStage();
  let writes = 0;
  let go: () => void = () => undefined;
  device.before = (operation) => {
    writes += operation === 'write' ? 1 : 0;
    if (writes !== 2) return undefined;
    return new Promise((resolve) => {
      go = () => resolve(undefined);
    });
  };
  assert.equal(await overwrite(a, 1, [1], IMMED), 'GOOD');
  await turn();
  const refused = await b.send(READ10);
  assert.equal(refused.outcome, '2/04/1b');
  // One of three chunks of 2048, 2048 and 904 blocks is done.
  assert.equal(refused.sense![15], 0x80);
  assert.equal((refused.sense![16]! << 8) | refused.sense![17]!, Math.floor((2048 / 5000) * 65536));
  assert.equal(await overwrite(b, 1, [1]), '2/04/1b');
  assert.equal(await exitFailureMode(b), '2/04/1b');
  device.before = undefined;
  go();
  await turn();
  assert.equal((await b.send(READ10)).outcome, 'GOOD');
});

test('aborts, resets and lost nexuses do not stop it, and do not wait for its end', async () => {
  const { unit, a, b, device } = createStage();
  const release = hold(device);
  const sanitizing = overwrite(a, 2, [9]);
  await turn();
  const reset = unit.reservations.resetUnit('unit', b.nexus, () => resetHere(unit, 'unit', b.nexus));
  const closed = a.close();
  let more: () => void = () => undefined;
  let chunks = 0;
  device.before = () => {
    chunks += 1;
    if (chunks !== 2) return undefined;
    return new Promise((resolve) => {
      more = () => resolve(undefined);
    });
  };
  release();
  await Promise.all([reset, closed]);
  assert.equal(await sanitizing, 'ABANDONED');
  assert.deepEqual(b.attentions(), ['busDeviceReset']);
  assert.equal((await b.send(READ10)).outcome, '2/04/1b');
  more();
  await turn();
  assert.equal((await b.send(READ10)).outcome, 'GOOD');
  assert(device.bytes.every((byte) => byte === 9));
});

test('a failed operation leaves the unit failed until another succeeds, or AUSE lets it exit', async () => {
  const { a, b, device } = createStage();
  const broken: DeviceFault = { kind: 'mediumError', operation: 'write', lba: 1, cause: 'test' };
  device.before = (operation) => (operation === 'write' ? broken : undefined);
  assert.equal(await overwrite(a, 1, [1]), '3/31/03');
  assert.equal((await b.send(READ10)).outcome, '3/31/03');
  assert.equal(await exitFailureMode(a), '5/24/00');
  assert.equal(await overwrite(a, 1, [1], AUSE), '5/24/00', 'restricted stays restricted');
  device.before = undefined;
  assert.equal(await overwrite(b, 1, [1]), 'GOOD');
  assert.equal((await a.send(READ10)).outcome, 'GOOD');
  device.before = (operation) => (operation === 'flush' ? broken : undefined);
  assert.equal(await overwrite(a, 1, [1], AUSE), '3/31/03');
  device.before = undefined;
  assert.equal(await exitFailureMode(b), 'GOOD');
  assert.equal((await a.send(READ10)).outcome, 'GOOD');
  assert.equal(await exitFailureMode(b), 'GOOD', 'nothing to exit from');
});

test('a write-protected unit is not sanitized', async () => {
  const { a, unit, device } = createStage();
  unit.mode.softwareWriteProtect = true;
  assert.equal(await overwrite(a, 1, [1]), '7/27/02');
  assert.equal(await blockErase(a), '7/27/02');
  assert.deepEqual(device.log, []);
});

test('with a clock it keeps to its rate and gives way between chunks', async () => {
  let now = 0;
  const waits: number[] = [];
  const clock = {
    now: () => now,
    after(delayMs: number, action: () => void) {
      waits.push(Math.round(delayMs));
      now += delayMs;
      queueMicrotask(action);
      return { cancel: () => undefined };
    },
  };
  const { a } = createStage({}, { clock });
  assert.equal(await overwrite(a, 1, [1]), 'GOOD');
  assert.deepEqual(waits, [16, 16, 7]);
});
