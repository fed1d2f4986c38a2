/** Faults planted in journals, maps and superblocks, and in what a node does before it goes on alone. */

import { type Catalogue, STOPPED, WRONG_DATA } from './plant.ts';

const JOURNAL = 'src/journal/journal.ts';
const NODE = 'src/engine/mirror/mirror-node.ts';
const ACCEPTANCE = 'src/engine/mirror/copy-acceptance.ts';
const RECORDS = 'src/engine/mirror/copy-records.ts';

export const RECORD_PLANTS: Catalogue = {
  absentIsNotMarked: {
    file: JOURNAL,
    find: '    for (const map of this.#marked) map.mark(lba, blocks);\n',
    replace: '',
    what: 'what an absent partner misses is not marked',
    foundBy: WRONG_DATA,
    focus: 'mirror-crashes',
    seedsMax: 30,
  },
  onlyTheFirstChunkIsMarked: {
    file: 'src/journal/dirty-map.ts',
    find: 'const last = Math.floor((lba + blocks - 1) * this.#chunksPerBlock);',
    replace: 'const last = Math.floor((lba + 0 * blocks) * this.#chunksPerBlock);',
    what: 'of a change over two chunks only the first is marked',
    foundBy: WRONG_DATA,
    seedsMax: 42,
  },
  unflushedIsNotMarked: {
    file: JOURNAL,
    find: 'for (const [partner, map] of this.#unflushed) if (this.#receives(partner)) map.mark(lba, blocks);',
    replace: '',
    what: 'nobody knows what a partner holds in memory only',
    foundBy: WRONG_DATA,
    focus: 'mirror-caches',
    seedsMax: 10,
  },
  unflushedIsNotMoved: {
    file: JOURNAL,
    find: '    this.#unflushed.get(partner)?.moveTo(map);\n',
    replace:
      '    this.#unflushed.get(partner)?.moveTo(new DirtyMap(this.#options.blockCount, this.#options.blockLength));\n',
    what: 'what a lost partner held in memory only is forgotten',
    focus: 'mirror-caches',
    seedsMax: 20,
    redundant: 'the reports of the members carry the same, and the next configuration brings it back',
  },
  confirmForgetsTooMuch: {
    file: 'src/journal/unflushed-map.ts',
    find: '    this.#sealed.clearAll();\n    this.#underWay = false;\n  }\n\n  /** The marker will never',
    replace:
      '    this.#sealed.clearAll();\n    this.#current.clearAll();\n    this.#underWay = false;\n  }\n\n  /** The marker will never',
    what: 'a confirmed flush covers what came after its marker, too',
    killedBy: {
      file: 'src/journal/journal.test.ts',
      test: 'what a partner or this node had only in its cache is dirty when the partner leaves',
    },
  },
  abandonForgets: {
    file: 'src/journal/unflushed-map.ts',
    find: '    this.#current.union(this.#sealed);\n    this.#sealed.clearAll();',
    replace: '    this.#sealed.clearAll();',
    what: 'a flush whose configuration ended before counts as confirmed',
    killedBy: {
      file: 'src/journal/dirty-map.test.ts',
      test: 'what a marker covered that nobody will answer waits for the next one',
    },
  },
  journalIsNotTold: {
    file: 'src/engine/mirror/tell-journal.ts',
    find: 'await journal.partnerLeft(node, lastSeen(difference), touched, difference.map);',
    replace: '{ ok: true };',
    what: 'the journal does not learn who is absent',
    foundBy: STOPPED,
    focus: 'mirror-outages',
    seedsMax: 10,
  },
  mapIsNotBegun: {
    file: JOURNAL,
    find: "    if (this.#strategy === 'ram') return DONE;\n    const kept = await this.#keepMap(partner);",
    replace:
      "    if (this.#strategy !== 'continuous') return DONE;\n    const kept = await this.#keepMap(partner);",
    what: 'the map of an absent partner is in memory only',
    foundBy: STOPPED,
    focus: 'mirror-outages',
    seedsMax: 39,
  },
  formerMapStays: {
    file: 'src/journal/map-places.ts',
    find: '    return this.#clear();',
    replace: '    return Promise.resolve(DONE);',
    what: 'the map of a partner that is removed stays on disk, and counts when it is added again',
    killedBy: {
      file: 'src/journal/partners.test.ts',
      test: 'a partner that was removed and is added again is not answered from its former map',
    },
  },
  logIsNotAwaited: {
    file: 'src/journal/activity-log-file.ts',
    find: 'else this.#waiting.push({ batch: admission, settled });\n    });',
    replace: 'else settled(DONE);\n    });',
    what: 'a change goes on before its extent is in the log',
    killedBy: {
      file: 'src/journal/journal.test.ts',
      test: 'with its disk gone the journal goes on in memory when it is told to, and lets nothing go before',
    },
  },
  logIsNotUsed: {
    file: JOURNAL,
    find: "if (proof.from.includes('log') && found.log.kind === 'readable') markExtents(map, found.log.extents);",
    replace: '',
    what: 'after an outage the log is not looked at',
    killedBy: {
      file: 'src/journal/journal.test.ts',
      test: 'after an outage of copies in sync what the log was busy with is dirty, and nothing else',
    },
  },
  logOfTheOtherIsNotUsed: {
    file: 'src/engine/mirror/copy-knowledge.ts',
    find: "if (log.kind === 'readable') markExtents(map, log.extents);",
    replace: "if (log.kind === 'readable') markExtents(map, []);",
    what: "a learner's own log is not looked at",
    killedBy: {
      file: 'src/engine/mirror/copy-knowledge.test.ts',
      test: 'after an outage each journal tells what it proves, and nothing where it proves nothing',
    },
  },
  outageIsForgotten: {
    file: 'src/journal/recovery.ts',
    find: "    case 'outageInSync':\n      if (strategy === 'ram') return { kind: 'full', reason: 'mapWasInMemory' };\n      if (strategy === 'failure') return { kind: 'full', reason: 'logWasOff' };\n",
    replace:
      "    case 'outageInSync':\n      if (strategy !== 'continuous') return { kind: 'fast', from: [] };\n",
    what: 'after an outage copies that were in sync count as equal',
    foundBy: WRONG_DATA,
    focus: 'mirror-outages',
    seedsMax: 10,
  },
  crashLooksLikeAStop: {
    file: RECORDS,
    find: 'shutdown: this.shutdown,',
    replace: "shutdown: this.wasStopped ? 'inOrder' : this.shutdown,",
    what: 'a copy that was stopped in order once says so ever after',
    foundBy: WRONG_DATA,
    focus: 'mirror-outages',
    seedsMax: 40,
  },
  goesAloneWithItsCache: {
    file: ACCEPTANCE,
    find: "if (this.policy === 'back' && next === 'through') {",
    replace: "if (this.policy === 'back' && next === 'through' && policy === 'through') {",
    what: 'who goes on alone does not flush its cache',
    killedBy: {
      file: 'src/engine/mirror/acceptance.test.ts',
      test: 'who goes on alone has written out its cache before, and writes through from then on',
    },
  },
  cacheOutlivesItsMedium: {
    file: 'src/engine/cached-store.ts',
    find: '  await cache.forget();\n',
    replace: '',
    what: 'a cache goes on with what it held when its medium is opened anew',
    foundBy: WRONG_DATA,
    focus: 'mirror-caches',
    seedsMax: 40,
  },
  writesBackAlone: {
    file: ACCEPTANCE,
    find: "configuration.members.length > 1 ? policy : 'through';",
    replace: "configuration.members.length > 0 ? policy : 'through';",
    what: 'who goes on alone keeps acknowledged changes in memory',
    killedBy: {
      file: 'src/engine/mirror/acceptance.test.ts',
      test: 'who goes on alone has written out its cache before, and writes through from then on',
    },
  },
  recordsAreNotFlushed: {
    file: 'src/cluster/superblock.ts',
    find: 'const flushed = await this.#disk.flush();',
    replace: 'const flushed = await Promise.resolve(DONE);',
    what: 'the superblock is not flushed',
    foundBy: WRONG_DATA,
    focus: 'mirror-outages',
    seedsMax: 10,
  },
  recordsOverwriteTheLast: {
    file: 'src/cluster/superblock.ts',
    find: 'this.#next = 1 - best;',
    replace: 'this.#next = best;',
    what: 'after a restart the copy of the superblock that counts is overwritten',
    killedBy: {
      file: 'src/cluster/superblock.test.ts',
      test: 'a power cut in the first save after a restart leaves the last state before it, or the new one',
    },
  },
  lamportStartsAnew: {
    file: NODE,
    find: 'this.replica.lamport = lamportOfDocuments(records.documents);',
    replace: 'this.replica.lamport = 0 * lamportOfDocuments(records.documents);',
    what: 'after an outage stamps begin at zero',
    killedBy: {
      file: 'src/engine/mirror/acceptance.test.ts',
      test: 'counting goes on after a restart where documents were left: what is newer looks newer',
    },
  },
  copyCountsWithoutRecord: {
    file: RECORDS,
    find: 'this.isBlank = !hasCopy;',
    replace: 'this.isBlank = false && hasCopy;',
    what: 'a record that was only a vote counts as that of a copy',
    killedBy: {
      file: 'src/engine/mirror/copy-records.test.ts',
      test: 'a promise without a copy is only that: the records stay blank',
    },
  },
};
