/** The TCP stream over real sockets on the loopback. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import type { ByteStream, ReceivedBytes } from '../ports/byte-stream.ts';
import { streamOver } from './tcp.ts';

interface Pair extends AsyncDisposable {
  readonly stream: ByteStream;
  readonly peer: net.Socket;
  readonly server: net.Server;
}

async function connect(head?: Uint8Array): Promise<Pair> {
  const server = net.createServer({ pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const peer = net.connect(port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  peer.on('error', () => undefined);
  const stream = streamOver(socket, head);
  return {
    stream,
    peer,
    server,
    [Symbol.asyncDispose]: async () => {
      stream.abort();
      peer.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function collect(stream: ByteStream, onBytes: (received: ReceivedBytes) => void = () => undefined) {
  const received: Buffer[] = [];
  let resolveClosed: (cause: string | undefined) => void = () => undefined;
  const closed = new Promise<string | undefined>((resolve) => (resolveClosed = resolve));
  const events = { drained: 0, turns: 0 };
  stream.start({
    onBytes: (bytes) => {
      received.push(Buffer.from(bytes.buffer.subarray(bytes.start, bytes.end)));
      onBytes(bytes);
    },
    onDrained: () => events.drained++,
    onTurnEnd: () => events.turns++,
    onClosed: resolveClosed,
  });
  return { received: () => Buffer.concat(received), closed, events };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

const pattern = (length: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 7) & 0xff));

test('bytes arrive in order and whole, small and large', async () => {
  await using pair = await connect();
  const { received } = collect(pair.stream);
  const sent = pattern(3_000_000);
  pair.peer.write(sent.subarray(0, 10));
  pair.peer.write(sent.subarray(10));
  await until(() => received().length === sent.length);
  assert.deepEqual(received(), sent);
});

test('retained bytes are never rewritten by later reads', async () => {
  await using pair = await connect();
  const held: { readonly view: Uint8Array; readonly copy: Buffer; readonly source: ReceivedBytes }[] = [];
  let length = 0;
  collect(pair.stream, (bytes) => {
    bytes.retain();
    const view = bytes.buffer.subarray(bytes.start, bytes.end);
    held.push({ view, copy: Buffer.from(view), source: bytes });
    length += view.length;
  });
  const sent = pattern(2_000_000);
  pair.peer.write(sent);
  await until(() => length === sent.length);
  for (const { view, copy } of held) assert.deepEqual(Buffer.from(view), copy);
  assert.deepEqual(Buffer.concat(held.map(({ view }) => view)), sent);
  for (const { source } of held) source.release();
});

test('a head that was read before comes first', async () => {
  await using pair = await connect(pattern(20_000));
  const { received } = collect(pair.stream);
  assert.deepEqual(received(), pattern(20_000));
  pair.peer.write('after');
  await until(() => received().length === 20_005);
  assert.equal(received().subarray(20_000).toString(), 'after');
});

test('segments leave in order and are reported taken', async () => {
  await using pair = await connect();
  collect(pair.stream);
  const chunks: Buffer[] = [];
  pair.peer.on('data', (chunk: Buffer) => chunks.push(chunk));
  let taken = 0;
  pair.stream.send([pattern(5), pattern(70_000), pattern(3)], () => taken++);
  assert.equal(taken, 0, 'never within send');
  pair.stream.send([pattern(9)], () => taken++);
  await until(() => Buffer.concat(chunks).length === 70_017 && taken === 2);
  assert.deepEqual(
    Buffer.concat(chunks),
    Buffer.concat([pattern(5), pattern(70_000), pattern(3), pattern(9)]),
  );
});

test('a peer that does not read makes send ask to stop, and drained follows when it reads', async () => {
  await using pair = await connect();
  const { events } = collect(pair.stream);
  pair.peer.pause();
  let flowing = true;
  for (let count = 0; flowing && count < 100; count++) flowing = pair.stream.send([pattern(1_000_000)]);
  assert.equal(flowing, false);
  assert.equal(events.drained, 0);
  pair.peer.resume();
  await until(() => events.drained === 1);
  assert.ok(pair.stream.backlog <= 1024 * 1024);
});

test('pause stops the bytes, resume brings them', async () => {
  await using pair = await connect();
  const { received } = collect(pair.stream);
  pair.stream.pause();
  pair.peer.write('later');
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(received().length, 0);
  pair.stream.resume();
  await until(() => received().length === 5);
});

test('requests for the end of the turn are one call', async () => {
  await using pair = await connect();
  const { events } = collect(pair.stream);
  pair.stream.requestTurnEnd();
  pair.stream.requestTurnEnd();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(events.turns, 1);
});

test('the end of the peer is the orderly end of the stream', async () => {
  await using pair = await connect();
  const { closed } = collect(pair.stream);
  pair.peer.end();
  assert.equal(await closed, undefined);
});

test('a reset by the peer is an end with its cause', async () => {
  await using pair = await connect();
  const { closed } = collect(pair.stream);
  pair.peer.resetAndDestroy();
  assert.match(String(await closed), /ECONNRESET/);
});

test('close sends what is queued before the end', async () => {
  await using pair = await connect();
  const { closed } = collect(pair.stream);
  let length = 0;
  pair.peer.on('data', (chunk: Buffer) => (length += chunk.length));
  pair.peer.write('not read by anybody');
  pair.stream.pause();
  pair.stream.send([pattern(500_000)]);
  pair.stream.close(60_000);
  await closed;
  await until(() => length === 500_000);
});

test('close is forced after its time when the peer takes nothing', async () => {
  await using pair = await connect();
  const { closed } = collect(pair.stream);
  pair.peer.pause();
  let taken = 0;
  for (let count = 0; count < 20; count++) pair.stream.send([pattern(1_000_000)], () => taken++);
  pair.stream.close(20);
  await closed;
  await until(() => taken === 20);
});

test('an address is told the way it is written', async () => {
  await using pair = await connect();
  assert.match(pair.stream.remoteAddress, /^127\.0\.0\.1:\d+$/);
  assert.match(pair.stream.localAddress, /^127\.0\.0\.1:\d+$/);
});
