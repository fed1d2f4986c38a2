/**
 * Goal: nobody keeps a node busy by asking, and certificates that cannot be used end a connection and nothing else. Method:
 * connections over loopback; who proves, and when, is the test's.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { fail, ok, type Result } from '../base/result.ts';
import { encodePreamble } from '../base/partner-preamble.ts';
import { answerMeasurements, measureLink } from './link-measure.ts';
import { Visitors, VISITORS_MAX } from './visitors.ts';
import type { Proof } from './partner-tls.ts';

const PREAMBLE = encodePreamble({ kind: 'measure', device: '0'.repeat(32), link: 1 });
const NEVER: Proof = {
  connect: () => new Promise(() => undefined),
  accept: () => new Promise(() => undefined),
};
const AT_ONCE: Proof = {
  ...NEVER,
  accept: (socket) => Promise.resolve(ok({ socket, name: 'a' })),
};

async function serve(proof: Result<Proof, string>) {
  const events: string[] = [];
  const trace = (_level: unknown, event: string): void => void events.push(event);
  const visitors = new Visitors({ proof: () => proof, names: ['a'], answer: answerMeasurements, trace });
  const server = net.createServer((socket) => visitors.accept(socket, PREAMBLE));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const connect = async (): Promise<net.Socket> => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  };
  const end = async (sockets: readonly net.Socket[]): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { connect, end, events };
}

test('a partner that is proven is answered', async () => {
  const { connect, end } = await serve(ok(AT_ONCE));
  const socket = await connect();
  assert.ok((await measureLink(socket, false)).ok);
  await end([socket]);
});

test('one more than there may be takes the place of the oldest', async () => {
  const { connect, end } = await serve(ok(NEVER));
  const sockets: net.Socket[] = [];
  // oxlint-disable-next-line no-await-in-loop -- in this order
  for (let count = 0; count < VISITORS_MAX; count++) sockets.push(await connect());
  const [first, second] = sockets as [net.Socket, net.Socket];
  const closed = once(first.resume(), 'close');
  sockets.push(await connect());
  await closed;
  assert.ok(!second.destroyed);
  await end(sockets);
});

test('without certificates a connection ends, and the trace says why', async () => {
  const { connect, end, events } = await serve(fail('they are none'));
  const socket = await connect();
  await once(socket.resume(), 'close');
  assert.deepEqual(events, ['partner.notAnswered']);
  await end([socket]);
});
