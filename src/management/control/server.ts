/**
 * The control process's answers to `lockstep`: a Unix socket (mode 0600) that takes one question from each client. What it is
 * asked of devices it passes on, as it came.
 */

import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fail } from '../../base/result.ts';
import type { DeviceAnswer, DeviceCommand } from '../../engine/device-commands.ts';
import type { Trace } from '../../ports/trace.ts';
import { answerOne } from './exchange.ts';
import { questionIn } from './question.ts';
import { type NodeStatus, SOCKET_NAME } from './status.ts';

const CLIENTS_MAX = 16;

export interface ControlServer {
  /** The socket takes clients from now on, or there is none and the log says why. */
  readonly ready: Promise<void>;
  close(): void;
}

export interface ControlAnswers {
  status(): NodeStatus;
  command(device: string, command: DeviceCommand): Promise<DeviceAnswer>;
}

export function serveControl(directory: string, answers: ControlAnswers, trace: Trace): ControlServer {
  const file = path.join(directory, SOCKET_NAME);
  const server = net.createServer((client) => answerOne(client, (asked) => answerTo(asked, answers)));
  server.maxConnections = CLIENTS_MAX;
  const ready = new Promise<void>((resolve) => {
    const failed = (error: unknown): void => {
      const cause = error instanceof Error ? error.message : String(error);
      trace('warn', 'control.noSocket', { file, cause });
      resolve();
    };
    server.on('error', failed);
    server.on('listening', resolve);
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      rmSync(file, { force: true }); // left by one that was killed
      const mask = process.umask(0o177);
      server.listen(file, () => chmodSync(file, 0o600));
      process.umask(mask);
    } catch (error) {
      failed(error);
    }
  });
  return {
    ready,
    close: () => {
      server.close();
      rmSync(file, { force: true });
    },
  };
}

async function answerTo(asked: unknown, answers: ControlAnswers): Promise<unknown> {
  const question = questionIn(asked);
  if (question === undefined) return fail('The node does not know what is asked: it runs another version.');
  return question.kind === 'status' ? answers.status() : answers.command(question.device, question.command);
}
