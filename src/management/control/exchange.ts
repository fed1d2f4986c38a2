/**
 * One question and one answer on a connection that is over then, each a line of JSON: an administrator's to a node, and a
 * node's to another one.
 */

import type { Socket } from 'node:net';
import { fail, ok, type Result } from '../../base/result.ts';

const QUESTION_BYTES_MAX = 64 * 1024;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
/** For the question to come, and for the answer to be taken. */
const TRANSFER_MS_MAX = 5000;
const NEWLINE = 0x0a;

/** Ends the connection. The fault is a clause for people: why there is no answer within `withinMs`. */
export async function ask(
  socket: Socket,
  question: unknown,
  withinMs: number,
): Promise<Result<unknown, string>> {
  socket.write(`${JSON.stringify(question)}\n`);
  const timer = setTimeout(
    () => socket.destroy(new Error(`no answer within ${withinMs / 1000} s`)),
    withinMs,
  );
  const answer = await lineOf(socket, ANSWER_BYTES_MAX);
  clearTimeout(timer);
  socket.destroy();
  return answer;
}

/** `answer` is called with what is asked, when it is JSON. Who asks nothing, or too much, is dropped. */
export function answerOne(socket: Socket, answer: (question: unknown) => Promise<unknown>): void {
  socket.setTimeout(TRANSFER_MS_MAX, () => socket.destroy());
  void lineOf(socket, QUESTION_BYTES_MAX).then(async (question) => {
    if (!question.ok) return socket.destroy();
    // What is asked may take its time.
    socket.setTimeout(0);
    socket.on('error', () => socket.destroy());
    const told = await answer(question.value);
    socket.setTimeout(TRANSFER_MS_MAX, () => socket.destroy());
    return socket.end(`${JSON.stringify(told)}\n`);
  });
}

function lineOf(socket: Socket, bytesMax: number): Promise<Result<unknown, string>> {
  const parts: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve) => {
    const failed = (why: string): void => resolve(fail(why));
    socket.on('error', (error) => failed(error.message));
    socket.on('close', () => failed('the connection ended before the answer came'));
    socket.on('data', (part: Buffer) => {
      const end = part.indexOf(NEWLINE);
      parts.push(end < 0 ? part : part.subarray(0, end));
      bytes += part.length;
      if (bytes > bytesMax) return failed('it is too long');
      if (end < 0) return;
      socket.removeAllListeners('data');
      resolve(parsed(Buffer.concat(parts).toString('utf8')));
    });
  });
}

function parsed(text: string): Result<unknown, string> {
  try {
    return ok(JSON.parse(text));
  } catch {
    return fail('it is no JSON');
  }
}
