/**
 * A small durable record (persistent reservations with APTPL, identities): all of it or the former one, whatever
 * happens while it is written. Production: `runtime/record-file.ts`.
 */

import type { Result } from '../base/result.ts';

export type RecordFault =
  /** No copy that checks out is left, though there was one: never taken for "nothing stored". */
  | { readonly kind: 'corrupt'; readonly name: string; readonly cause: string }
  | { readonly kind: 'ioError'; readonly name: string; readonly cause: string };

export interface RecordFile {
  /** Name for messages. */
  readonly name: string;
  /** The last record saved; undefined when none ever was. */
  load(): Promise<Result<Uint8Array | undefined, RecordFault>>;
  /** Durable when it answers. */
  save(record: Uint8Array): Promise<Result<void, RecordFault>>;
}
