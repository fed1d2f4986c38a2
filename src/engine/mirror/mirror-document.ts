/** A document of a mirrored device, as the device server looks at it and changes it (`ports/shared-document.ts`). */

import { DONE, fail } from '../../base/result.ts';
import type { DeviceFault } from '../../ports/block-device.ts';
import type { SharedDocument } from '../../ports/shared-document.ts';
import type { DocumentName } from '../../replication/operation.ts';
import { otherMembers } from '../../replication/ports.ts';
import type { Replica } from '../../replication/replica.ts';
import type { MirrorNode } from './mirror-node.ts';

const NO_NODE: DeviceFault = { kind: 'unavailable', reason: 'the copy of this node is not open' };
const CHANGED: DeviceFault = { kind: 'unavailable', reason: 'the configuration has changed' };

type DocumentNode = Pick<MirrorNode, 'replica' | 'changeDocument' | 'isDocumentSettled'>;

/** `nodeNow`: undefined while there is none. */
export function mirrorDocument(nodeNow: () => DocumentNode | undefined, name: DocumentName): SharedDocument {
  return {
    change(ticket, decide) {
      let isChanged = false;
      return new Promise((resolve) => {
        const node = nodeNow();
        if (node === undefined) return resolve(fail(NO_NODE));
        const decided = (before: Uint8Array | undefined): Uint8Array | undefined => {
          const after = decide(before);
          isChanged = after !== undefined;
          return after;
        };
        node.changeDocument(ticket, name, decided, (result) => {
          if (result.ok && isChanged) whenAllKnow(node.replica, () => resolve(DONE));
          else resolve(result);
        });
      });
    },
    current(ticket, look) {
      return new Promise((resolve) => {
        const node = nodeNow();
        if (node === undefined) return resolve(fail(NO_NODE));
        node.replica.enqueue({
          ticket,
          canBegin: () => node.isDocumentSettled(name),
          begin: () => {
            look();
            node.replica.confirm((stands) => resolve(stands ? DONE : fail(CHANGED)));
          },
          refuse: (fault) => resolve(fail(fault)),
        });
      });
    },
  };
}

/**
 * A change is everywhere, and each member has been told so before what it is asked now. If the configuration ends meanwhile,
 * members begin the next one with what they have been told.
 */
function whenAllKnow(replica: Replica, done: () => void): void {
  const { installed, self, ports, rounds } = replica;
  const waitForNext = (): void =>
    replica.enqueue({
      ticket: { arrivedAt: ports.clock.now(), isAlive: () => true },
      canBegin: () => true,
      begin: done,
      refuse: done,
    });
  if (installed === undefined) return waitForNext();
  rounds.begin(
    otherMembers(installed, self),
    (peer, id) => ports.send(peer, { kind: 'confirm', id }),
    (isComplete) => (isComplete ? done() : waitForNext()),
  );
}
