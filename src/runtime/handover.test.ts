/**
 * Goal: a connection that is read here for a while and then handed to another process loses no byte and doubles none,
 * however the client cuts what it sends. Method: real sockets and a real child, which is this file again and echoes.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, test } from 'node:test';
import type { Arrival, Child, Listener } from '../ports/process.ts';
import { spawnChild } from './child-process.ts';
import { listen, parseAddress } from './listener.ts';
import { connectParent, socketOf } from './parent.ts';
import { streamOver } from './tcp.ts';

const HEAD_LENGTH = 100;

if (process.argv[2] === 'echo') runEcho();
else runTests();

function runEcho(): void {
  const parent = connectParent({
    onMessage: (message, handle) => {
      if (handle === undefined) process.exit(0);
      const stream = streamOver(socketOf(handle), (message as { head: Uint8Array }).head);
      stream.start({
        onBytes: ({ buffer, start, end }) => stream.send([buffer.slice(start, end)]),
        onTurnEnd: () => undefined,
        onDrained: () => undefined,
        onClosed: () => undefined,
      });
    },
    onOrphaned: () => process.exit(0),
  });
  parent.send('ready');
}

function runTests(): void {
  let child: Child;
  let listener: Listener;

  /** Reads at least the head, in as many steps as it takes, then hands over. */
  function arrived(arrival: Arrival): void {
    let head = Buffer.alloc(0);
    arrival.read(
      (bytes) => {
        head = Buffer.concat([head, bytes]);
        if (head.length < HEAD_LENGTH) return true;
        child.handOver({ head: Uint8Array.from(head) }, arrival);
        return false;
      },
      () => undefined,
    );
  }

  before(async () => {
    await new Promise<void>((resolve) => {
      child = spawnChild(
        { program: import.meta.filename, args: ['echo'], compileCache: undefined, environment: {} },
        { onMessage: () => resolve(), onExit: () => undefined },
      );
    });
    const opened = await listen('127.0.0.1:0', arrived);
    assert.ok(opened.ok);
    listener = opened.value;
  });

  after(async () => {
    await listener.close();
    child.kill('SIGTERM');
  });

  /** What comes back for `pieces`, sent one by one with a pause of so many milliseconds. */
  async function echoed(pieces: readonly Buffer[], pauseMs: number): Promise<Buffer> {
    const expected = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const socket = net.connect({ ...parseAddress(listener.address)!, noDelay: true });
    const received: Buffer[] = [];
    const done = new Promise<void>((resolve, reject) => {
      let length = 0;
      socket.on('data', (chunk) => {
        received.push(chunk);
        length += chunk.length;
        if (length >= expected) setTimeout(resolve, 20); // whatever comes doubled comes now
      });
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('closed early')));
    });
    for (const piece of pieces) {
      socket.write(piece);
      if (pauseMs >= 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    await done;
    socket.removeAllListeners('close');
    socket.destroy();
    return Buffer.concat(received);
  }

  const pattern = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, at) => (at * 7) & 0xff));

  test('everything in one packet', async () => {
    const sent = pattern(5000);
    assert.deepEqual(await echoed([sent], -1), sent);
  });

  test('byte by byte', async () => {
    const sent = pattern(HEAD_LENGTH * 3);
    const pieces = Array.from(sent, (byte) => Buffer.of(byte));
    assert.deepEqual(await echoed(pieces, 0), sent);
  });

  test('a stream that never pauses', async () => {
    const sent = pattern(2_000_000);
    const pieces = Array.from({ length: 200 }, (_, at) => sent.subarray(at * 10_000, (at + 1) * 10_000));
    assert.deepEqual(await echoed(pieces, -1), sent);
  });

  test('many connections at once', async () => {
    const sent = Array.from({ length: 40 }, (_, at) => pattern(HEAD_LENGTH + at));
    const got = await Promise.all(
      sent.map((bytes) => echoed([bytes.subarray(0, 50), bytes.subarray(50)], 1)),
    );
    assert.deepEqual(got, sent);
  });

  test('a peer that leaves while it is read is told of', async () => {
    const closed = new Promise<void>((resolve) => {
      void listen('127.0.0.1:0', (arrival) => {
        arrival.read(
          () => true,
          () => resolve(),
        );
      }).then((opened) => {
        assert.ok(opened.ok);
        const socket = net.connect(parseAddress(opened.value.address)!, () => socket.end('x'));
        socket.on('close', () => void opened.value.close());
      });
    });
    await closed;
  });

  test('connections on their way to a child that is killed are closed', async () => {
    const frozen = await new Promise<Child>((resolve) => {
      const started: Child = spawnChild(
        { program: import.meta.filename, args: ['echo'], compileCache: undefined, environment: {} },
        { onMessage: () => resolve(started), onExit: () => undefined },
      );
    });
    process.kill(frozen.pid, 'SIGSTOP');
    let handedOver = 0;
    const opened = await listen('127.0.0.1:0', (arrival) => {
      arrival.read(
        () => {
          frozen.handOver({}, arrival);
          if (++handedOver === 8) frozen.kill('SIGKILL');
          return false;
        },
        () => undefined,
      );
    });
    assert.ok(opened.ok);
    const closed = Array.from({ length: 8 }, () => {
      const socket = net.connect(parseAddress(opened.value.address)!, () => socket.write('x'));
      socket.on('error', () => undefined); // 'close' follows
      return once(socket, 'close');
    });
    await Promise.all(closed);
    await opened.value.close();
  });

  test('a port in use is a fault that says so, and no address is one too', async () => {
    const again = await listen(listener.address, () => undefined);
    assert.equal(again.ok ? '' : again.fault.reason, 'inUse');
    for (const address of ['localhost', '127.0.0.1', '127.0.0.1:99999', '1.2.3:80', '']) {
      const bad = await listen(address, () => undefined);
      assert.match(bad.ok ? '' : bad.fault.message, /is no address to listen on/, address);
    }
    const foreign = await listen('192.0.2.1:3260', () => undefined);
    assert.match(foreign.ok ? '' : foreign.fault.message, /this machine has no such address/);
  });
}
