/**
 * Goal: a device of this node alone becomes larger while it is used; its initiators hear it once, and people why it does not.
 * Method: RAM, in front of it a logical unit with an initiator.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { createLogicalUnit } from '../scsi/logical-unit.ts';
import { createReservations } from '../scsi/reservations/reservations.ts';
import { Client, said, targetAt } from '../scsi/testing/client.ts';
import { createRamStore } from '../store/ram-store.ts';
import type { OpenDevice } from './devices.ts';
import { extendDevice } from './extend.ts';
import { servedDevice } from './served-device.ts';

const BLOCK = 512;
const TEST_UNIT_READY = [0, 0, 0, 0, 0, 0];

function opened(readOnly = false): { readonly device: OpenDevice; readonly client: Client } {
  const store = createRamStore({ blockLength: BLOCK, blockCount: 100, readOnly });
  const device = servedDevice(store, 3);
  const naa = Uint8Array.from({ length: 16 }, (_, at) => (at === 0 ? 0x6f : at));
  const identity = { product: 'VIRTUAL DISK', revision: '0001', serial: 'S', naa };
  const unit = createLogicalUnit({ device, identity, reservations: createReservations() });
  const client = new Client(targetAt(1, unit), 'iqn.1');
  // Nothing but what `extendDevice` looks at.
  return { device: { device, unit, store, mirror: undefined } as Partial<OpenDevice> as OpenDevice, client };
}

async function attentions(client: Client): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const answer = said(await client.send(TEST_UNIT_READY).ended);
    if (!answer.startsWith('6/')) return found;
    found.push(answer);
  }
}

test('it is larger at once, for those who ask and for those who write; initiators are told once', async () => {
  const { device, client } = opened();
  await attentions(client);
  assert.deepEqual(await extendDevice('disk1', device, 300 * BLOCK), { ok: true, value: undefined });
  assert.deepEqual(await attentions(client), ['6/2a/09']);
  assert.equal(device.device.geometry.blockCount, 300);
  assert.equal(device.device.geometry.physicalBlockExponent, 3);
  assert.ok((await device.device.write(299, [new Uint8Array(BLOCK)], 'durable')).ok);
  assert.deepEqual(await extendDevice('disk1', device, 300 * BLOCK), { ok: true, value: undefined });
  assert.deepEqual(await attentions(client), [], 'as large as it is');
});

test('why not is a sentence that names the device', async () => {
  const { device, client } = opened();
  await attentions(client);
  const why = async (bytes: number, of: OpenDevice = device): Promise<string> => {
    const extended = await extendDevice('disk1', of, bytes);
    assert.ok(!extended.ok);
    return extended.fault;
  };
  assert.equal(
    await why(99 * BLOCK),
    'Device disk1 was not extended to 50688 bytes: a device never becomes smaller.',
  );
  assert.match(await why(300 * BLOCK + 1), /no multiple of its sector length 512\.$/);
  assert.match(await why(Number.NaN), /that is no size\.$/);
  assert.match(await why(300 * BLOCK, opened(true).device), /a disk in memory is read-only\.$/);
  assert.deepEqual(await attentions(client), []);
});

test('two at once: the larger size holds, and nothing that was written in between is lost', async () => {
  const { device } = opened();
  const both = [extendDevice('disk1', device, 200 * BLOCK), extendDevice('disk1', device, 300 * BLOCK)];
  const written = device.device.write(99, [new Uint8Array(BLOCK).fill(7)], 'durable');
  assert.deepEqual(
    (await Promise.all(both)).map(({ ok }) => ok),
    [true, true],
  );
  assert.ok((await written).ok);
  assert.equal(device.device.geometry.blockCount, 300);
});
