/**
 * Keeps whoever makes us write a line from making us write millions: each event has so many lines in a period, and the
 * rest of them is counted. What was asked for with --log-level debug is given in full.
 */

import type { Clock } from '../ports/clock.ts';
import type { Trace } from '../ports/trace.ts';

export const LINES_PER_PERIOD_MAX = 20;
export const FLOOD_PERIOD_MS = 10_000;

interface Period {
  readonly endsAt: number;
  lines: number;
}

/** Events are stable names, so there are few periods. */
export function limitFloods(trace: Trace, clock: Clock): Trace {
  const periods = new Map<string, Period>();
  return (level, event, fields) => {
    if (level === 'debug') {
      trace(level, event, fields);
      return;
    }
    const now = clock.now();
    let period = periods.get(event);
    if (period === undefined || now >= period.endsAt) {
      period = { endsAt: now + FLOOD_PERIOD_MS, lines: 0 };
      periods.set(event, period);
    }
    period.lines += 1;
    if (period.lines <= LINES_PER_PERIOD_MAX) {
      trace(level, event, fields);
    } else if (period.lines === LINES_PER_PERIOD_MAX + 1) {
      const flooded = period;
      clock.after(flooded.endsAt - now, () => {
        if (periods.get(event) === flooded) periods.delete(event);
        trace(level, 'log.leftOut', { of: event, lines: flooded.lines - LINES_PER_PERIOD_MAX });
      });
    }
  };
}
