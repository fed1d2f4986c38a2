/**
 * Goal: a link is measured, and a partner that does not answer is told. Method: two sockets over loopback; one that answers,
 * one that closes.
 */
import assert from 'node:assert/strict';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { interfaceSpeed } from './interfaces.ts';
import { answerMeasurements, measureLink } from './link-measure.ts';

async function connectTo(serve: (socket: net.Socket) => void): Promise<net.Socket & AsyncDisposable> {
  const server = net.createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  return Object.assign(socket, {
    [Symbol.asyncDispose]: () => new Promise<void>((end) => server.close(() => end())),
  });
}

test('round trips and throughput are measured by what the other side has answered', async () => {
  await using socket = await connectTo(answerMeasurements);
  const measured = await measureLink(socket, true);
  assert.ok(measured.ok);
  const { roundTripMs, bytesPerSecond } = measured.value;
  assert.ok(roundTripMs > 0 && roundTripMs < 1000, `${roundTripMs}`);
  assert.ok(bytesPerSecond! > 256 * 1024, `${bytesPerSecond}`);
  assert.ok(socket.destroyed);
});

test('where no data goes only round trips are measured', async () => {
  await using socket = await connectTo(answerMeasurements);
  const measured = await measureLink(socket, false);
  assert.ok(measured.ok && measured.value.bytesPerSecond === undefined);
});

test('a partner that ends the connection is no link', async () => {
  await using socket = await connectTo((other) => other.end().resume());
  const measured = await measureLink(socket, true);
  assert.ok(!measured.ok && /ended the connection|EPIPE|ECONNRESET/.test(measured.fault));
});

test('who takes no answers is cut off', async () => {
  const stuck = new Duplex({ read: () => undefined, write: () => undefined });
  answerMeasurements(stuck as net.Socket);
  for (let pushed = 0; pushed < 3 && !stuck.destroyed; pushed++) {
    stuck.push(new Uint8Array(32 * 1024));
    // oxlint-disable-next-line no-await-in-loop -- what was pushed is taken
    await turn();
  }
  assert.ok(stuck.destroyed);
});

test('an interface is found by its address; loopback has no speed', () => {
  assert.deepEqual(interfaceSpeed('127.0.0.1'), { name: 'lo', bytesPerSecond: undefined });
  assert.equal(interfaceSpeed('203.0.113.77'), undefined);
});
