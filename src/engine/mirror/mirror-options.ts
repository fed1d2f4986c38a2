/** What one node's part in a mirrored device is made of, and what it needs of the world. */

import type { Uuid } from '../../base/uuid.ts';
import type { Site } from '../../cluster/configuration.ts';
import type { Beat, Control } from '../../cluster/messages.ts';
import type { JournalStrategy } from '../../journal/recovery.ts';
import type { GrowableDevice } from '../../ports/block-device.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Disk } from '../../ports/disk.ts';
import type { Trace } from '../../ports/trace.ts';
import type { VoteStore } from '../../ports/vote-store.ts';
import type { ReplicaMessage } from '../../replication/messages.ts';
import type { WritePolicy } from '../../replication/ports.ts';
import type { Handover } from './handover.ts';
import type { OnDocument } from './told-documents.ts';

export interface MirrorOptions {
  readonly self: number;
  readonly device: Uuid;
  readonly site: Site;
  /** All other nodes of the cluster: any of them may have a copy, or get one. Unless told those of the site. */
  readonly neighbours?: readonly number[] | undefined;
  /** Unlike any other start, and above those before. */
  readonly incarnation: number;
  readonly policy: WritePolicy;
  readonly journal: JournalStrategy;
  readonly slotCount: number;
  /** Inside a machine whose clock may stand still. */
  readonly confirmsReads: boolean;
  readonly store: GrowableDevice;
  /** Of a new copy; the length of the medium unless told. The records of one that is there say more. */
  readonly blockCount?: number | undefined;
  /** Superblock and journal. */
  readonly records: Disk;
  readonly copyId: Uuid;
  /** Where the witness's vote lies if it is no process, or (heartbeat) what the arbiter knows. */
  readonly votes?: VoteStore | undefined;
  readonly ports: MirrorPorts;
}

export interface MirrorPorts {
  readonly clock: Clock;
  readonly trace: Trace;
  random(): number;
  newId(): Uuid;
  readonly digest: (data: readonly Uint8Array[]) => string;
  sendBeat(to: number, beat: Beat): void;
  sendControl(to: number, message: Control<Handover>, onSync: boolean): void;
  sendReplica(to: number, message: ReplicaMessage): void;
  isCongested(to: number): boolean;
  /** The process stood still: whoever asked has gone elsewhere, and what it sent before must not be looked at. */
  readonly dropSessions: (reason: string) => void;
  /** The copy can do no more; it may be opened again when it has `settled`. */
  onFailed(reason: string): void;
  /** What initiators should be told has changed. */
  onChanged(): void;
  /**
   * What a document says, told by every member and learner, also by the one that changed it: once the change is everywhere
   * (it can be read, `MirrorNode.isDocumentSettled`), before anything begins that came after it, and before `done` of
   * `changeDocument`; and what an installed configuration brings, before anything begins in it. In order of revisions; what a newer one has replaced
   * meanwhile may be left out. After a start everything is told with the first configuration. Nothing is asked back, and
   * no change may begin from within.
   */
  onDocument: OnDocument;
}
