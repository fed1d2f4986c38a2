/**
 * The mirror itself, as the product runs it: a MirrorNode on every host, over simulated disks, links and clocks. What
 * stands here is what the product has around it: processes that start again, sessions, commands.
 */

import { crc32 } from 'node:zlib';
import { copyTo, lengthOf } from '../../src/base/segments.ts';
import { type Configuration, witnessOf } from '../../src/cluster/configuration.ts';
import { crc32c } from '../../src/runtime/crc32c.ts';
import type { FrontParts } from '../world.ts';
import type { Link } from '../link.ts';
import type { Session, StorageFront } from '../storage.ts';
import { SimulatedVotes } from '../vote-store.ts';
import { NEW_DEVICE } from '../worker.ts';
import { blocksOf } from '../workload.ts';
import { Administrator } from './administrator.ts';
import { CACHE_SIZES } from './copy-store.ts';
import { firstVotes } from './first-votes.ts';
import { MirrorHost } from './mirror-host.ts';
import { drawSite, type SiteFocus } from './mirror-site.ts';

const COMPARE_MS = 200;
const ADMINISTRATOR_MS = 2000;
const ADMINISTRATOR_PATIENCE = 4;
const STOPPED_MS = 3000;
/** Of all that the administrator does. */
const CHANGES_SHARE = 0.6;
const GROWS_SHARE = 0.3;
/** Growths of a run, besides. */
const GROWTHS = [0, 1, 2, 4];
const GROWTH_GAP_MS_MAX = 20_000;
/** Of who has a copy. */
const CHANGES_MAX = 6;
const CHANGE_GAP_MS_MAX = 15_000;
/** Of caches, where there are some. */
const RESIZES_MAX = 6;
const RESIZE_GAP_MS_MAX = 15_000;
/** Nothing that anyone writes. */
const UNSETTLED = -1;

