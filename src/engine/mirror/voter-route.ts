/**
 * Which way messages to other voters go: by links, or to the stand-in of a witness that is no process; and whom an arbiter
 * is asked by. What lies in the store is decided by the strategy: the vote of the witness, or the last claim.
 */

import type { Uuid } from '../../base/uuid.ts';
import type { Site } from '../../cluster/configuration.ts';
import type { MembershipPorts } from '../../cluster/ports.ts';
import type { Beat, BeatAnswer, Control } from '../../cluster/messages.ts';
import { StoredClaims } from '../../cluster/stored-claims.ts';
import { StoredVoter } from '../../cluster/stored-voter.ts';
import type { Clock } from '../../ports/clock.ts';
import type { VoteStore } from '../../ports/vote-store.ts';
import type { Handover } from './handover.ts';

export interface VoterRouteOptions {
  readonly self: number;
  readonly device: Uuid;
  readonly site: Site;
  readonly incarnation: number;
  readonly votes?: VoteStore | undefined;
  readonly ports: {
    readonly clock: Clock;
    sendBeat(to: number, beat: Beat): void;
    sendControl(to: number, message: Control<Handover>, onSync: boolean): void;
  };
}

/** What comes from voters. */
interface Receiver {
  onBeat(from: number, beat: Beat, onSync: boolean): unknown;
  onBeatAnswer(from: number, answer: BeatAnswer): void;
  onControl(from: number, message: Control<Handover>): void;
}

export interface VoterRoute extends Pick<MembershipPorts<Handover>, 'sendBeat' | 'send' | 'claim'> {
  close(): void;
}

export function createVoterRoute(options: VoterRouteOptions, receiver: Receiver): VoterRoute {
  const { site, self, device, incarnation, votes: store, ports } = options;
  const { clock } = ports;
  const { strategy } = site;
  const witness = strategy.kind === 'majority' ? strategy.witness : undefined;
  const claims =
    store !== undefined && strategy.kind === 'heartbeat'
      ? new StoredClaims({ store, device, self, clock })
      : undefined;
  if (store === undefined || witness === undefined)
    return {
      sendBeat: (to, beat) => ports.sendBeat(to, beat),
      send: (to, message, onSync) => ports.sendControl(to, message, onSync),
      claim: (base, members, term) => claims?.claim(base, members, term) ?? Promise.resolve(false),
      close: () => undefined,
    };
  const voter = new StoredVoter<Handover>({
    store,
    device,
    self,
    incarnation,
    nodes: site.nodes,
    clock,
    onBeat: (beat) => void receiver.onBeat(witness, beat, false),
    onBeatAnswer: (answer) => receiver.onBeatAnswer(witness, answer),
    onControl: (message) => receiver.onControl(witness, message),
  });
  return {
    sendBeat: (to, beat) => (to === witness ? voter.onBeat(beat) : ports.sendBeat(to, beat)),
    send: (to, message, onSync) =>
      to === witness ? voter.onControl(message) : ports.sendControl(to, message, onSync),
    claim: () => Promise.resolve(false),
    close: () => voter.close(),
  };
}
