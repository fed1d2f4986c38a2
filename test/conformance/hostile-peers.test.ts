/**
 * Goal: peers that keep to no rule disturb nobody: a working initiator goes on in time, without an error and without
 * having to try a command again; the same processes live on, their memory is bounded, every descriptor comes back, and
 * a fresh login works at once. Method: the real program, QEMU's initiator at work, and sockets that do what they like.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, test } from 'node:test';
import { createPrng } from '../../src/base/prng.ts';
import { type HostileBench, openHostileBench, SECRET } from './hostile/bench.ts';
import { Peer } from './hostile/peer.ts';

const GOLDEN = join(import.meta.dirname, '../golden/iscsi/qemu-write-read.initiator');
/** What one session may have under way (`src/iscsi/limits.ts`). */
const SESSION_BYTES_MAX = 64 * 2 ** 20;
const SEED = 7143;
const RECORDED_READ_BYTES = 4096;

let bench: HostileBench;
before(async () => {
  bench = await openHostileBench();
});
after(() => bench[Symbol.asyncDispose]());

const counted = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
const drop = (peers: readonly Peer[]): void => {
  for (const peer of peers) peer.socket.destroy();
};
/** An address of the loopback network, never one of the portal's or the working initiator's. */
const elsewhere = (index: number): string => `127.0.${1 + Math.floor(index / 250)}.${1 + (index % 250)}`;
const connected = (count: number, sourceOf: (index: number) => string = elsewhere): Promise<Peer[]> =>
  Promise.all(counted(count, (index) => Peer.connect(bench.port, sourceOf(index))));

test('a thousand connections that send nothing, half of them from the address of the initiator', () =>
  bench.undisturbed(async () => {
    const here = await connected(500, () => '127.0.0.1');
    const there = await connected(500);
    await bench.freshLogin();
    await delay(500);
    await bench.freshLogin();
    drop([...here, ...there]);
  }));

test('peers that stop in the middle of a PDU, and logins that come byte by byte', () =>
  bench.undisturbed(async () => {
    const stopped = await connected(200);
    for (const [index, peer] of stopped.entries()) {
      const request = peer.loginRequest({ target: bench.open, isid: index });
      peer.send(request.subarray(0, 1 + (index % (request.length - 1))));
    }
    const slow = await connected(20);
    const logins = slow.map(async (peer, index) => {
      for (const byte of peer.loginRequest({ target: bench.open, isid: 1000 + index })) {
        peer.socket.write(Buffer.of(byte));
        await delay(2);
      }
      return (await peer.response(0x23))?.word(36);
    });
    assert.deepEqual(new Set(await Promise.all(logins)), new Set([0]));
    drop([...stopped, ...slow]);
  }));

test('initiators that ask for much and read nothing of it', () =>
  bench.undisturbed(
    async () => {
      const peers = await connected(8);
      for (const [isid, peer] of peers.entries()) {
        assert.equal(await peer.login({ target: bench.open, isid }), 0);
        peer.socket.pause();
        peer.send(...counted(200, (index) => peer.transfer('read', index, (index % 60) * 2048, 2048)));
      }
      await delay(3000);
      drop(peers);
      // Segments of 8 KiB, the default, are copied: the data may be there twice.
    },
    8 * 2 * SESSION_BYTES_MAX,
  ));

test('initiators that announce much and send nothing of it', () =>
  bench.undisturbed(async () => {
    const peers = await connected(40);
    for (const [isid, peer] of peers.entries()) {
      assert.equal(await peer.login({ target: bench.open, isid }), 0);
      const blocks = isid % 2 === 0 ? 32_768 : 2048; // as much as possible; whatever still fits
      peer.send(...counted(200, (index) => peer.transfer('write', index, 0, blocks)));
    }
    await delay(2000);
    drop(peers);
  }));

test('a session that is cut at any byte, by FIN and by RST, 2000 times', () =>
  bench.undisturbed(async () => {
    const recorded = readFileSync(GOLDEN);
    const random = createPrng(SEED);
    const whole = await Peer.connect(bench.port);
    whole.send(recorded);
    await once(whole.socket, 'close'); // it ends with a logout
    assert.ok(whole.received > RECORDED_READ_BYTES, 'the whole recording reads its block back');
    const lane = async (): Promise<void> => {
      for (let count = 0; count < 500; count++) {
        const peer = await Peer.connect(bench.port, elsewhere(random.integer(0, 200)));
        peer.send(recorded.subarray(0, random.integer(0, recorded.length)));
        if (random.integer(0, 1) === 0) await delay(random.integer(0, 3));
        if (random.integer(0, 1) === 0) peer.socket.resetAndDestroy();
        else peer.socket.end(() => peer.socket.destroySoon());
      }
    };
    await Promise.all(counted(4, lane));
  }));

test('floods of discoveries that stay, and of logins to targets that do not exist', () =>
  bench.undisturbed(async () => {
    const peers = await connected(1100, (index) => (index % 2 === 0 ? '127.0.0.1' : elsewhere(index)));
    const answers = await Promise.all(
      peers.map((peer, index) => {
        const target = index % 5 === 0 ? 'iqn.2026-01.test:nowhere' : undefined;
        return peer.login({ target, initiator: `iqn.2026-01.test:host${index}` });
      }),
    );
    assert.ok(answers.filter((status) => status === 0).length >= 100, 'discoveries are answered');
    await bench.freshLogin();
    drop(peers);
  }));

test('who guesses secrets is held up, and nobody else is', () =>
  bench.undisturbed(async () => {
    const guesser = '127.0.0.66';
    const guess = async (secret: string, source: string): Promise<number | undefined> => {
      const peer = await Peer.connect(bench.port, source);
      const status = await peer.loginWithSecret({ target: bench.locked }, 'user', secret);
      peer.socket.destroy();
      return status;
    };
    for (let attempt = 0; attempt < 100; attempt++) assert.notEqual(await guess('wrong', guesser), 0);
    assert.notEqual(await guess(SECRET, guesser), 0, 'even the right one comes too early there');
    assert.equal(await guess(SECRET, '127.0.0.67'), 0);
    await bench.freshLogin(bench.locked, `user%${SECRET}@`);
  }));

test('garbage: other protocols, and bytes that are none', () =>
  bench.undisturbed(async () => {
    const random = createPrng(SEED);
    const peers = await connected(400);
    for (const [index, peer] of peers.entries()) {
      const noise = Uint8Array.from({ length: random.integer(1, 20_000) }, () => random.integer(0, 255));
      const says = [
        Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
        Buffer.from('160301020001', 'hex'),
        noise,
      ];
      peer.send(says[index % says.length]!);
    }
    await delay(1000);
    drop(peers);
  }));
