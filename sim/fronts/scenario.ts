/** A mirror in the simulator that a test drives by hand: no nemesis, no workload, one command at a time. */

import assert from 'node:assert/strict';
import type { Result } from '../../src/base/result.ts';
import { createPrng } from '../../src/base/prng.ts';
import { type Site, votersOf } from '../../src/cluster/configuration.ts';
import type { MirrorNode } from '../../src/engine/mirror/mirror-node.ts';
import type { Settings, SettingsFault } from '../../src/engine/mirror/settings.ts';
import type { JournalStrategy } from '../../src/journal/recovery.ts';
import type { DeviceFault } from '../../src/ports/block-device.ts';
import type { WritePolicy } from '../../src/replication/ports.ts';
import type { DiskConditions } from '../disk.ts';
import { createHost, type Host } from '../host.ts';
import { createNetwork, type Network } from '../network.ts';
import { createScheduler, type Scheduler } from '../scheduler.ts';
import type { Answer, Command, Session } from '../storage.ts';
import { createTrace, type Trace } from '../trace.ts';
import { drawTrouble, SimulatedVotes } from '../vote-store.ts';
import { DATA_DEVICE } from '../worker.ts';
import { drawShape } from '../workload.ts';
import { digest, firstConfiguration } from './mirror-front.ts';
import { firstVotes } from './first-votes.ts';
import { MirrorHost } from './mirror-host.ts';

export interface ScenarioOptions {
  readonly site: Site;
  readonly journal?: JournalStrategy;
  readonly policy?: WritePolicy;
}

const DELAY = { minMs: 0.02, meanMs: 0.3, spikeChance: 0, spikeMeanMs: 0 };
const ANSWER_MS_MAX = 20_000;

export class Scenario {
  readonly #scheduler: Scheduler = createScheduler();
  readonly #trace: Trace;
  readonly #network: Network;
  readonly #hosts: readonly Host[];
  readonly #nodes: readonly MirrorHost[];

