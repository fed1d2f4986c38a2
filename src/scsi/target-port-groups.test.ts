/** Goal: REPORT TARGET PORT GROUPS in both formats, from the default and from another provider. Method: bytes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogicalUnit } from './logical-unit.ts';
import { AccessState, GroupStatus, TARGET_PORT_GROUP_COMMANDS } from './target-port-groups.ts';
import { createInitiator, createPort, type Initiator } from './testing/initiator.ts';
import { createMemoryDevice } from './testing/memory-device.ts';

function createStage(): { unit: ReturnType<typeof createLogicalUnit>; initiator: Initiator } {
  const naa = Uint8Array.from({ length: 16 }, () => 0x60);
  const identity = { product: 'TEST', revision: '1', serial: 'S', naa };
  const unit = createLogicalUnit({ device: createMemoryDevice(8), identity });
  createPort(7, [unit]);
  const port = createPort(2, [unit]);
  return { unit, initiator: createInitiator(unit, port, 'iqn.a', TARGET_PORT_GROUP_COMMANDS) };
}

const cdb = (format: number, allocationLength: number): number[] => [
  0xa3,
  (format << 5) | 0x0a,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  allocationLength,
  0,
  0,
];

const GROUPS = '008f0002000000010000000200' + '8f000700000001' + '00000007';

async function report(initiator: Initiator, format: number, allocationLength = 255): Promise<string> {
  const { outcome, data } = await initiator.send(cdb(format, allocationLength));
  return outcome === 'GOOD' ? Buffer.from(data).toString('hex') : outcome;
}

test('every port of the unit is reported active/optimized, through whichever port one asks', async () => {
  const { initiator } = createStage();
  assert.equal(await report(initiator, 0), `00000018${GROUPS}`);
  assert.equal(await report(initiator, 1), `0000001c10000000${GROUPS}`);
  assert.equal(await report(initiator, 2), '5/24/00');
});

test('the allocation length cuts the data, not the length field', async () => {
  const { initiator } = createStage();
  assert.equal(await report(initiator, 0, 4), '00000018');
  assert.equal(await report(initiator, 0, 0), '');
});

test('another provider is asked for each command', async () => {
  const { unit, initiator } = createStage();
  unit.portGroups = () => ({
    groups: [
      {
        group: 0x102,
        state: AccessState.UNAVAILABLE,
        preferred: true,
        status: GroupStatus.BY_IMPLICIT_TRANSITION,
        ports: [1],
      },
    ],
    implicitTransitionSeconds: 60,
  });
  assert.equal(await report(initiator, 1), '00000010103c0000' + '838f010200020001' + '00000001');
});
