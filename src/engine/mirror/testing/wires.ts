/**
 * Connections within one process: what is sent arrives at the end of the step in which it was sent, in that order, as
 * one batch of a real connection does; never within `send`.
 */
import type { ChannelMessage } from '../wire.ts';
import type { Clock } from '../../../ports/clock.ts';
import { Channel, type Frame } from '../../../replication/channel.ts';

/** Messages under way, of all wires. */
export interface Post {
  send(deliver: () => void): void;
}

/** A connection between two nodes. */
export function join(
  channels: Map<string, Channel<ChannelMessage>>,
  post: Post,
  clock: Clock,
  a: number,
  b: number,
  deliver: (from: number, to: number, message: ChannelMessage) => void,
): void {
  const make = (from: number, to: number): Channel<ChannelMessage> =>
    new Channel<ChannelMessage>({
      incarnation: 1,
      clock,
      bytesOf: () => 100,
      onMessage: (message) => deliver(to, from, message),
      onRestarted: () => undefined,
    });
  const ends = [make(a, b), make(b, a)] as const;
  channels.set(`${a}>${b}`, ends[0]);
  channels.set(`${b}>${a}`, ends[1]);
  const events: { onFrame(frame: Frame<ChannelMessage>): void }[] = [];
  const wireTo = (other: 0 | 1) => ({
    send(frame: Frame<ChannelMessage>): boolean {
      post.send(() => events[other]!.onFrame(frame));
      return true;
    },
    close: () => undefined,
  });
  events[0] = ends[0].attach(wireTo(1));
  events[1] = ends[1].attach(wireTo(0));
}

export function createPost(): Post {
  let waiting: (() => void)[] = [];
  const deliver = (): void => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      for (const one of batch) one();
    }
  };
  return {
    send(one) {
      if (waiting.push(one) === 1) void Promise.resolve().then(deliver);
    },
  };
}
