/**
 * Goal: a question gets its answer, and whoever asks nothing, or something that is none, keeps nobody busy. Method: both ends over
 * a socket in a directory of the test.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { answerOne, ask } from './exchange.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'lockstep-exchange-'));
after(() => rmSync(directory, { recursive: true }));
let servers = 0;

async function answering(answer: (question: unknown) => Promise<unknown>) {
  const file = path.join(directory, `${++servers}.sock`);
  const server = net.createServer((socket) => answerOne(socket, answer));
  await new Promise<void>((resolve) => server.listen(file, resolve));
  return {
    connect: () => net.connect(file),
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

test('a question, however long, gets its answer', async () => {
  await using at = await answering((question) => Promise.resolve({ was: question }));
  const question = { text: 'ü'.repeat(20_000) };
  assert.deepEqual(await ask(at.connect(), question, 5000), { ok: true, value: { was: question } });
});

test('who answers nothing in time is given up', async () => {
  await using at = await answering(() => new Promise((resolve) => setTimeout(resolve, 300, 1)));
  assert.deepEqual(await ask(at.connect(), {}, 50), { ok: false, fault: 'no answer within 0.05 s' });
});

test('what is no question, or too long, is dropped without an answer', async () => {
  await using at = await answering(() => assert.fail('nothing was asked'));
  for (const text of ['hello\n', `"${'x'.repeat(70_000)}"\n`]) {
    const socket = at.connect();
    socket.write(text);
    const chunks: unknown[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => undefined);
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await new Promise((resolve) => socket.once('close', resolve));
    assert.deepEqual(chunks, []);
  }
});

test('where nobody listens the system says why', async () => {
  const asked = await ask(net.connect(path.join(directory, 'none.sock')), {}, 1000);
  assert.ok(!asked.ok);
  assert.match(asked.fault, /ENOENT/);
});
