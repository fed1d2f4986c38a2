/**
 * Goal: every message arrives once and in order, whatever becomes of the connections, until a process ends; and nothing is
 * kept without limit or held up by one dead connection. Method: two channels over wires that a test breaks, fills and
 * delays frame by frame; random rows of such events.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { ChannelPair, other, type Side, type TestWire } from './testing/channel-pair.ts';

const SIDES: readonly Side[] = ['a', 'b'];
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => `m${from + at}`);
const kinds = (wire: TestWire, side: Side) => wire.sent[side].map(({ kind }) => kind);

function send(pair: ChannelPair, side: Side, messages: readonly string[]): void {
  for (const message of messages) pair.ends[side].send(message);
}

test('messages sent before there is a connection arrive when there is one', () => {
  const pair = new ChannelPair(0);
  send(pair, 'a', numbered(1, 3));
  pair.connect();
  assert.deepEqual(pair.received.b, []);
  pair.settle();
  assert.deepEqual(pair.received.b, numbered(1, 3));
});

test('nothing is sent on a connection before the other side has said hello', () => {
  const pair = new ChannelPair(0);
  const wire = pair.connect();
  send(pair, 'a', ['m1']);
  assert.deepEqual(kinds(wire, 'a'), ['hello']);
  wire.deliver('b');
  assert.deepEqual(kinds(wire, 'a'), ['hello', 'data']);
});

test('connections are used in turn, and what overtakes waits for what it has overtaken', () => {
  const pair = new ChannelPair(2);
  send(pair, 'a', numbered(1, 4));
  const [first, second] = pair.wires as [TestWire, TestWire];
  assert.deepEqual([first.under.a.length, second.under.a.length], [2, 2]);
  while (first.deliver('a'));
  assert.ok(pair.received.b.length < 3);
  while (second.deliver('a'));
  assert.deepEqual(pair.received.b, numbered(1, 4));
});

test('what was on a broken connection is sent again, and what had arrived is not heard twice', () => {
  const pair = new ChannelPair(1);
  send(pair, 'a', numbered(1, 3));
  const [wire] = pair.wires as [TestWire];
  wire.deliver('a');
  wire.break();
  send(pair, 'a', ['m4']);
  assert.deepEqual(pair.received.b, ['m1']);
  pair.connect();
  pair.settle();
  assert.deepEqual(pair.received.b, numbered(1, 4));
});

test('in any row of sends, breaks, delays and full wires each side hears all, once, in order', () => {
  const event = fc.record({
    kind: fc.constantFrom(
      'send',
      'send',
      'deliver',
      'deliver',
      'deliver',
      'break',
      'connect',
      'fill',
      'drain',
      'time',
    ),
    which: fc.nat(9),
    side: fc.constantFrom(...SIDES),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 120 }), (script) => {
      const pair = new ChannelPair(2);
      const sent = { a: [] as string[], b: [] as string[] };
      for (const { kind, which, side } of script) {
        const open = pair.wires.filter(({ isBroken }) => !isBroken);
        const wire = open[which % Math.max(1, open.length)];
        if (kind === 'send') {
          const message = `${side}${sent[side].length}`;
          sent[side].push(message);
          pair.ends[side].send(message);
        } else if (kind === 'connect' && open.length < 3) pair.connect();
        else if (kind === 'time') pair.clock.advance(70 * which);
        else if (wire === undefined) continue;
        else if (kind === 'deliver') wire.deliver(side);
        else if (kind === 'break') wire.break();
        else if (kind === 'fill') wire.full.add(side);
        else if (kind === 'drain') wire.drained(side);
        for (const to of SIDES)
          assert.deepEqual(pair.received[to], sent[other(to)].slice(0, pair.received[to].length));
      }
      for (const wire of pair.wires) for (const side of SIDES) if (!wire.isBroken) wire.drained(side);
      pair.connect();
      for (let round = 0; round < 5; round++) {
        pair.settle();
        pair.clock.advance(700);
      }
      for (const to of SIDES) assert.deepEqual(pair.received[to], sent[other(to)]);
      assert.deepEqual(pair.restarts, { a: 0, b: 0 });
    }),
    { numRuns: 300 },
  );
});

for (const isHeard of [false, true])
  test(`a new process begins a new conversation, ${isHeard ? 'the end of the former one heard' : 'unheard'}: what was under way is lost`, () => {
    const pair = new ChannelPair(1);
    send(pair, 'a', numbered(1, 5));
    send(pair, 'b', numbered(1, 3));
    pair.settle();
    send(pair, 'a', ['lost']);
    if (isHeard) pair.wires[0]!.break();
    pair.restart('b');
    send(pair, 'a', ['lost too']);
    pair.connect();
    pair.settle();
    assert.deepEqual([pair.restarts, pair.received.b], [{ a: 1, b: 0 }, []]);
    pair.received.a = [];
    for (let round = 0; round < 3; round++) {
      pair.received.b = [];
      pair.wires[1]!.full.add('a');
      send(pair, 'a', numbered(1, 1000));
      pair.wires[1]!.drained('a');
      send(pair, 'b', ['answer']);
      pair.settle();
      assert.deepEqual(pair.received.b, numbered(1, 1000));
    }
    assert.deepEqual(pair.received.a, ['answer', 'answer', 'answer']);
    assert.ok(!pair.ends.a.isCongested, 'nothing of the former one is kept');
  });

test('a new process is not told that what it sends has arrived by what its former self had sent', () => {
  const pair = new ChannelPair(1);
  send(pair, 'a', numbered(1, 3));
  pair.settle();
  pair.restart('a');
  send(pair, 'a', ['new 1', 'new 2']);
  pair.received.b = [];
  pair.connect();
  pair.settle();
  assert.deepEqual(pair.received.b, ['new 1', 'new 2']);
});

test('what a former process sent too early is not taken for what the new one sends', () => {
  const pair = new ChannelPair(2);
  send(pair, 'b', ['old 1', 'old 2']);
  const second = pair.wires.find(({ under }) =>
    under.b.some((frame) => frame.kind === 'data' && frame.sequence === 2),
  )!;
  second.deliver('b');
  assert.deepEqual(pair.received.a, []);
  pair.restart('b');
  pair.connect();
  send(pair, 'b', ['new 1', 'new 2']);
  pair.settle();
  assert.deepEqual(pair.received.a, ['new 1', 'new 2']);
});

test('what comes before a hello is not heard', () => {
  const pair = new ChannelPair(1);
  const wire = pair.connect();
  wire.under.b.unshift({ kind: 'data', sequence: 1, received: 0, message: 'whose?' });
  pair.settle();
  assert.deepEqual(pair.received.a, []);
});

test('what a former process says on its old connection is not heard after the new one has said hello', () => {
  const pair = new ChannelPair(1);
  send(pair, 'b', ['late']);
  const [old] = pair.wires as [TestWire];
  const late = old.under.b.splice(0);
  pair.restart('b');
  pair.connect();
  pair.settle();
  assert.deepEqual(old.closedBy, ['a']);
  // It was on its way when the power went.
  old.under.b.push(...late);
  old.deliver('b');
  assert.deepEqual(pair.received.a, []);
});

test('once another process was heard elsewhere, connections to the former one are given up', () => {
  const pair = new ChannelPair(2);
  pair.ends.a.heardOf(pair.incarnationOf('b'));
  assert.ok(pair.wires.every(({ closedBy }) => closedBy.length === 0));
  pair.ends.a.heardOf(pair.incarnationOf('b') - 1);
  assert.ok(pair.wires.every(({ closedBy }) => closedBy.length === 0));
  pair.ends.a.heardOf(pair.incarnationOf('b') + 1);
  assert.ok(pair.wires.every(({ closedBy }) => closedBy.join() === 'a'));
});

test('a connection on which nobody says hello is given up', () => {
  const pair = new ChannelPair(0);
  const wire = pair.connect();
  pair.clock.advance(1999);
  assert.deepEqual(wire.closedBy, []);
  pair.clock.advance(1);
  assert.deepEqual(wire.closedBy, ['a', 'b']);
  const heard = new ChannelPair(1);
  heard.clock.advance(5000);
  assert.deepEqual(heard.wires[0]!.closedBy, []);
});

test('what is not acknowledged is congestion, in number and in bytes, until it is', () => {
  const many = new ChannelPair(1);
  send(many, 'a', numbered(1, 2048));
  assert.ok(!many.ends.a.isCongested);
  send(many, 'a', ['m2049']);
  assert.ok(many.ends.a.isCongested);
  many.settle();
  many.clock.advance(20);
  many.settle();
  assert.ok(!many.ends.a.isCongested);
  const large = new ChannelPair(0);
  send(large, 'a', ['x'.repeat(3 * 2 ** 20), 'x'.repeat(2 ** 20 + 1)]);
  assert.ok(large.ends.a.isCongested);
  large.connect();
  large.settle();
  large.clock.advance(20);
  large.settle();
  assert.ok(!large.ends.a.isCongested);
});

test('data in the other direction acknowledges; without any, an acknowledgement follows soon, and after many at once', () => {
  const pair = new ChannelPair(1);
  const [wire] = pair.wires as [TestWire];
  send(pair, 'a', numbered(1, 31));
  pair.settle();
  assert.deepEqual(kinds(wire, 'b'), ['hello']);
  send(pair, 'a', ['m32']);
  pair.settle();
  assert.deepEqual(kinds(wire, 'b'), ['hello', 'ack']);
  send(pair, 'a', ['m33']);
  pair.settle();
  send(pair, 'b', ['answer']);
  pair.settle();
  assert.deepEqual(wire.sent.b.at(-1), { kind: 'data', sequence: 1, received: 33, message: 'answer' });
  pair.clock.advance(20);
  assert.deepEqual(kinds(wire, 'b'), ['hello', 'ack', 'data'], 'the data has said it');
});

test('messages that mean nothing any more do not travel, and those behind them arrive', () => {
  const pair = new ChannelPair(0);
  send(pair, 'a', ['old 1', 'new 2', 'old 3', 'new 4']);
  pair.ends.a.forget((message) => message.startsWith('old'));
  const wire = pair.connect();
  pair.settle();
  assert.deepEqual(pair.received.b, ['new 2', 'new 4']);
  assert.ok(!wire.sent.a.some((frame) => frame.kind === 'data' && frame.message?.startsWith('old') === true));
});

test('a connection on which the other side is impossibly far ahead is given up', () => {
  const pair = new ChannelPair(1);
  const [wire] = pair.wires as [TestWire];
  const far = (sequence: number) => ({ kind: 'data', sequence, received: 0, message: 'far' }) as const;
  wire.under.b.push(far(65_536));
  pair.settle();
  assert.deepEqual(wire.closedBy, []);
  wire.under.b.push(far(65_537));
  pair.settle();
  assert.deepEqual([wire.closedBy, pair.received.a], [['a'], []]);
});

test('a connection that brings more than may wait is given up, and what it brought comes again on another', () => {
  const pair = new ChannelPair(2);
  const large = 'x'.repeat(33 * 1024 * 1024);
  const messages = ['small', large, 'small', large, 'small', large];
  send(pair, 'a', messages);
  const early = pair.wires.find(({ under }) =>
    under.a.some((frame) => frame.kind === 'data' && frame.message === large),
  )!;
  while (early.under.a.length > 0) early.deliver('a');
  assert.deepEqual([early.closedBy, pair.received.b], [['b'], []], 'the second of them does not wait');
  for (let turn = 0; turn < 10; turn++) {
    pair.settle();
    pair.clock.advance(200);
  }
  assert.deepEqual(pair.received.b, messages);
});

test('a full connection takes nothing more until it is drained; others go on', () => {
  const pair = new ChannelPair(2);
  const [first, second] = pair.wires as [TestWire, TestWire];
  first.full.add('a');
  send(pair, 'a', numbered(1, 4));
  assert.equal(first.under.a.length, 1, 'it learns of it by the first that it sends there');
  assert.equal(second.under.a.length, 3);
  pair.settle();
  second.full.add('a');
  send(pair, 'a', numbered(5, 7));
  assert.equal(second.under.a.length, 1);
  first.drained('a');
  assert.equal(first.under.a.length, 2);
  pair.settle();
  assert.deepEqual(pair.received.b, numbered(1, 7));
});

test('a connection that acknowledges nothing is passed over while there is a better one, and used again when it answers', () => {
  const pair = new ChannelPair(2);
  const [dead, alive] = pair.wires as [TestWire, TestWire];
  send(pair, 'a', numbered(1, 4));
  const stuck = dead.under.a.length > 0 ? dead : alive;
  const swift = stuck === dead ? alive : dead;
  const flow = (): void => {
    while (swift.deliver('a') || swift.deliver('b'));
  };
  flow();
  assert.ok(pair.received.b.length < 4);
  for (let step = 0; step < 8; step++) {
    pair.clock.advance(100);
    flow();
  }
  assert.deepEqual(pair.received.b, numbered(1, 4));
  const before = stuck.under.a.length;
  assert.equal(stuck.under.a.at(-1)!.kind, 'probe');
  send(pair, 'a', numbered(5, 8));
  flow();
  assert.deepEqual([pair.received.b, stuck.under.a.length], [numbered(1, 8), before]);
  pair.settle();
  send(pair, 'a', numbered(9, 10));
  assert.equal(stuck.under.a.length, 1, 'both are used again');
  pair.settle();
  assert.deepEqual(pair.received.b, numbered(1, 10));
});

test('the only connection is never given up for being slow', () => {
  const pair = new ChannelPair(1);
  const [wire] = pair.wires as [TestWire];
  send(pair, 'a', ['m1']);
  pair.clock.advance(5000);
  assert.deepEqual(kinds(wire, 'a'), ['hello', 'data']);
});

test('a closed channel closes its connections and hears nothing', () => {
  const pair = new ChannelPair(2);
  send(pair, 'b', ['late']);
  const wire = pair.wires.find(({ under }) => under.b.length > 0)!;
  const late = wire.under.b.slice();
  pair.ends.a.close();
  wire.isBroken = false;
  wire.under.b = late;
  wire.deliver('b');
  assert.ok(pair.wires.every(({ closedBy }) => closedBy.join() === 'a'));
  assert.deepEqual(pair.received.a, []);
});
