/**
 * What the product throws while it runs. A failed assertion stops a process, so it is a violation like any other, whether
 * it came out of an event or out of a promise that nobody caught; the simulator itself goes on with the next seed.
 */

export interface BugViolation {
  readonly rule: 'stopped';
  readonly explanation: string;
}

export interface BugWatch extends Disposable {
  readonly first: unknown;
  readonly violation: BugViolation | undefined;
  /** Runs `action`; what it throws is kept. */
  catch(action: () => Promise<void>): Promise<void>;
  /** The same without promises; undefined if it threw. */
  guard<T>(action: () => T): T | undefined;
}

const STACK_LINES_MAX = 8;

/** Until it is disposed, promises that nobody caught are told to it alone. */
export function watchForBugs(): BugWatch {
  let first: unknown;
  const keep = (error: unknown): void => {
    first ??= error ?? new Error('undefined was thrown');
  };
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', keep);

  return {
    get first() {
      return first;
    },
    get violation() {
      return first === undefined ? undefined : { rule: 'stopped' as const, explanation: describe(first) };
    },
    async catch(action) {
      try {
        await action();
      } catch (error) {
        keep(error);
      }
    },
    guard(action) {
      try {
        return action();
      } catch (error) {
        keep(error);
        return undefined;
      }
    },
    [Symbol.dispose]() {
      process.removeListener('unhandledRejection', keep);
      for (const listener of others) process.on('unhandledRejection', listener);
    },
  };
}

function describe(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return text.split('\n').slice(0, STACK_LINES_MAX).join('\n');
}
