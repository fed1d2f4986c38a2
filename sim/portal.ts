/**
 * The node's end of the paths: takes connections of initiators and hands logins and commands to the front. Stands where
 * the iSCSI target stands in the product.
 */

import { assert } from '../src/base/assert.ts';
import type { Request, Response, Session, StorageFront } from './storage.ts';
import { bytesOf } from './storage.ts';
import type { StreamEnd, StreamHandlers } from './stream.ts';

export function acceptPath(front: StorageFront, end: StreamEnd): StreamHandlers {
  let session: Session | undefined;

  const send = (response: Response): void => {
    end.send(response, bytesOf(response));
  };

  /** The node gives the session up: what it has received and not begun is not begun. */
  function drop(): void {
    session = undefined;
    end.abort();
  }

  function login(candidate: Session): void {
    if (front.open(candidate, drop)) {
      session = candidate;
      send({ kind: 'loggedIn' });
    } else {
      end.close();
    }
  }

  return {
    onOpen: () => undefined,
    onMessage(message) {
      const request = message as Request;
      if (request.kind === 'login') return login(request.session);
      if (session === undefined) return;
      front.heard(session);
      // It may have found that it must give the session up.
      if (session === undefined) return;
      if (request.kind === 'ping') return send({ kind: 'pong' });
      const { tag, device, command } = request;
      let answered = false;
      front.submit(session, device, command, (answer) => {
        assert(!answered, 'a command is answered once');
        answered = true;
        send({ kind: 'answer', tag, answer });
      });
    },
    onDrained: () => undefined,
    onClosed() {
      if (session !== undefined) front.close(session);
      session = undefined;
    },
  };
}
