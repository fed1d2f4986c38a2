/** Signals that ask the program to stop: the first asks, the second insists. */

const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface StopHandlers {
  onStop(signal: string): void;
  onInsist(signal: string): void;
}

export function onStopSignals(handlers: StopHandlers): void {
  let asked = false;
  for (const signal of STOPPING) {
    process.on(signal, () => {
      if (asked) handlers.onInsist(signal);
      else handlers.onStop(signal);
      asked = true;
    });
  }
}
