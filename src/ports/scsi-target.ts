/**
 * Where a transport (iSCSI) and the SCSI device server meet. The names are SAM-5's transport protocol services
 * (§5.4, §7): the transport knows no CDB, the device server knows no PDU. Both sides are synchronous calls in one
 * thread; either may be answered within the call.
 *
 *   transport                                   device server
 *   nexus.submit(task)            ───────────►  decodes, checks, queues
 *   task.receiveDataOut(length)   ◄───────────  (only for commands that take data)
 *   nexus.dataOutReceived(task, segments) ────► executes
 *   task.complete(…)              ◄───────────  status, sense, data-in; exactly once …
 *   task.abandoned()              ◄───────────  … or this: aborted, no response is due
 */

import type { MaybeAsync } from '../base/result.ts';
import type { Loan } from './block-device.ts';

/** SAM-5 §8.6. */
export type TaskAttribute = 'simple' | 'ordered' | 'headOfQueue' | 'aca';

/** SAM-5 §5.3.1 status codes. */
export const Status = {
  GOOD: 0x00,
  CHECK_CONDITION: 0x02,
  CONDITION_MET: 0x04,
  BUSY: 0x08,
  RESERVATION_CONFLICT: 0x18,
  TASK_SET_FULL: 0x28,
  ACA_ACTIVE: 0x30,
  TASK_ABORTED: 0x40,
} as const;
export type Status = (typeof Status)[keyof typeof Status];

/** One command. Made by the transport, one per SCSI Command PDU. */
export interface Task {
  /** 8-byte logical unit number as received, as two 32-bit halves (SAM-5 §4.7); decode with base/lun.ts. */
  readonly lunHigh: number;
  readonly lunLow: number;
  /** Unique among the nexus's tasks (iSCSI: initiator task tag). */
  readonly tag: number;
  readonly attribute: TaskAttribute;
  /** The CDB, 16 bytes, or longer when the transport carried an extended CDB. Valid until the task ends. */
  readonly cdb: Uint8Array;
  /** Monotonic milliseconds of arrival. */
  readonly arrivedAt: number;
  /** Bytes the initiator is ready to send and to take; the transport alone computes residuals from it. */
  readonly dataOutBufferLength: number;
  readonly dataInBufferLength: number;
  /** The device server's own record of the task; undefined for the transport. */
  server: unknown;

  /**
   * Receive Data-Out (): fetch `length` bytes. The transport answers with `dataOutReceived`, with fewer bytes when
   * the initiator offers fewer (`dataOutBufferLength`).
   */
  receiveDataOut(length: number): void;
  /**
   * Send Data-In () and Send Command Complete (). `sense` with CHECK CONDITION only. Data beyond what the initiator
   * takes is cut off by the transport and counted as overflow. The transport releases the loan.
   */
  complete(status: Status, sense: Uint8Array | undefined, dataIn: Loan | undefined): void;
  /** The task ended without a response (aborted, its nexus or its logical unit was reset). */
  abandoned(): void;
}

/** SAM-5 §7.1 with the codes of RFC 7143 §11.5.1 left to the transport. */
export type TaskManagementFunction =
  | { readonly kind: 'abortTask'; readonly lunHigh: number; readonly lunLow: number; readonly tag: number }
  | { readonly kind: 'abortTaskSet'; readonly lunHigh: number; readonly lunLow: number }
  | { readonly kind: 'clearTaskSet'; readonly lunHigh: number; readonly lunLow: number }
  | { readonly kind: 'clearAca'; readonly lunHigh: number; readonly lunLow: number }
  | { readonly kind: 'logicalUnitReset'; readonly lunHigh: number; readonly lunLow: number }
  | { readonly kind: 'targetWarmReset' }
  | { readonly kind: 'targetColdReset' };

export type TaskManagementResponse =
  | 'complete'
  | 'taskDoesNotExist'
  | 'lunDoesNotExist'
  | 'notSupported'
  | 'rejected';

/** The two ends of an I_T nexus (SAM-5 §4.8; iSCSI: RFC 7143 §4.4 and SPC-4 §7.6.4.7 for the names). */
export interface NexusIdentity {
  /** iSCSI initiator name. */
  readonly initiatorName: string;
  /** Initiator port name: `<initiatorName>,i,0x<ISID, 12 hex digits>`. */
  readonly initiatorPort: string;
  /** ISID as 12 hex digits. */
  readonly isid: string;
  readonly targetName: string;
  /** Target portal group tag; the target port name is `<targetName>,t,0x<tag, 4 hex digits>`. */
  readonly portalGroupTag: number;
  /** Identifies the path in traces: 'initiator address → portal'. */
  readonly path: string;
}

export interface Nexus {
  /** SCSI Command Received (). */
  submit(task: Task): void;
  /** Data-Out Received (). The segments belong to the device server until the task ends. */
  dataOutReceived(task: Task, segments: readonly Uint8Array[]): void;
  /** Task Management Request Received (). Answers when no affected task can touch the medium any more. */
  manage(request: TaskManagementFunction): MaybeAsync<TaskManagementResponse>;
  /**
   * The nexus is lost (SAM-5 §6.3.4) or logged out: all its tasks are abandoned, nothing of it starts any more. Answers
   * when none of them can touch the medium any more (a new session of the same name may only then begin).
   */
  close(): MaybeAsync<void>;
}

/** What a unit attention or a reset by somebody else asks of the transport. */
export interface NexusEvents {
  /** Report sense in an asynchronous message, if the initiator wants those (RFC 7143 §11.9, AsyncEvent 0). */
  unitAttention(lunHigh: number, lunLow: number, sense: Uint8Array): void;
  /** TARGET COLD RESET by any nexus, also this one: the transport ends this session, after a response it owes
   *  (RFC 7143 §11.5.1). Called before `manage` answers. */
  targetReset(): void;
}

/** A SCSI target device (one iSCSI target) as its transport sees it. */
export interface ScsiTargetDevice {
  /** Begins an I_T nexus. */
  openNexus(identity: NexusIdentity, events: NexusEvents): Nexus;
}