export function createMirrorFront(parts: FrontParts, focus?: SiteFocus): StorageFront {
  const { hosts, random, scheduler, shape } = parts;
  const drawn = drawSite(random.fork('site'), hosts.length, parts, focus);
  const first = firstConfiguration(drawn.site.nodes);
  const votes = new SimulatedVotes(scheduler, random.fork('votes'), drawn.trouble);
  votes.replace(firstVotes(drawn.site, first));
  const nodes = hosts.map(
    (host) => new MirrorHost({ parts, host, drawn, votes, random: random.fork(`node ${host.id}`), digest }),
  );
  const withData = nodes.filter((node) => node.number !== witnessOf(drawn.site));
  for (const node of nodes) node.format(first);
  for (const node of nodes) node.start();

  const administrator = new Administrator(withData, drawn, () => scheduler.now());

  // A disk that is about to fail counts as failed, lest the other one is hit, too.
  const isComplete = (node: MirrorHost): boolean => node.serves !== undefined && node.isHealthy;
  /** Those that have a copy, as the newest configuration that anyone serves in says. */
  const copies = (): readonly MirrorHost[] => {
    const serving = withData.filter((node) => node.serves !== undefined);
    if (serving.length === 0) return [];
    const newest = serving.reduce((a, b) => (b.serves!.term > a.serves!.term ? b : a));
    return withData.filter(({ number }) => newest.replicas.includes(number));
  };
  const together = (): boolean => {
    const serving = copies().map((node) => node.serves);
    return (
      serving.length > 0 &&
      serving.every(
        (configuration) =>
          configuration !== undefined &&
          configuration.members.length === serving.length &&
          configuration.formerly === undefined &&
          configuration.term === serving[0]!.term,
      )
    );
  };

  /** Another one, who looks now and then: with everybody there and nobody serving, the newest copy is chosen. */
  let waits = 0;
  const administrate = (): void => {
    scheduler.after(ADMINISTRATOR_MS, administrate);
    const concerned = withData.filter((node) => !node.isApart);
    const isStuck = concerned.length > 0 && concerned.every((node) => node.seesAllAndWaits);
    waits = isStuck ? waits + 1 : 0;
    if (waits < ADMINISTRATOR_PATIENCE) return;
    waits = 0;
    concerned.reduce((a, b) => (b.accepted > a.accepted ? b : a)).force();
  };
  administrate();

  // At times of its own: whatever else goes wrong. Larger each time, or the same and less, which changes nothing.
  const growth = random.fork('growth');
  let [at, share] = [0, 0];
  for (let left = growth.pick(GROWTHS); left > 0; left--) {
    at += growth.integer(500, GROWTH_GAP_MS_MAX);
    share += growth.next() * (1 - share) * 0.7;
    const [wanted, through] = [share, growth.next()];
    scheduler.after(at, () => administrator.grow(wanted, through));
  }

  const replicaChanges = random.fork('replica changes');
  let changeAt = 0;
  for (let left = drawn.changesReplicas ? CHANGES_MAX : 0; left > 0; left--) {
    changeAt += replicaChanges.integer(500, CHANGE_GAP_MS_MAX);
    const [whose, through] = [replicaChanges.next(), replicaChanges.next()];
    scheduler.after(changeAt, () => administrator.changeReplicas(whose, through));
  }

  const caches = random.fork('cache sizes');
  let resizeAt = 0;
  for (let left = drawn.hasCache ? caches.integer(0, RESIZES_MAX) : 0; left > 0; left--) {
    resizeAt += caches.integer(500, RESIZE_GAP_MS_MAX);
    const [node, memory] = [caches.pick(withData), caches.pick(CACHE_SIZES)];
    scheduler.after(resizeAt, () => node.content.resizeCache(memory));
  }

  /** Members of one configuration hold the same, but for changes on their way. */
  const compare = (): void => {
    scheduler.after(COMPARE_MS, compare);
    const serving = withData.filter((node) => node.serves !== undefined);
    const newest = Math.max(0, ...serving.map((node) => node.serves!.term));
    const replicas = serving
      .filter((node) => node.serves!.term === newest)
      .map((node) => ({
        node: node.number - 1,
        values: [...node.content.settled(blocksOf(shape)), ...node.content.settledNew()],
      }));
    if (replicas.length > 1) parts.observe({ kind: 'compared', replicas });
  };
  compare();

  return {
    open: (session, drop) => nodes[session.node]!.open(session, drop),
    submit: (session, device, command, answer) =>
      nodes[session.node]!.submit(session, device, command, answer),
    heard: (session: Session) => nodes[session.node]!.heard(session),
    close: (session) => nodes[session.node]!.closeSession(session),
    crash: (node, how) => nodes[node]!.crash(how),
    restart: (node) => nodes[node]!.start(),
    onConnection: (node, end) => nodes[node]!.onConnection(end),
    onDatagram: (node, link: Link, _from, message) => nodes[node]!.onDatagram(link, message),
    disksOf: (node) => nodes[node]!.disks,
    completeCopies: () => {
      const newest = Math.max(0, ...withData.map((node) => node.serves?.term ?? 0));
      return withData
        .filter((node) => isComplete(node) && node.serves!.term === newest)
        .map((node) => node.number - 1);
    },
    isWhole: () => together() && copies().every(isComplete),
    // An administrator changes settings, or restarts a node, or all of them, at a time that suits nobody.
    operate: (draw) => {
      if ((draw * 1009) % 1 < GROWS_SHARE) administrator.grow((draw * 100_003) % 1, (draw * 499) % 1);
      if ((draw * 13) % 1 < CHANGES_SHARE) return administrator.act(draw);
      const [first, spread] = [Math.floor(draw * nodes.length), draw * 97];
      const chosen = spread % 1 < 0.2 ? nodes : [nodes[first]!];
      for (const node of chosen) void node.stopInOrder(STOPPED_MS * (spread % 1));
    },
    replicaChanges: () => administrator.replicasAtEnd(),
    documents: () => administrator.atEnd(),
    growth: () => administrator.growthAtEnd(),
    isQuiet: () => scheduler.now() > 0 && together() && copies().every((node) => node.isIdle),
    replicas: (device) =>
      copies().map((node) => ({
        node: node.number - 1,
        values:
          device === NEW_DEVICE
            ? node.content.settledNew().map((value) => value ?? UNSETTLED)
            : node.content.all(blocksOf(shape)),
      })),
  };
}

/** A device is created with equal, empty copies that were stopped in order. */
export function firstConfiguration(nodes: readonly number[]): Configuration {
  return { term: 1, id: 'f'.repeat(32), members: nodes.toSorted((a, b) => a - b), learners: [] };
}

/**
 * Equal digests mean equal bytes: checksums of two polynomials, 64 bits together. Several times as fast here as a
 * cryptographic hash, which a disk whose sectors are segments of their own would feed in small pieces.
 */
export function digest(data: readonly Uint8Array[]): string {
  const length = lengthOf(data);
  if (gathered.length < length) gathered = new Uint8Array(length);
  copyTo(data, gathered, 0);
  const bytes = gathered.subarray(0, length);
  return `${crc32(bytes)}.${crc32c(bytes, 0)}`;
}

let gathered = new Uint8Array(0);
