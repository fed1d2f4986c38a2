/** Signals that ask the program to stop: the first asks, the second insists. */

const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** `timeout` and npm pass on what the terminal has sent us already: the same wish, not a second one. */
const INSISTS_AFTER_MS = 1000;

export interface StopHandlers {
  onStop(signal: string): void;
  onInsist(signal: string): void;
}

export function onStopSignals(handlers: StopHandlers): void {
  let askedAt: number | undefined;
  for (const signal of STOPPING) {
    process.on(signal, () => {
      if (askedAt === undefined) {
        askedAt = performance.now();
        handlers.onStop(signal);
      } else if (performance.now() - askedAt >= INSISTS_AFTER_MS) {
        handlers.onInsist(signal);
      }
    });
  }
}
