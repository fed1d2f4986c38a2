/**
 * Goal: the next configuration begins with everything that anyone who counts was told, in its order, and takes nobody for
 * closer to the others than is known. Method: reports made by hand, one rule each; random pending changes against plain
 * arrays of blocks.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Choice } from '../../cluster/choose.ts';
import type { EpochRecord } from '../../cluster/history.ts';
import type { Report } from '../../cluster/messages.ts';
import { reportWith } from '../../cluster/testing/report.ts';
import { DirtyMap } from '../../journal/dirty-map.ts';
import { Mutation } from '../../replication/mutation.ts';
import { MutationLog, type Part } from '../../replication/mutation-log.ts';
import { lamportOf, type Operation, stampOf } from '../../replication/operation.ts';
import { type Difference, type Handover, lamportOfDocuments, merge } from './handover.ts';
import { settingsDocument } from './settings.ts';

const BLOCK = 4096;
const BLOCKS = 64 * 16;
const CHUNKS = 64;
const NODES = [1, 2, 3];
const id = (number: number): string => number.toString(16).padStart(32, '0');
const configuration = (term: number, members: readonly number[], learners: readonly number[] = []) => ({
  term,
  id: id(term),
  members,
  learners,
});

function mapOf(chunks: readonly number[]): DirtyMap {
  const map = new DirtyMap(BLOCKS, BLOCK);
  for (const chunk of chunks) map.markChunks(chunk, chunk);
  return map;
}

function chunksOf(map: DirtyMap): number[] {
  const chunks: number[] = [];
  for (let chunk = map.next(0); chunk >= 0; chunk = map.next(chunk + 1)) chunks.push(chunk);
  return chunks;
}

const epochOf = (term: number, members: readonly number[]): EpochRecord => ({
  term,
  id: id(term),
  members,
  wroteData: false,
});

const difference = (chunks: readonly number[], more: Partial<Difference> = {}): Difference => ({
  base: { term: 10, id: id(10) },
  map: mapOf(chunks),
  sequence: 0,
  full: undefined,
  ifStopped: false,
  ...more,
});

const handoverOf = (more: Partial<Handover> = {}): Handover => ({
  lamport: 0,
  history: [],
  pending: [],
  sequence: 100,
  copyTerm: 20,
  documents: [],
  differences: new Map(),
  suspects: undefined,
  ...more,
});

function reportOf(handover: Handover | undefined, more: Partial<Report<Handover>> = {}): Report<Handover> {
  return reportWith(configuration(20, [1, 2]), { handover, ...more });
}

/** Members 1 and 2 of the last configuration go on; 3 learns. */
function merged(
  reports: readonly (readonly [number, Report<Handover>])[],
  more: Partial<Choice> & { readonly writesUnlogged?: boolean; readonly growsTo?: number } = {},
): Handover {
  const { writesUnlogged = false, growsTo, ...changed } = more;
  const choice: Choice = {
    kind: 'go',
    base: configuration(20, [1, 2], [3]),
    members: [1, 2],
    learners: [3],
    told: [],
    diverged: [],
    sources: [1, 2],
    waitMs: 0,
    needsClaim: false,
    rule: 'test',
    ...changed,
  };
  return merge({
    choice,
    promises: new Map(reports),
    configuration: configuration(36, choice.members, choice.learners),
    nodes: NODES,
    blockCount: BLOCKS,
    blockLength: BLOCK,
    writesUnlogged,
    growsTo,
    settings: { order: NODES, policy: 'through', asides: [], fullResyncAbove: 100 },
  });
}

function write(value: number, lba: number, blocks: number): Operation {
  return { kind: 'write', lba, blocks, data: [new Uint8Array(blocks * BLOCK).fill(value)] };
}

/** What blocks hold after these changes, in the order of their stamps. */
function played(parts: readonly Part[]): Map<number, number> {
  const content = new Map<number, number>();
  for (const { operation } of parts.toSorted((a, b) => a.stamp - b.stamp)) {
    assert.ok(operation.kind === 'write');
    for (let at = 0; at < operation.blocks; at++) content.set(operation.lba + at, operation.data[0]![0]!);
  }
  return new Map([...content].toSorted(([a], [b]) => a - b));
}

