/**
 * Goal: whichever node is asked to change the copies of a device, one that serves does it, after all that are concerned have made
 * room; and where it cannot be, nobody is changed and people hear why. Method: a node that a test plays, and partners that answer
 * what the test says.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { DONE, fail, ok, type Result } from '../base/result.ts';
import type { CommandContext, PartnerRequest } from './device-commands.ts';
import type { OpenDevice } from './devices.ts';
import { answerForReplica, changeReplicas } from './replicas.ts';

const ID = 'a'.repeat(32);
const [ALPHA, BETA, GAMMA, DELTA] = [1, 2, 3, 4];

interface Asked {
  readonly node: number;
  readonly request: PartnerRequest;
}

/** This is alpha; alpha and beta have copies. */
class Stage {
  readonly asked: Asked[] = [];
  readonly met: number[] = [];
  readonly changed: string[] = [];
  nodes: readonly number[] = [ALPHA, BETA];
  witness: number | undefined;
  serves = true;
  room: string | undefined;
  now = 0;
  core: Result<void, string> = DONE;
  /** What partners answer; who has none is away. */
  answers: Record<number, Result<unknown, string>> = { [BETA]: DONE, [GAMMA]: DONE, [DELTA]: DONE };

  get opened(): OpenDevice {
    const changed = (what: string) => (node: number) => {
      this.changed.push(`${what} ${node}`);
      return Promise.resolve(this.core);
    };
    const node = {
      geometry: { blockCount: 100, blockLength: 512 },
      makeRoom: () => Promise.resolve(this.room),
      addReplica: changed('add'),
      removeReplica: changed('remove'),
      membership: {
        self: ALPHA,
        hasFailed: false,
        mayServe: () => this.serves,
        installed: { members: [ALPHA, BETA] },
        site: { nodes: this.nodes, strategy: { kind: 'majority', witness: this.witness } },
      },
    };
    const host = { node, failure: undefined, meet: (other: number) => void this.met.push(other) };
    const spec = { kind: 'mirror', name: 'disk1', id: ID, blockLength: 512 };
    // Nothing but what is looked at.
    return { spec, mirror: { host } } as never;
  }

  get context(): CommandContext {
    return {
      cluster: {
        nodeName: 'alpha',
        node: ALPHA,
        partners: ['beta', 'gamma', 'delta', 'epsilon'].map((name, index) => ({ name, node: index + 2 })),
      },
      clock: {
        now: () => this.now,
        after: (ms: number, run: () => void) => {
          this.now += ms;
          setImmediate(run);
        },
      },
      askPartner: (node: number, _device: string, request: PartnerRequest) => {
        this.asked.push({ node, request });
        return Promise.resolve(this.answers[node] ?? fail(`Node ${node} does not answer: it is away.`));
      },
    } as never;
  }

  change(change: 'add' | 'remove', node: string): Promise<Result<void, string>> {
    return changeReplicas(this.opened, { kind: 'replica', change, node }, this.context);
  }
}

test('the new node makes room first, then all others, and then it begins to learn', async () => {
  const stage = new Stage();
  assert.deepEqual(await stage.change('add', 'gamma'), DONE);
  const request = {
    kind: 'prepareReplica',
    node: GAMMA,
    replicas: [ALPHA, BETA, GAMMA],
    blockCount: 100,
    blockLength: 512,
  } as const;
  assert.deepEqual(stage.asked, [
    { node: GAMMA, request },
    { node: BETA, request },
  ]);
  assert.deepEqual([stage.met, stage.changed], [[GAMMA], ['add 3']]);
});

