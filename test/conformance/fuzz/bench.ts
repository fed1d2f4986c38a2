/** What is fuzzed: a node with the real device server on RAM, one target for the fuzzer and one for a bystander. */

import { createPrng, type Prng } from '../../../src/base/prng.ts';
import { crc32c } from '../../../src/base/crc32c.ts';
import { DEFAULT_LIMITS } from '../../../src/iscsi/login/parameters.ts';
import { ManualClock, TARGET } from '../../../src/iscsi/testing/raw-initiator.ts';
import { createIscsiNode, type IscsiNode } from '../../../src/iscsi/target.ts';
import { createLogicalUnit, type LogicalUnit } from '../../../src/scsi/logical-unit.ts';
import { openReservations } from '../../../src/scsi/reservations/reservations.ts';
import { createTargetDevice } from '../../../src/scsi/target-device.ts';
import { createRamStore } from '../../../src/store/ram-store.ts';
import { platformCrypto } from '../../../src/runtime/crypto.ts';

export const BYSTANDER_TARGET = 'iqn.2026-01.test.lockstep:bystander';
export const CHAP_TARGET = 'iqn.2026-01.test.lockstep:locked';
export const BLOCK_LENGTH = 512;
export const BLOCK_COUNT = 4096;

export interface FuzzBench {
  readonly node: IscsiNode;
  readonly clock: ManualClock;
  readonly random: Prng;
  /** Problems the node itself has reported as such. */
  readonly complaints: string[];
}

export async function openFuzzBench(seed: number): Promise<FuzzBench> {
  const clock = new ManualClock();
  const complaints: string[] = [];
  const trace = (level: string, event: string): void => {
    if (level === 'error') complaints.push(event);
  };
  const anybody = { allowNone: true, chap: undefined };
  const node = createIscsiNode({
    clock,
    crypto: platformCrypto,
    crc32c,
    trace,
    discovery: anybody,
    discoveryLimits: DEFAULT_LIMITS,
    sendTargetsAllInNormalSession: false,
    throttle: undefined,
  });
  const credential = { name: 'fuzzer', secret: Uint8Array.from({ length: 16 }, (_, i) => 33 + i) };
  const locked = { allowNone: false, chap: { algorithms: ['md5', 'sha256'], credentials: [credential] } };
  let port = 0;
  for (const name of [TARGET, BYSTANDER_TARGET, CHAP_TARGET]) {
    port++;
    const units = new Map<number, LogicalUnit>();
    for (const lun of [0, 1]) units.set(lun, await openUnit(port * 16 + lun, clock));
    node.addTarget({
      name,
      alias: undefined,
      portals: [{ address: '127.0.0.1:3260', portalGroupTag: 1 }],
      availability: 'available',
      redirection: undefined,
      authentication: (name === CHAP_TARGET ? locked : anybody) as typeof anybody,
      initiators: 'any',
      limits: DEFAULT_LIMITS,
      scsi: createTargetDevice({
        targetName: name,
        portalGroupTag: 1,
        relativeTargetPort: port,
        units,
        trace,
      }),
    });
  }
  return { node, clock, random: createPrng(seed), complaints };
}

async function openUnit(number: number, clock: ManualClock): Promise<LogicalUnit> {
  const device = createRamStore({ blockLength: BLOCK_LENGTH, blockCount: BLOCK_COUNT });
  await device.writeSame(0, BLOCK_COUNT, new Uint8Array(BLOCK_LENGTH).fill(number), 'cached');
  const reservations = await openReservations({ trace: () => undefined });
  if (!reservations.ok) throw new Error('reservations without a record cannot fail to open');
  const naa = new Uint8Array(16).fill(number);
  naa[0] = 0x60;
  return createLogicalUnit({
    device,
    identity: { product: 'FUZZ', revision: '1', serial: `F${number}`, naa },
    removable: number % 2 === 1,
    clock,
    crypto: platformCrypto,
    reservations: reservations.value,
  });
}

/** Lets every promise reaction that is due run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
