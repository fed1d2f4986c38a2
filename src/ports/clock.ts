/** Time. Monotonic milliseconds that never go back; nothing in the core knows the wall clock. */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since some fixed moment, with a fraction. */
  now(): number;
  /** Calls `action` once, not before `delayMs` from now. */
  after(delayMs: number, action: () => void): Timer;
}