  constructor({ site, journal = 'failure', policy = 'through' }: ScenarioOptions) {
    const random = createPrng(1);
    const scheduler = this.#scheduler;
    this.#trace = createTrace(() => scheduler.now(), 100_000);
    this.#network = createNetwork({ scheduler, random: random.fork('network'), trace: this.#trace });
    const voters = votersOf(site);
    this.#hosts = voters.map((_, id) =>
      createHost({ id, scheduler, random: random.fork(`host ${id}`), drift: 0 }),
    );
    for (const a of this.#hosts)
      for (const b of this.#hosts)
        if (a.id < b.id)
          for (const kind of ['sync', 'heartbeat'] as const)
            this.#network.addLink({
              kind,
              index: 0,
              ends: [a.id, b.id],
              delay: DELAY,
              bytesPerMs: 1_000_000,
            });
    const parts = {
      scheduler,
      random: random.fork('front'),
      network: this.#network,
      hosts: this.#hosts,
      trace: this.#trace,
      shape: { ...drawShape(random.fork('shape'), 1, 1), dataBlocks: 200, islandBlocks: Infinity },
      observe: () => undefined,
      stir: () => undefined,
      flaw: undefined,
      kinds: new Set<never>(),
      budget: true,
      oneByOne: false,
    };
    const trouble = drawTrouble(random.fork('trouble'), true);
    const drawn = {
      site,
      policy,
      hasCache: policy === 'back',
      cacheAgeMs: 5000,
      journal,
      confirmsReads: false,
      carriage: 'asBytes',
      hasStoredVote: false,
      spares: [],
      changesReplicas: false,
      trouble,
    } as const;
    const votes = new SimulatedVotes(scheduler, random.fork('votes'), trouble);
    votes.replace(firstVotes(site, firstConfiguration(site.nodes)));
    this.#nodes = this.#hosts.map(
      (host) => new MirrorHost({ parts, host, drawn, votes, random: random.fork(`node ${host.id}`), digest }),
    );
    for (const host of this.#hosts) {
      const node = this.#nodes[host.id]!;
      this.#network.attach(host, {
        onConnection: (end) => node.onConnection(end),
        onDatagram: (link, _from, message) => node.onDatagram(link, message),
      });
      node.format(firstConfiguration(site.nodes));
      node.start();
    }
  }

  /** Nodes that serve, by their numbers from 1 on. */
  get serving(): number[] {
    return this.#nodes.filter(({ serves }) => serves !== undefined).map(({ number }) => number);
  }

  /** All copies serve in one configuration. */
  get isTogether(): boolean {
    const serving = this.#nodes.map(({ serves }) => serves);
    return serving.every((one) => one !== undefined && one.term === serving[0]!.term);
  }

  /** Names of what nodes have explained since the beginning. */
  get events(): string[] {
    return this.#trace.lines.flatMap((line) => /(mirror\.[a-zA-Z.]+)/.exec(line)?.[1] ?? []);
  }

  /** Why everything had to be compared, each time it had to. */
  get fullResyncs(): string[] {
    return this.#trace.lines.flatMap((line) => /"full":("[^"]*")/.exec(line)?.[1] ?? []);
  }

  mirror(node: number): MirrorNode {
    const { mirror } = this.#nodes[node - 1]!;
    assert.ok(mirror !== undefined, `node ${node} runs`);
    return mirror;
  }

  async pass(ms: number): Promise<void> {
    // As the scheduler counts: a sum of fractions could lie beyond any of its moments.
    const until = Math.round((this.#scheduler.now() + ms) * 1000) / 1000;
    while (this.#scheduler.now() < until)
      // oxlint-disable-next-line no-await-in-loop -- time passes step by step
      await this.#scheduler.runSettled(Math.min(until, this.#scheduler.now() + 1000));
  }

  async until(condition: () => boolean, what: string, maxMs = 60_000): Promise<void> {
    const until = this.#scheduler.now() + maxMs;
    while (!condition()) {
      assert.ok(this.#scheduler.now() < until, `${what}; serving: ${this.serving.join()}`);
      // oxlint-disable-next-line no-await-in-loop
      await this.pass(100);
    }
  }

  /** Settles what `promise` needs of simulated time. */
  async result<T>(promise: Promise<T>): Promise<T> {
    let isDone = false;
    void promise.finally(() => (isDone = true));
    // oxlint-disable-next-line no-await-in-loop
    while (!isDone) await this.pass(10);
    return promise;
  }

  /** Both ways, on all links between two nodes. */
  cut(a: number, b: number): () => void {
    return this.#network.cut(
      (link, from, to) => link.kind !== 'path' && [from, to].includes(a - 1) && [from, to].includes(b - 1),
    );
  }

  crash(node: number): void {
    this.#hosts[node - 1]!.crash();
    this.#network.hostDown(node - 1, 'power');
    this.#nodes[node - 1]!.crash('power');
  }

  /** In order, for so long; the answer says whether the next start may rely on it. */
  stop(node: number, forMs: number): Promise<boolean> {
    return this.result(this.#nodes[node - 1]!.stopInOrder(forMs));
  }

  restart(node: number): void {
    this.#hosts[node - 1]!.restart();
    this.#network.hostUp(node - 1);
    this.#nodes[node - 1]!.start();
  }

  /** By an initiator at a node, which does not wait; the answer comes into the list. `end`: of its session. */
  begin(
    initiator: number,
    node: number,
    device: number,
    command: Command,
  ): { readonly answers: readonly Answer[]; readonly end: () => void } {
    const session: Session = { initiator, node: node - 1, abandoned: false };
    const host = this.#nodes[node - 1]!;
    const answers: Answer[] = [];
    if (host.open(session, () => undefined))
      host.submit(session, device, command, (answer) => answers.push(answer));
    return { answers, end: () => host.closeSession(session) };
  }

  /** By node `node`; the answer, or undefined if there is none in 20 s. */
  async command(node: number, command: Command, device = DATA_DEVICE): Promise<Answer | undefined> {
    const { answers, end } = this.begin(99, node, device, command);
    const until = this.#scheduler.now() + ANSWER_MS_MAX;
    // oxlint-disable-next-line no-await-in-loop
    while (answers.length === 0 && this.#scheduler.now() < until) await this.pass(10);
    end();
    return answers[0];
  }

  /** By node `node`; undefined if there is no answer in 20 s. */
  async changeSettings(
    node: number,
    change: Partial<Settings>,
  ): Promise<Result<void, DeviceFault | SettingsFault> | undefined> {
    let answer: Result<void, DeviceFault | SettingsFault> | undefined;
    const arrivedAt = this.#hosts[node - 1]!.clock.now();
    this.mirror(node).changeSettings({ arrivedAt, isAlive: () => true }, change, (given) => (answer = given));
    const until = this.#scheduler.now() + ANSWER_MS_MAX;
    // oxlint-disable-next-line no-await-in-loop
    while (answer === undefined && this.#scheduler.now() < until) await this.pass(10);
    return answer;
  }

  async write(node: number, block: number, value: number): Promise<void> {
    const answer = await this.command(node, { kind: 'write', lba: block, values: [value] });
    assert.deepEqual(answer, { status: 'good', values: [] });
  }

  async read(node: number, block: number): Promise<number> {
    const answer = await this.command(node, { kind: 'read', lba: block, blocks: 1 });
    assert.equal(answer?.status, 'good');
    return answer.values[0]!;
  }

  /** Of the blocks that the device has got since it was made; of those no change is on its way. */
  newContents(node: number): (number | undefined)[] {
    return this.#nodes[node - 1]!.content.settledNew();
  }

  /** What is wrong with the disk that has the copy of a node. */
  conditions(node: number): DiskConditions {
    return this.#nodes[node - 1]!.disks[0]!.conditions;
  }

  /** Somebody else's content comes to lie behind the end of a node's copy. */
  leaveBehind(node: number): void {
    this.#nodes[node - 1]!.leaveBehind();
  }

  /** What lies on the disks of all nodes, without what is in caches. */
  onMedium(block: number): number[] {
    return this.#nodes.map((node) => node.content.onMedium(block));
  }

  /** What the copies of all nodes hold. */
  contents(block: number): number[] {
    return this.#nodes.map((node) => node.content.all(block + 1)[block]!);
  }
}