test('what was pending anywhere is finished in the order of its stamps, once, under new stamps above all', () => {
  const [one, two, three] = [write(1, 0, 4), write(2, 2, 4), write(3, 9, 1)];
  const first = [
    { stamp: stampOf(5, 1), operation: one },
    { stamp: stampOf(6, 2), operation: two },
  ];
  const second = [
    { stamp: stampOf(7, 2), operation: three },
    { stamp: stampOf(6, 2), operation: two },
  ];
  const { pending, lamport } = merged([
    [1, reportOf(handoverOf({ lamport: 9, pending: first }))],
    [2, reportOf(handoverOf({ lamport: 30, pending: second }))],
  ]);
  assert.deepEqual(
    pending.map(({ operation }) => operation),
    [one, two, three],
  );
  const lamports = pending.map(({ stamp }) => lamportOf(stamp));
  assert.deepEqual([lamports, lamport], [[31, 32, 33], 33]);
});

test('only the pending changes of those that count are finished', () => {
  const pending = [{ stamp: stampOf(5, 3), operation: write(1, 0, 1) }];
  const reports = [
    [1, reportOf(handoverOf())],
    [2, reportOf(handoverOf())],
    [3, reportOf(handoverOf({ pending, lamport: 5 }))],
  ] as const;
  assert.equal(merged(reports).pending.length, 0);
  assert.equal(merged(reports).lamport, 5, 'its time counts all the same');
  assert.equal(merged(reports, { sources: [1, 2, 3] }).pending.length, 1);
});

test('whatever each has heard of the same changes, all blocks end as their newest change says', () => {
  const change = fc.record({
    lamport: fc.integer({ min: 1, max: 250 }),
    lba: fc.nat(12),
    blocks: fc.integer({ min: 1, max: 6 }),
    heardBy: fc.constantFrom<readonly number[]>([1], [2], [1, 2]),
  });
  fc.assert(
    fc.property(fc.uniqueArray(change, { maxLength: 8, selector: ({ lamport }) => lamport }), (changes) => {
      const reports = [1, 2].map((node) => {
        const log = new MutationLog(BLOCK);
        for (const { lamport, lba, blocks, heardBy } of changes)
          if (heardBy.includes(node))
            log.add(new Mutation(stampOf(lamport, 1), write(lamport, lba, blocks), 1));
        return [node, reportOf(handoverOf({ lamport: 250, pending: log.pending() }))] as const;
      });
      const whole = changes.map(({ lamport, lba, blocks }) => ({
        stamp: stampOf(lamport, 1),
        operation: write(lamport, lba, blocks),
      }));
      const { pending } = merged(reports);
      assert.deepEqual(played(pending), played(whole));
      assert.equal(new Set(pending.map(({ stamp }) => stamp)).size, pending.length);
    }),
  );
});

test('of each document the newest counts, among members and those whose changes are finished', () => {
  const settings = (revision: number) => ({
    name: 'settings' as const,
    revision,
    bytes: new Uint8Array([revision]),
  });
  const reservations = { name: 'reservations' as const, revision: 1, bytes: new Uint8Array([9]) };
  const { documents } = merged([
    [1, reportOf(handoverOf({ documents: [settings(3), reservations] }))],
    [2, reportOf(handoverOf({ documents: [settings(5)] }))],
    [3, reportOf(handoverOf({ documents: [settings(8)] }))],
  ]);
  assert.deepEqual(documents, [settings(5), reservations]);
});

test('the highest revision says where counting goes on after a restart', () => {
  const document = (revision: number) => ({ name: 'settings' as const, revision, bytes: new Uint8Array(0) });
  assert.equal(lamportOfDocuments([]), 0);
  assert.equal(lamportOfDocuments([document(stampOf(7, 3)), document(stampOf(5, 9))]), 7);
});

test('the longest history of those whom the base included goes on, with all that any of them knows was written', () => {
  const epoch = (term: number, wroteData: boolean): EpochRecord => ({
    term,
    id: id(term),
    members: [1, 2],
    wroteData,
  });
  const reports = [
    [1, reportOf(handoverOf(), { history: [epoch(4, true), epoch(9, false)] })],
    [2, reportOf(handoverOf(), { history: [epoch(4, false), epoch(9, false), epoch(20, false)] })],
    [3, reportOf(handoverOf(), { history: [epoch(9, true), epoch(26, false)] })],
  ] as const;
  const before = configuration(20, [1, 2]);
  assert.deepEqual(merged(reports, { base: before }).history, [
    epoch(4, true),
    epoch(9, false),
    epoch(20, false),
  ]);
  // A learner of the base has lived through it, too; also where only it, or who is promoted, has promised.
  assert.deepEqual(merged(reports).history, [epoch(9, true), epoch(26, false)]);
  assert.deepEqual(
    merged([reports[0], reports[2]], { members: [1], sources: [1] }).history.at(-1),
    epoch(26, false),
  );
});