test('where a copy cannot be, nothing is changed', async () => {
  const cases: readonly (readonly [(stage: Stage) => void, 'add' | 'remove', string, string])[] = [
    [
      () => undefined,
      'add',
      'zeta',
      'there is no node zeta in the cluster: there are alpha, beta, gamma, delta, epsilon',
    ],
    [() => undefined, 'add', 'beta', 'node beta has a copy already'],
    [() => undefined, 'remove', 'gamma', 'node gamma has no copy of it'],
    [(stage) => (stage.witness = GAMMA), 'add', 'gamma', 'node gamma is its witness'],
    [(stage) => (stage.nodes = [1, 2, 4, 5]), 'add', 'gamma', 'a device has 4 copies and no more'],
    [(stage) => delete stage.answers[GAMMA], 'add', 'gamma', 'node 3 does not answer: it is away'],
    [
      (stage) => (stage.answers[GAMMA] = fail('Node gamma has no configuration for a copy of it.')),
      'add',
      'gamma',
      'node gamma has no configuration for a copy of it',
    ],
    [(stage) => (stage.answers[BETA] = fail('Node beta is full.')), 'add', 'gamma', 'node beta is full'],
    [(stage) => (stage.room = 'it is full'), 'add', 'gamma', 'node alpha is not ready for it: it is full'],
  ];
  for (const [spoil, change, node, why] of cases) {
    const stage = new Stage();
    spoil(stage);
    const told = `The copies of device disk1 were not changed: ${why}.`;
    assert.deepEqual(await stage.change(change, node), fail(told));
    assert.deepEqual(stage.changed, []);
  }
});

test('what the core says is told with names', async () => {
  const stage = new Stage();
  stage.core = fail('node 2 is not reached by this node');
  const removed = await stage.change('remove', 'beta');
  assert.deepEqual(
    removed,
    fail('The copies of device disk1 were not changed: node beta is not reached by this node.'),
  );
});

test('who does not serve asks the others, and the first that serves does it', async () => {
  const stage = new Stage();
  stage.serves = false;
  stage.answers = { [BETA]: ok({ serves: false }), [DELTA]: ok({ serves: true }), 5: ok({ serves: true }) };
  assert.deepEqual(await stage.change('remove', 'alpha'), DONE);
  const request = { kind: 'changeReplica', change: 'remove', node: ALPHA } as const;
  assert.deepEqual(
    stage.asked,
    [BETA, GAMMA, DELTA].map((node) => ({ node, request })),
  );
  stage.answers = { [BETA]: ok({ serves: true, why: 'node gamma has no room' }) };
  assert.deepEqual(
    await stage.change('add', 'gamma'),
    fail('The copies of device disk1 were not changed: node gamma has no room.'),
  );
  stage.answers = {};
  assert.deepEqual(
    await stage.change('add', 'gamma'),
    fail(
      'The copies of device disk1 were not changed: no node that is reached serves it now: try again later.',
    ),
  );
  assert.deepEqual(stage.changed, []);
  assert.ok(stage.now > 10_000, 'somebody may come to serve it');
});

test('where nobody serves for a moment it is waited for', async () => {
  const stage = new Stage();
  stage.serves = false;
  stage.answers = {};
  const removed = stage.change('remove', 'beta');
  setImmediate(() => (stage.serves = true));
  assert.deepEqual(await removed, DONE);
  assert.deepEqual(stage.changed, ['remove 2']);
});

test('a node answers another one as the one that it is', async () => {
  const stage = new Stage();
  const answer = (request: Parameters<typeof answerForReplica>[1]) =>
    answerForReplica(stage.opened, request, stage.context);
  const prepare = {
    kind: 'prepareReplica',
    node: GAMMA,
    replicas: [1, 2, 3],
    blockCount: 9,
    blockLength: 512,
  } as const;
  assert.deepEqual(await answer(prepare), DONE);
  assert.deepEqual(
    await answer({ ...prepare, blockLength: 4096 }),
    fail(
      'Node alpha is not ready for it: its configuration says sector = 512, and the device has sectors of 4096 bytes.',
    ),
  );
  const remove = { kind: 'changeReplica', change: 'remove', node: BETA } as const;
  assert.deepEqual(await answer(remove), ok({ serves: true, why: undefined }));
  stage.serves = false;
  assert.deepEqual(await answer(remove), ok({ serves: false, why: undefined }));
  assert.deepEqual(stage.changed, ['remove 2']);
});

test('a device that is no mirror has no copies to change', async () => {
  const opened = { spec: { kind: 'file', name: 'disk1' } } as Partial<OpenDevice> as OpenDevice;
  const answer = await changeReplicas(
    opened,
    { kind: 'replica', change: 'add', node: 'beta' },
    new Stage().context,
  );
  assert.ok(!answer.ok && answer.fault.startsWith('Device disk1 is no mirror: '));
});
