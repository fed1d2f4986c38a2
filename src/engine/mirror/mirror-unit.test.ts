/**
 * Goal: initiators see one logical unit through all nodes of a mirror, and hear once of what happens to it. Method: three
 * nodes in one process, a target over each, an initiator at each; time passes when a test lets it.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { turns } from '../../replication/testing/held-store.ts';
import { ManualClock } from '../../replication/testing/manual-clock.ts';
import type { LogicalUnit } from '../../scsi/logical-unit.ts';
import { Client, said, type Sent, targetAt } from '../../scsi/testing/client.ts';
import { type Joined, joinNodes } from './testing/joined-nodes.ts';

const NODES = [1, 2, 3];
const BLOCK = 512;
const REGISTER = 0;
const RESERVE = 1;
const PREEMPT_AND_ABORT = 5;
const WRITE_EXCLUSIVE = 1;
const RESERVE_6 = [0x16];
const READ = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const WRITE = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const REPORT_GROUPS = [0xa3, 0x2a, 0, 0, 0, 0, 0, 0, 255, 0];
const READ_CAPACITY = [0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const CONFLICT = 'status 18';

class Stage {
  readonly clock = new ManualClock();
  readonly clients = new Map<number, Client>();
  nodes: ReadonlyMap<number, Joined> = new Map();

  async begin(): Promise<void> {
    const { clock } = this;
    this.nodes = await joinNodes({
      count: NODES.length,
      blockCount: 256,
      blockLength: BLOCK,
      clock,
      random: () => 0.5,
      digest: () => '',
    });
    for (const [self, { unit }] of this.nodes) {
      const client = new Client(targetAt(self, unit.unit), `iqn.${self}`);
      client.now = () => clock.now();
      this.clients.set(self, client);
    }
    await this.until(() => NODES.every((node) => this.nodes.get(node)!.node.state.isServing));
    for (const node of NODES) await this.attentions(node);
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 20) {
      this.clock.advance(20);
      await turns();
    }
  }

  async until(condition: () => boolean): Promise<void> {
    for (let waits = 0; !condition(); waits++) {
      assert.ok(waits < 1000, 'it never comes');
      await this.pass(20);
    }
  }

  send(node: number, cdb: readonly number[], dataOut?: Uint8Array): Sent {
    return this.clients.get(node)!.send(cdb, dataOut === undefined ? {} : { dataOut });
  }

  async run(node: number, cdb: readonly number[], dataOut?: Uint8Array): Promise<string> {
    const sent = this.send(node, cdb, dataOut);
    await this.until(() => sent.ending !== undefined);
    return said(sent.ending);
  }

  write(node: number): Promise<string> {
    return this.run(node, WRITE, new Uint8Array(BLOCK).fill(node));
  }

  async data(node: number, cdb: readonly number[]): Promise<string> {
    const sent = this.send(node, cdb);
    await this.until(() => sent.ending !== undefined);
    assert.equal(said(sent.ending), 'good');
    return Buffer.from(sent.ending!.data).toString('hex');
  }

  reserveOut(node: number, action: number, key: number, actionKey: number, type = 0): Promise<string> {
    const list = new Uint8Array(24);
    list[7] = key;
    list[15] = actionKey;
    return this.run(node, [0x5f, action, type, 0, 0, 0, 0, 0, 24, 0], list);
  }

  async attentions(node: number): Promise<string[]> {
    const found: string[] = [];
    for (;;) {
      const answer = await this.run(node, [0]);
      if (!answer.startsWith('6/')) return found;
      found.push(answer);
    }
  }

  async reset(node: number): Promise<string> {
    let answer: string | undefined;
    void Promise.resolve(this.clients.get(node)!.manage('logicalUnitReset')).then((it) => (answer = it));
    await this.until(() => answer !== undefined);
    return answer!;
  }

  /** The process of a node is gone. */
  kill(node: number): void {
    this.nodes.get(node)!.node.abandon();
  }

  /** The others go on without it. */
  async without(node: number): Promise<void> {
    const others = NODES.filter((other) => other !== node);
    await this.until(() =>
      others.every((other) => {
        const { isServing, configuration } = this.nodes.get(other)!.node.state;
        return isServing && !configuration.members.includes(node);
      }),
    );
  }
}

function unitOf(stage: Stage, node: number): LogicalUnit {
  return stage.nodes.get(node)!.unit.unit;
}

async function begun(): Promise<Stage> {
  const stage = new Stage();
  await stage.begin();
  return stage;
}

test('who the unit is, and how to reach it, is the same through every node', async () => {
  const stage = await begun();
  const [first, ...others] = await Promise.all(
    NODES.map(async (node) => [
      await stage.data(node, [0x12, 0, 0, 0, 96]),
      await stage.data(node, [0x12, 1, 0x80, 0, 255]),
      await stage.data(node, REPORT_GROUPS),
    ]),
  );
  for (const other of others) assert.deepEqual(other, first);
  // Extended header with 10 s; groups 1 to 3 active/optimized, the first preferred.
  const group = (node: number, flags: string) => `${flags}8f000${node}00020001` + `0000000${node}`;
  const groups = group(1, '80') + group(2, '00') + group(3, '00');
  assert.equal(first![2], `00000028100a0000${groups}`);
});

