// Goal: an arrival that nobody wants is closed, read or not. Method: real connections on loopback.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import type { Arrival } from '../ports/process.ts';
import { listen, parseAddress } from './listener.ts';

async function dropped(handle: (arrival: Arrival) => void): Promise<void> {
  const listener = await listen('127.0.0.1:0', handle);
  assert.ok(listener.ok);
  const client = net.connect(parseAddress(listener.value.address)!);
  client.on('error', () => undefined);
  client.resume();
  const timer = setTimeout(() => client.destroy(new Error('still open')), 5000);
  await once(client, 'connect');
  const [hadError] = await once(client, 'close');
  clearTimeout(timer);
  await listener.value.close();
  assert.equal(hadError, false);
}

test('an arrival that was never read is closed when it is dropped, once', () =>
  dropped((arrival) => {
    arrival.drop();
    arrival.drop();
  }));

test('so is one that is being read', () =>
  dropped((arrival) => {
    arrival.read(
      () => true,
      () => undefined,
    );
    arrival.drop();
  }));
