/**
 * The trace as a log: one JSON object per line on standard error, which systemd keeps (journald takes the rest from
 * there). Fields that could be secrets are never printed, whoever passes them, and nobody can make us print without end.
 */

import { pino } from 'pino';
import type { Clock } from '../ports/clock.ts';
import type { Trace, TraceLevel } from '../ports/trace.ts';
import { limitFloods } from './log-flood.ts';

/** What is still to be said must not keep a process that is done. */
const idleClock: Clock = {
  now: () => performance.now(),
  after: (delayMs, action) => {
    const handle = setTimeout(action, delayMs).unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

const SECRETS = ['secret', 'secrets', 'password', 'chap', 'mutual', 'response', 'challenge'];

export function createLog(level: TraceLevel, process: string): Trace {
  const logger = pino(
    {
      level,
      base: { process },
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: [...SECRETS, ...SECRETS.map((name) => `*.${name}`)], censor: '(secret)' },
    },
    // Synchronous: what an engine says last, before an assertion stops it, must arrive.
    pino.destination({ fd: 2, sync: true }),
  );
  return limitFloods((at, event, fields) => logger[at](fields ?? {}, event), idleClock);
}

/** What the supervisor was told with --log-level, as its children find it. */
export function levelOfChildren(): TraceLevel {
  const level = process.env['LOCKSTEP_LOG_LEVEL'];
  return level === 'debug' || level === 'warn' || level === 'error' ? level : 'info';
}