// ── Where copies may differ ──

const knowing = (node: number, of: Difference, more: Partial<Handover> = {}) =>
  [node, reportOf(handoverOf({ differences: new Map([[3, of]]), ...more }))] as const;

test('everybody who is no member has a difference: all that those who count know, and what it says of itself', () => {
  const found = merged([
    knowing(1, difference([1, 2])),
    knowing(2, difference([2, 5])),
    [3, reportOf(handoverOf({ suspects: difference([60]) }))],
  ]).differences;
  assert.deepEqual([...found.keys()], [3]);
  assert.deepEqual([chunksOf(found.get(3)!.map), found.get(3)!.full], [[1, 2, 5, 60], undefined]);
});

test('a node that is away has one, too, without its own word', () => {
  const found = merged([knowing(1, difference([1])), knowing(2, difference([2]))], { learners: [] });
  assert.deepEqual([...found.differences.keys()], [3]);
  assert.deepEqual(chunksOf(found.differences.get(3)!.map), [1, 2]);
});

test('who is left out has no say about itself: it is asked again when it joins', () => {
  const word = handoverOf({ suspects: difference([60]), copyTerm: 9 });
  const { map, full } = merged(
    [knowing(1, difference([1])), knowing(2, difference([2])), [3, reportOf(word, { isBlank: true })]],
    { learners: [] },
  ).differences.get(3)!;
  assert.deepEqual([chunksOf(map), full], [[1, 2], undefined]);
});

test('of a learner that was part of the last configuration only those know who were its members or are sources', () => {
  const others = difference([7]);
  const found = merged(
    [
      knowing(1, difference([1])),
      [2, reportOf(handoverOf({ differences: new Map([[3, others]]) }))],
      [3, reportOf(handoverOf())],
    ],
    { base: configuration(20, [1], [3]), sources: [1], members: [1] },
  );
  assert.deepEqual(chunksOf(found.differences.get(3)!.map), [1]);
});

test('the newest base that anyone knows counts, and the highest sequence', () => {
  const newer = { term: 15, id: id(15) };
  const { base, sequence } = merged([
    knowing(1, difference([], { sequence: 4 })),
    knowing(2, difference([], { base: newer, sequence: 3 })),
    [3, reportOf(handoverOf())],
  ]).differences.get(3)!;
  assert.deepEqual([base, sequence], [newer, 4]);
});

const FULL: readonly (readonly [string, RegExp, () => Handover])[] = [
  [
    'a member that cannot tell what differs',
    /mapWasInMemory/,
    () =>
      merged([
        knowing(1, difference([], { full: 'mapWasInMemory' })),
        knowing(2, difference([1])),
        [3, reportOf(handoverOf())],
      ]),
  ],
  [
    'a learner that cannot tell what it holds alone',
    /logUnreadable/,
    () =>
      merged(
        [
          knowing(1, difference([])),
          [3, reportOf(handoverOf({ suspects: difference([], { full: 'logUnreadable' }) }))],
        ],
        { sources: [1], members: [1] },
      ),
  ],
  [
    'a learner without records that count',
    /new/,
    () =>
      merged([
        knowing(1, difference([])),
        knowing(2, difference([])),
        [3, reportOf(handoverOf(), { isBlank: true })],
      ]),
  ],
  [
    'a learner that no member has ever heard of',
    /no member knows/,
    () =>
      merged([
        [1, reportOf(handoverOf())],
        [2, reportOf(handoverOf())],
        [3, reportOf(handoverOf())],
      ]),
  ],
  [
    'of two that were together one only was stopped in order',
    /stopped/,
    () =>
      merged([
        knowing(1, difference([], { ifStopped: true })),
        knowing(2, difference([])),
        [3, reportOf(handoverOf(), { wasStopped: false })],
      ]),
  ],
  [
    'records that are older than what a member was told of them',
    /older/,
    () =>
      merged([
        knowing(1, difference([], { sequence: 100 })),
        knowing(2, difference([], { sequence: 101 })),
        [3, reportOf(handoverOf({ sequence: 100 }))],
      ]),
  ],
  [
    'a copy that has not been part of the device for as long as the members know it was',
    /older/,
    () =>
      merged([
        knowing(1, difference([])),
        knowing(2, difference([])),
        [3, reportOf(handoverOf({ copyTerm: 9 }))],
      ]),
  ],
  [
    'a copy that has begun to learn in a configuration that no member has accepted',
    /began to learn/,
    () =>
      merged([
        knowing(1, difference([])),
        knowing(2, difference([])),
        [3, reportOf(handoverOf(), { history: [epochOf(20, [1, 2])] })],
      ]),
  ],
];
for (const [what, reason, make] of FULL)
  test(`everything is compared: ${what}`, () => {
    const { map, full } = make().differences.get(3)!;
    assert.match(full!, reason);
    assert.equal(map.count, CHUNKS);
  });

