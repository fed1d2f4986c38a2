// Goal: each command is answered once, by the engine of its device, or with the reason why not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeviceAnswer } from '../engine/device-commands.ts';
import type { EngineSpec } from '../engine/spec.ts';
import type { Child } from '../ports/process.ts';
import { CommandRelay } from './command-relay.ts';

interface Sent {
  readonly engine: number;
  readonly id: number;
  readonly device: string;
}

function world() {
  const sent: Sent[] = [];
  const up = new Set([0, 1]);
  const specs = ['disk1', 'disk2'].map((name, engine) => ({ engine, devices: [{ name }], witnessed: [] }));
  const childOf = (engine: number): Child =>
    ({
      send: (message: unknown) => sent.push({ engine, ...(message as Omit<Sent, 'engine'>) }),
    }) as Partial<Child> as Child;
  const relay = new CommandRelay(specs as readonly unknown[] as EngineSpec[], (engine) =>
    up.has(engine) ? childOf(engine) : undefined,
  );
  const answers: DeviceAnswer[] = [];
  const ask = (device: string): void => relay.ask(device, { kind: 'show' }, (answer) => answers.push(answer));
  return { relay, sent, up, answers, ask };
}

const DONE: DeviceAnswer = { ok: true, value: 'done' };

test('a command goes to the engine of its device, and its answer to who asked', () => {
  const { relay, sent, answers, ask } = world();
  ask('disk1');
  ask('disk2');
  assert.deepEqual(
    sent.map(({ engine, device }) => [engine, device]),
    [
      [0, 'disk1'],
      [1, 'disk2'],
    ],
  );
  relay.answered(sent[1]!.id, DONE);
  relay.answered(sent[1]!.id, DONE);
  assert.deepEqual(answers, [DONE]);
});

test('of an unknown device, and of an engine that is not up, it is told at once', () => {
  const { up, answers, ask, sent } = world();
  up.delete(0);
  ask('disk3');
  ask('disk1');
  assert.deepEqual(sent, []);
  assert.match(JSON.stringify(answers[0]), /There is no device disk3/);
  assert.match(JSON.stringify(answers[1]), /Device disk1 is not open: its engine 0 does not run/);
});

test('what an engine had not answered when it died is not known', () => {
  const { relay, sent, answers, ask } = world();
  ask('disk1');
  ask('disk2');
  relay.engineEnded(0);
  assert.equal(answers.length, 1);
  assert.match(JSON.stringify(answers[0]), /Engine 0 ended before it had answered: it is not known/);
  relay.answered(sent[0]!.id, DONE);
  relay.answered(sent[1]!.id, DONE);
  assert.deepEqual(answers[1], DONE);
});
