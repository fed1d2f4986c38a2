/**
 * Goal: no command begins that its initiator may have given up, or while this node may not serve; and none is forgotten.
 * Method: commands whose session, time and turn a test decides, and random rows of such decisions.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { CommandQueue, type Waiting } from './command-queue.ts';

const START_MS_MAX = 2000;
const WAITING_MAX = 4096;

class Bench {
  now = 0;
  mayServe = true;
  readonly queue = new CommandQueue(
    () => this.mayServe,
    () => this.now,
  );

  command(more: { onBegin?: () => void; onRefuse?: () => void } = {}) {
    const it = {
      arrivedAt: this.now,
      isAlive: true,
      canBegin: true,
      ends: [] as string[],
    };
    const waiting: Waiting = {
      ticket: { arrivedAt: it.arrivedAt, isAlive: () => it.isAlive },
      canBegin: () => it.canBegin,
      begin: () => {
        it.ends.push('begun');
        more.onBegin?.();
      },
      refuse: (fault) => {
        it.ends.push(fault.kind);
        more.onRefuse?.();
      },
    };
    return { it, waiting };
  }

  add(more: { canBegin?: boolean; onBegin?: () => void; onRefuse?: () => void } = {}) {
    const { it, waiting } = this.command(more);
    it.canBegin = more.canBegin ?? true;
    this.queue.add(waiting);
    return it;
  }
}

test('what may begin begins at once', () => {
  assert.deepEqual(new Bench().add().ends, ['begun']);
});

test('nothing begins while this node may not serve, whatever else is true', () => {
  const bench = new Bench();
  bench.mayServe = false;
  const command = bench.add();
  bench.queue.pump();
  assert.deepEqual([command.ends, bench.queue.length], [[], 1]);
  bench.mayServe = true;
  bench.queue.pump();
  assert.deepEqual([command.ends, bench.queue.length], [['begun'], 0]);
});

test('a command whose session ends never begins', () => {
  const bench = new Bench();
  const waiting = bench.add({ canBegin: false });
  waiting.isAlive = false;
  waiting.canBegin = true;
  bench.queue.pump();
  assert.deepEqual(waiting.ends, ['unavailable']);
  const { it, waiting: dead } = bench.command();
  it.isAlive = false;
  bench.queue.add(dead);
  assert.deepEqual(it.ends, ['unavailable']);
});

test('a command that has waited too long never begins', () => {
  const bench = new Bench();
  const [inTime, late] = [bench.add({ canBegin: false }), bench.add({ canBegin: false })];
  bench.now = START_MS_MAX;
  inTime.canBegin = true;
  bench.queue.pump();
  assert.deepEqual([inTime.ends, late.ends], [['begun'], []]);
  bench.now += 1;
  late.canBegin = true;
  bench.queue.pump();
  assert.deepEqual(late.ends, ['unavailable']);
});

test('one that comes back late, as a read that was fetched in vain does, is refused', () => {
  const bench = new Bench();
  const { it, waiting } = bench.command();
  bench.now = START_MS_MAX + 1;
  bench.queue.add(waiting);
  assert.deepEqual(it.ends, ['unavailable']);
});

test('beyond the limit commands are refused as busy, and those that wait stay', () => {
  const bench = new Bench();
  const all = Array.from({ length: WAITING_MAX + 1 }, () => bench.add({ canBegin: false }));
  assert.deepEqual(all.at(-1)!.ends, ['busy']);
  assert.equal(bench.queue.length, WAITING_MAX);
  for (const command of all) command.canBegin = true;
  bench.queue.pump();
  assert.ok(all.slice(0, -1).every(({ ends }) => ends.join() === 'begun'));
});

test('refusing all refuses each once', () => {
  const bench = new Bench();
  const all = [bench.add({ canBegin: false }), bench.add({ canBegin: false })];
  bench.queue.refuseAll('test');
  bench.queue.pump();
  assert.deepEqual(
    all.map(({ ends }) => ends),
    [['unavailable'], ['unavailable']],
  );
});

test('what one command leads to when it begins is not lost: others come, others may begin', () => {
  const bench = new Bench();
  const order: string[] = [];
  const second = bench.add({ canBegin: false, onBegin: () => order.push('second') });
  const first = bench.add({
    canBegin: false,
    onBegin: () => {
      order.push('first');
      bench.add({ canBegin: false, onBegin: () => order.push('never') });
      second.canBegin = true;
      bench.queue.pump();
    },
  });
  first.canBegin = true;
  bench.queue.pump();
  assert.deepEqual([order, bench.queue.length], [['first', 'second'], 1]);
});

test('in any row of events each command ends once at most, and begins only by the rules', () => {
  const event = fc.record({
    kind: fc.constantFrom('add', 'add', 'allow', 'die', 'time', 'serve', 'pump', 'refuseAll'),
    which: fc.nat(9),
    ms: fc.nat(900),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (script) => {
      const bench = new Bench();
      const commands: ReturnType<Bench['add']>[] = [];
      for (const { kind, which, ms } of script) {
        const one = commands[which];
        const before = commands.map(({ ends }) => ends.length);
        if (kind === 'add') commands.push(bench.add({ canBegin: which % 2 === 0 }));
        else if (kind === 'allow' && one !== undefined) one.canBegin = !one.canBegin;
        else if (kind === 'die' && one !== undefined) one.isAlive = false;
        else if (kind === 'time') bench.now += ms;
        else if (kind === 'serve') bench.mayServe = !bench.mayServe;
        else if (kind === 'pump') bench.queue.pump();
        else if (kind === 'refuseAll') bench.queue.refuseAll('test');
        for (const [at, command] of commands.entries()) {
          if (command.ends.length === (before[at] ?? 0)) continue;
          assert.equal(command.ends.length, 1);
          if (command.ends[0] !== 'begun') continue;
          assert.ok(bench.mayServe && command.canBegin && command.isAlive);
          assert.ok(bench.now - command.arrivedAt <= START_MS_MAX);
        }
        assert.equal(bench.queue.length, commands.filter(({ ends }) => ends.length === 0).length);
      }
    }),
  );
});