test('the device identification differs in the port only', async () => {
  const stage = await begun();
  const pages = await Promise.all(NODES.map((node) => stage.data(node, [0x12, 1, 0x83, 0, 255])));
  for (const [at, page] of pages.entries()) {
    const node = at + 1;
    assert.ok(page.includes('6f000102030405060708090a0b0c0d0e'));
    assert.ok(page.includes(`519400040000000${node}`), 'relative target port');
    assert.ok(page.includes(`519500040000000${node}`), 'target port group');
  }
});

test('what is registered and reserved through one node holds through the others', async () => {
  const stage = await begun();
  assert.equal(await stage.reserveOut(1, REGISTER, 0, 1), 'good');
  assert.equal(await stage.reserveOut(2, REGISTER, 0, 2), 'good');
  assert.equal(await stage.reserveOut(1, RESERVE, 1, 0, WRITE_EXCLUSIVE), 'good');
  assert.deepEqual(
    [await stage.write(1), await stage.write(2), await stage.write(3), await stage.run(3, READ)],
    ['good', CONFLICT, CONFLICT, 'good'],
  );
  const keys = [0x5e, 0, 0, 0, 0, 0, 0, 0, 255, 0];
  assert.equal(await stage.data(3, keys), await stage.data(1, keys));
});

test('PREEMPT AND ABORT through another node leaves nothing that could still be written', async () => {
  const stage = await begun();
  assert.equal(await stage.reserveOut(1, REGISTER, 0, 1), 'good');
  assert.equal(await stage.reserveOut(2, REGISTER, 0, 2), 'good');
  assert.equal(await stage.reserveOut(1, RESERVE, 1, 0, WRITE_EXCLUSIVE), 'good');
  const writes = Array.from({ length: 20 }, () => stage.send(1, WRITE, new Uint8Array(BLOCK).fill(7)));
  const preempting = stage.reserveOut(2, PREEMPT_AND_ABORT, 2, 1, WRITE_EXCLUSIVE);
  assert.equal(await preempting, 'good');
  assert.equal(await stage.write(2), 'good');
  await stage.until(() => writes.every(({ ending }) => ending !== undefined));
  const data = await stage.data(3, READ);
  assert.equal(data.slice(0, 4), '0202');
  assert.deepEqual(await stage.attentions(1), ['6/2a/05']);
  assert.equal(await stage.write(1), CONFLICT);
  assert.deepEqual(await stage.attentions(3), []);
});

test('when a change is answered every node has been told of it', async () => {
  const stage = await begun();
  const reserving = stage.send(1, RESERVE_6);
  const known = reserving.ended.then(() => NODES.map((node) => unitOf(stage, node).reservations.held));
  await stage.until(() => reserving.ending !== undefined);
  assert.deepEqual(await known, [true, true, true]);
});

test('a reset through one node is heard of once through each', async () => {
  const stage = await begun();
  assert.equal(await stage.run(2, RESERVE_6), 'good');
  assert.equal(await stage.run(1, [0]), CONFLICT);
  assert.equal(await stage.reset(1), 'complete');
  for (const node of NODES) assert.deepEqual(await stage.attentions(node), ['6/29/03']);
  assert.equal(await stage.run(3, RESERVE_6), 'good');
});

test('when a node is lost the others say so, and hear of it once; what its nexus had reserved has ended', async () => {
  const stage = await begun();
  assert.equal(await stage.run(1, RESERVE_6), 'good');
  stage.kill(1);
  await stage.without(1);
  assert.equal(await stage.data(2, [0x12, 0, 0, 0, 96]), await stage.data(3, [0x12, 0, 0, 0, 96]));
  for (const node of [2, 3]) assert.deepEqual(await stage.attentions(node), ['6/2a/06']);
  const groups = await stage.data(2, REPORT_GROUPS);
  assert.equal(await stage.data(3, REPORT_GROUPS), groups);
  // The group of node 1 is unavailable, and node 2 is preferred now.
  assert.deepEqual([groups.slice(16, 24), groups.slice(40, 48)], ['038f0001', '808f0002']);
  assert.equal(await stage.run(3, RESERVE_6), 'good');
  await stage.pass(10_000);
  for (const node of [2, 3]) assert.equal((await stage.attentions(node)).length, 0);
});

