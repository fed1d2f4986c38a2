/** What `lockstep` ends with; the same numbers stand in its help. */
export const ExitStatus = {
  ok: 0,
  /** Something failed while running, or could not stop in time. */
  failure: 1,
  /** The arguments or the configuration are wrong; nothing was started. */
  usage: 2,
  /** A port or a file is used by another program. */
  inUse: 3,
} as const;
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];
