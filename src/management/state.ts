/** Where a node keeps what outlives it, and the name it has there. */

import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fail, ok, type Result } from '../base/result.ts';

/** /var/lib/lockstep for the service, the user's own directory for everybody else. */
export function defaultStateDirectory(): string {
  if (process.getuid?.() === 0) return '/var/lib/lockstep';
  return path.join(process.env['XDG_STATE_HOME'] ?? path.join(os.homedir(), '.local/state'), 'lockstep');
}

/** Names of this installation's devices are made from it: written once, never changed. */
export function nodeIdIn(directory: string): Result<string, string> {
  const file = path.join(directory, 'node-id');
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    // Only one of two that start at once writes it; both then read the same.
    writeFileSync(file, `${randomUUID()}\n`, { flag: 'wx', mode: 0o600, flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return fail(cannot(file, error));
  }
  try {
    const id = readFileSync(file, 'utf8').trim();
    if (id.length === 36) return ok(id);
    return fail(
      `${file} is damaged: restore it from a backup; with another one, every disk would change its identity.`,
    );
  } catch (error) {
    return fail(cannot(file, error));
  }
}

/** Identifies this machine, for disks that are exported without a configuration. */
export function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    return os.hostname();
  }
}

export function newStartId(): string {
  return randomUUID();
}

function cannot(file: string, error: unknown): string {
  const why = error instanceof Error ? error.message : String(error);
  return `Cannot keep the node's identity in ${file} (${why}); set [node] state_directory to a directory of ours.`;
}