test('commands wait for a change of configuration, and a node without the right to serve is not ready', async () => {
  const stage = await begun();
  stage.kill(1);
  const sent = stage.send(2, WRITE, new Uint8Array(BLOCK));
  await stage.without(1);
  await stage.until(() => sent.ending !== undefined);
  assert.equal(said(sent.ending), 'good');
  stage.kill(3);
  await stage.pass(1500);
  assert.match(await stage.run(2, [0]), /^(6\/2a\/06|2\/04\/0a)$/);
  await stage.pass(5000);
  const group = unitOf(stage, 2).portGroups(unitOf(stage, 2)).groups[1];
  assert.equal(group?.state, 0x3);
  await stage.attentions(2);
  assert.equal(await stage.run(2, READ), '2/04/0c');
  assert.equal(await stage.run(2, RESERVE_6), '2/04/0c');
});

test('a node whose copy is not open tells of its own paths only that they are unavailable', async () => {
  const stage = await begun();
  const { node, unit } = stage.nodes.get(1)!;
  unit.detach();
  assert.deepEqual(await stage.attentions(1), ['6/2a/06']);
  assert.equal(await stage.run(1, READ), '2/04/0c');
  const states = unit.unit.portGroups(unit.unit).groups.map(({ state }) => state);
  assert.deepEqual(states, [3, 0, 0]);
  unit.attach(node);
  assert.deepEqual(await stage.attentions(1), ['6/2a/06']);
  assert.equal(await stage.run(1, READ), 'good');
});

test('a node that has no copy any more tells of its own paths, as unavailable, and the others do not', async () => {
  const stage = await begun();
  let isDone = false;
  void stage.nodes
    .get(2)!
    .node.removeReplica(1)
    .then(({ ok }) => (isDone = ok));
  await stage.until(() => isDone && stage.nodes.get(1)!.node.state.role === 'removed');
  const groupsAt = (node: number): readonly (readonly [number, number])[] =>
    unitOf(stage, node)
      .portGroups(unitOf(stage, node))
      .groups.map(({ group, state }) => [group, state] as const);
  const others = [
    [2, 0],
    [3, 0],
  ];
  assert.deepEqual(groupsAt(1), [[1, 3], ...others]);
  assert.deepEqual(groupsAt(2), others);
  await stage.attentions(1);
  assert.equal(await stage.run(1, READ), '2/04/0c');
});

test('the device grows: its initiators hear it once through each node, and reach its new blocks through all', async () => {
  const stage = new Stage();
  await stage.begin();
  const lastBlock = async (node: number): Promise<number> =>
    Number.parseInt((await stage.data(node, READ_CAPACITY)).slice(0, 8), 16);
  const behind = [0x2a, 0, 0, 0, 1, 2, 0, 0, 1, 0];
  assert.deepEqual([await lastBlock(1), await stage.run(2, behind, new Uint8Array(BLOCK))], [255, '5/21/00']);
  let grown: unknown;
  void stage.nodes
    .get(2)!
    .node.grow(300)
    .then((result) => (grown = result));
  await stage.until(
    () => grown !== undefined && NODES.every((node) => stage.nodes.get(node)!.node.state.isServing),
  );
  assert.deepEqual(grown, { ok: true, value: undefined });
  for (const node of NODES) {
    assert.deepEqual(await stage.attentions(node), ['6/2a/09']);
    assert.equal(await lastBlock(node), 299);
    assert.equal(await stage.run(node, behind, new Uint8Array(BLOCK).fill(node)), 'good');
  }
  assert.equal(await stage.data(1, [0x28, ...behind.slice(1)]), Buffer.alloc(BLOCK, 3).toString('hex'));
});

test('the write policy changes: initiators are told, and what has to be durable is flushed', async () => {
  const stage = new Stage();
  await stage.begin();
  let flushes = 0;
  for (const { store } of stage.nodes.values()) {
    const flush = store.flush.bind(store);
    store.flush = (...words) => {
      flushes += 1;
      return flush(...words);
    };
  }
  const policy = async (wanted: 'through' | 'back'): Promise<void> => {
    let done = false;
    const ticket = { arrivedAt: stage.clock.now(), isAlive: () => true };
    stage.nodes.get(1)!.node.changeSettings(ticket, { policy: wanted }, (result) => (done = result.ok));
    await stage.until(() => done);
    await stage.pass(200);
  };
  const cachingPage = async (node: number): Promise<string> =>
    (await stage.data(node, [0x1a, 8, 8, 0, 64, 0])).slice(8, 14);
  const durable = [0x2a, 8, ...WRITE.slice(2)];
  await policy('back');
  for (const node of NODES) {
    assert.deepEqual(await stage.attentions(node), ['6/2a/01'], `node ${node}`);
    assert.equal(await cachingPage(node), '081204', `node ${node}: there is a write cache`);
    flushes = 0;
    assert.equal(await stage.run(node, durable, new Uint8Array(BLOCK)), 'good');
    assert.ok(flushes >= NODES.length, `node ${node}: every copy is flushed`);
  }
  await policy('through');
  for (const node of NODES) {
    assert.deepEqual(await stage.attentions(node), ['6/2a/01'], `node ${node}`);
    assert.equal(await cachingPage(node), '081200', `node ${node}: there is none`);
  }
});
