/**
 * What happened, for people and for tests: every state transition explains itself. Never on the path of a
 * successful read or write.
 */

export type TraceLevel = 'debug' | 'info' | 'warn' | 'error';

/** `event` is a stable dotted name ('iscsi.login.refused'); `fields` are plain values, never secrets. */
export type Trace = (level: TraceLevel, event: string, fields?: Readonly<Record<string, unknown>>) => void;
