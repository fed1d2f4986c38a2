/** What every PartnerNetwork promises (src/ports/partner-network.ts): two nodes, one link for sync and one for heartbeats. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyOf } from '../../src/base/segments.ts';
import type {
  ConnectionHandlers,
  PartnerConnection,
  PartnerLink,
  PartnerNetwork,
} from '../../src/ports/partner-network.ts';

export interface NetworkPair {
  /** Of the node with the lower id: it connects. */
  readonly low: PartnerNetwork;
  readonly high: PartnerNetwork;
  until(condition: () => boolean): Promise<void>;
  close(): Promise<void>;
}

/** One end of a connection, and all that was heard there. */
class End implements ConnectionHandlers {
  connection: PartnerConnection | undefined;
  readonly received: Uint8Array[] = [];
  readonly closed: string[] = [];
  opened = 0;
  drained = 0;
  onOpen = (): void => void (this.opened += 1);
  onBytes = (bytes: Uint8Array): void => void this.received.push(bytes);
  onDrained = (): void => void (this.drained += 1);
  onClosed = (cause: string): void => void this.closed.push(cause);

  get count(): number {
    return this.received.reduce((sum, { length }) => sum + length, 0);
  }
}

class Nodes {
  readonly ends: End[] = [];
  readonly datagrams: {
    readonly at: 'low' | 'high';
    readonly link: PartnerLink;
    readonly bytes: Uint8Array;
  }[] = [];
  readonly pair: NetworkPair;
  refuses = false;

  constructor(pair: NetworkPair) {
    this.pair = pair;
    for (const at of ['low', 'high'] as const)
      pair[at].start({
        onConnection: (_link, connection) => {
          if (this.refuses) return undefined;
          const end = new End();
          end.connection = connection;
          end.opened = 1;
          this.ends.push(end);
          // As a channel does: what it says first may arrive before the other side knows of an open connection.
          connection.send([Uint8Array.of(1)]);
          return end;
        },
        onDatagram: (link, bytes) => void this.datagrams.push({ at, link, bytes }),
      });
  }

  connect(): End {
    const end = new End();
    const link = this.pair.low.links.find(({ kind }) => kind === 'sync')!;
    end.connection = this.pair.low.connect(link, end);
    return end;
  }

  async open(): Promise<[low: End, high: End]> {
    const low = this.connect();
    await this.pair.until(() => low.opened === 1 && low.count === 1 && this.ends.length > 0);
    return [low, this.ends.at(-1)!];
  }
}

export function partnerNetworkContract(name: string, create: () => Promise<NetworkPair>): void {
  const promise = (what: string, check: (nodes: Nodes) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const pair = await create();
      try {
        await check(new Nodes(pair));
      } finally {
        await pair.close();
      }
    });
  };

  promise('bytes arrive in order, in both directions, whatever the segments are', async (nodes) => {
    const [low, high] = await nodes.open();
    const segments = [3, 70_000, 1, 16_384, 200_000].map((length, seed) =>
      Uint8Array.from({ length }, (_, at) => seed + at + (at >> 8)),
    );
    low.connection!.send(segments.slice(0, 2));
    low.connection!.send(segments.slice(2));
    high.connection!.send(segments);
    const total = copyOf(segments);
    await nodes.pair.until(() => high.count === total.length && low.count === total.length + 1);
    assert.ok(Buffer.from(copyOf(high.received)).equals(total));
    assert.ok(Buffer.from(copyOf(low.received).subarray(1)).equals(total));
  });

  promise('received bytes are never written again', async (nodes) => {
    const [low, high] = await nodes.open();
    for (let turn = 0; turn < 20; turn++) {
      low.connection!.send([new Uint8Array(5000).fill(turn)]);
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await nodes.pair.until(() => high.count === 5000 * (turn + 1));
    }
    const all = copyOf(high.received);
    assert.ok(all.every((byte, at) => byte === Math.floor(at / 5000)));
  });

  promise('a connection says when it is full, and when it takes more', async (nodes) => {
    const [low, high] = await nodes.open();
    const piece = new Uint8Array(64 * 1024);
    let sent = 0;
    while (sent < 100 * piece.length && low.connection!.send([piece])) sent += piece.length;
    sent += piece.length;
    assert.ok(sent <= 50 * piece.length, `${sent} bytes, and not full`);
    assert.equal(low.drained, 0);
    await nodes.pair.until(() => low.drained === 1);
    assert.equal(low.connection!.send([piece]), true);
    await nodes.pair.until(() => high.count === sent + piece.length);
    assert.equal(low.drained, 1);
  });

  promise('close sends what is queued, and only the other side is told', async (nodes) => {
    const [low, high] = await nodes.open();
    low.connection!.send([new Uint8Array(300_000)]);
    low.connection!.close();
    assert.equal(low.connection!.send([Uint8Array.of(1)]), true);
    await nodes.pair.until(() => high.closed.length > 0);
    assert.equal(high.count, 300_000);
    assert.deepEqual([low.closed, high.closed.length], [[], 1]);
  });

  promise('after abort nothing is heard, and only the other side is told', async (nodes) => {
    const [low, high] = await nodes.open();
    high.connection!.send([new Uint8Array(1000)]);
    low.connection!.abort();
    await nodes.pair.until(() => high.closed.length > 0);
    assert.deepEqual([low.closed, low.count, high.closed.length], [[], 1, 1]);
  });

  promise('who is refused is told', async (nodes) => {
    nodes.refuses = true;
    const low = nodes.connect();
    await nodes.pair.until(() => low.closed.length > 0);
    assert.equal(low.closed.length, 1);
  });

  promise('an attempt that is given up is never heard of again', async (nodes) => {
    const low = nodes.connect();
    low.connection!.abort();
    const [other] = await nodes.open();
    assert.equal(other.opened, 1);
    assert.deepEqual([low.opened, low.closed], [0, []]);
  });

  promise('datagrams arrive whole, on the link on which they were sent', async (nodes) => {
    const { low, high } = nodes.pair;
    for (const [at, network, other] of [
      ['low', low, high],
      ['high', high, low],
    ] as const)
      for (const [index, link] of network.links.entries())
        for (const length of [1, 1400]) {
          const bytes = new Uint8Array(length).fill(length);
          const before = nodes.datagrams.length;
          // One that could not leave was never sent.
          // oxlint-disable-next-line no-await-in-loop -- one after the other
          await nodes.pair.until(() => {
            if (nodes.datagrams.length === before) network.sendDatagram(link, bytes);
            return nodes.datagrams.length > before;
          });
          const [last] = nodes.datagrams.slice(before);
          assert.notEqual(last!.at, at);
          assert.equal(last!.link, other.links[index]);
          assert.ok(Buffer.from(last!.bytes).equals(bytes));
        }
  });
}