test('a copy that has begun to learn, or was a member, where a member was is as far behind as members know', () => {
  for (const [members, known] of [
    [[1, 2], [epochOf(20, [1, 2])]],
    [[1, 2, 3], []],
  ] as const) {
    const { map, full } = merged([
      knowing(1, difference([4])),
      [2, reportOf(handoverOf(), { history: known })],
      [3, reportOf(handoverOf(), { history: [epochOf(20, members)] })],
    ]).differences.get(3)!;
    assert.deepEqual([chunksOf(map), full], [[4], undefined]);
  }
});

test('records as old as what members were told, of the last term that they know, are believed', () => {
  const { map, full } = merged([
    knowing(1, difference([4], { sequence: 100 })),
    knowing(2, difference([])),
    [3, reportOf(handoverOf({ sequence: 100, copyTerm: 10 }))],
  ]).differences.get(3)!;
  assert.deepEqual([chunksOf(map), full], [[4], undefined]);
});

test('without a log copies that were lost at once are compared as a whole; one that was lost alone is not', () => {
  const was = (members: readonly number[], of = [1]) =>
    of.map((node) => [node, reportOf(handoverOf(), { accepted: configuration(20, members) })] as const);
  const alone = { members: [1], sources: [1], learners: [2, 3] };
  const fullOf = (found: Handover) =>
    [2, 3].map((node) => found.differences.get(node)?.full?.includes('lost'));
  assert.deepEqual(fullOf(merged(was([1, 2, 3]), { ...alone, writesUnlogged: true })), [true, true]);
  assert.equal(
    merged(was([1, 2, 3]), { ...alone, writesUnlogged: true }).differences.get(2)!.map.count,
    CHUNKS,
  );
  assert.deepEqual(fullOf(merged(was([1, 2, 3]), alone)), [undefined, undefined]);
  assert.deepEqual(fullOf(merged(was([1, 2]), { ...alone, writesUnlogged: true })), [undefined, undefined]);
  const two = { members: [1, 2], sources: [1, 2], learners: [3] };
  assert.deepEqual(fullOf(merged(was([1, 2, 3], [1, 2]), { ...two, writesUnlogged: true })), [
    undefined,
    undefined,
  ]);
});

test('copies that were all stopped in order are believed', () => {
  const { full } = merged(
    [knowing(1, difference([], { ifStopped: true })), [3, reportOf(handoverOf(), { wasStopped: true })]],
    { members: [1], sources: [1] },
  ).differences.get(3)!;
  assert.equal(full, undefined);
});

test('a node that is away and unknown counts from this configuration on: when it comes, its copy is older than that', () => {
  const { base } = merged(
    [
      [1, reportOf(handoverOf())],
      [2, reportOf(handoverOf())],
    ],
    {
      learners: [],
    },
  ).differences.get(3)!;
  assert.deepEqual(base, { term: 36, id: id(36) });
});

test('a copy that lacks more than the limit of the settings is compared as a whole', () => {
  const settings = (fullResyncAbove: number) =>
    settingsDocument({ order: NODES, policy: 'through', asides: [], fullResyncAbove }, 9);
  const resync = (fullResyncAbove: number) => {
    const documents = [settings(fullResyncAbove)];
    const [from, { handover, ...report }] = knowing(1, difference([0, 1]));
    const believed = { copyTerm: 20, sequence: 100 };
    return merged(
      [
        [from, { ...report, handover: { ...handover!, documents } }],
        [3, reportOf(handoverOf(believed))],
      ],
      { members: [1], sources: [1] },
    ).differences.get(3)!;
  };
  const share = Math.floor((2 * 100) / CHUNKS);
  assert.deepEqual([resync(100).full, resync(share + 1).full], [undefined, undefined]);
  assert.equal(resync(share + 1).map.count, 2);
  assert.match(resync(share - 1).full!, /limit of/);
  assert.equal(resync(share - 1).map.count, CHUNKS);
});
