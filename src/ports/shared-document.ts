/**
 * A small record that belongs to a mirrored device and is the same on all its nodes, like its blocks (reservations). The
 * device server looks at it and changes it here; that it has changed, through whatever node, it is told on every node.
 */

import type { Result } from '../base/result.ts';
import type { DeviceFault, Ticket } from './block-device.ts';

export interface SharedDocument {
  /**
   * Reads, decides, writes, while nothing of the device changes through any node: changes that had begun have ended, others
   * begin after. `decide` gets what the last change left, if there was one, and answers with the new bytes, or undefined to
   * leave it as it is. Success: every node that serves has been told, or nothing was to be changed. Failure, too, may have
   * changed it: then the others are told later.
   */
  change(
    ticket: Ticket,
    decide: (before: Uint8Array | undefined) => Uint8Array | undefined,
  ): Promise<Result<void, DeviceFault>>;
  /** Calls `look` when this node has been told of every change that has begun; success: no other node has changed it before that. */
  current(ticket: Ticket, look: () => void): Promise<Result<void, DeviceFault>>;
}
