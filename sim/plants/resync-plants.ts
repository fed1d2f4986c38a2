/** Faults planted in the two sides of a resync. */

import { type Catalogue, WRONG_DATA } from './plant.ts';

const SOURCE = 'src/replication/resync-source.ts';
const LEARNER = 'src/replication/resync-learner.ts';

export const RESYNC_PLANTS: Catalogue = {
  cleanWhenAskedFor: {
    file: SOURCE,
    find: 'if (learner?.offered.has(chunk) !== true) return;\n',
    replace: 'if (learner?.offered.has(chunk) !== true) return;\n    learner.map.clear(chunk);\n',
    what: 'a chunk counts as clean when it is asked for',
    foundBy: WRONG_DATA,
    focus: 'mirror-links',
    seedsMax: 81,
  },
  resyncOverwritesNewer: {
    file: 'src/replication/reads.ts',
    find: 'untouched(content, watch.touched)',
    replace: 'untouched(content, watch.touched.slice(0, 0))',
    what: 'what a resync brings overwrites what came meanwhile',
    foundBy: WRONG_DATA,
    seedsMax: 45,
  },
  watchMissesTheUnreadable: {
    file: 'src/replication/mutation-log.ts',
    find: '      if (!mutation.isReadable) touched.push(mutation);\n',
    replace: '      if (mutation.isOver) touched.push(mutation);\n',
    what: 'a resync overwrites what was under way when the chunk was asked for',
    foundBy: [],
    focus: 'mirror-links',
    seedsMax: 30,
    open: 'needs a third node whose change is at the learner before it is at the source',
  },
  watchMissesTheNew: {
    file: 'src/replication/mutation-log.ts',
    find: '      watch.touched.push(mutation);\n',
    replace: '      if (mutation.isOver) watch.touched.push(mutation);\n',
    what: 'a resync overwrites what came after the chunk was asked for',
    foundBy: WRONG_DATA,
    seedsMax: 45,
  },
  sameWithoutFlush: {
    file: LEARNER,
    find: 'void then(this.#replica.ports.store.flush(), (result) => this.#settled(from, term, chunk, result));',
    replace: 'this.#settled(from, term, chunk, { ok: true, value: undefined });',
    what: 'a chunk that is the same counts as durable',
    foundBy: [],
    focus: 'mirror-caches',
    seedsMax: 30,
    open: 'needs a loss of power right after a resync, of what was equal only in a cache',
  },
  settledBeforeDurable: {
    file: LEARNER,
    find: 'void then(repair(this.#replica, content, watch), (result) => this.#settled(from, term, chunk, result));',
    replace:
      'void repair(this.#replica, content, watch);\n    this.#settled(from, term, chunk, { ok: true, value: undefined });',
    what: 'a chunk counts as durable when it arrives',
    foundBy: [],
    focus: 'mirror-crashes',
    seedsMax: 30,
    open: 'needs a loss of power or an error while the last chunk of a resync is written',
  },
  promotedWithoutFlush: {
    file: SOURCE,
    find: 'void this.#replica.flushEverywhere().then((complete) => {',
    replace: 'void Promise.resolve(true).then((complete) => {',
    what: 'a learner is promoted without a flush of all',
    foundBy: [],
    focus: 'mirror-caches',
    seedsMax: 30,
    open: 'needs a loss of power right after a promotion, of what came before',
  },
  promotedWithDirtyLeft: {
    file: SOURCE,
    find: 'this.#learners.filter(({ isReady }) => isReady)',
    replace: 'this.#learners.filter(({ isReady, offered }) => isReady || offered.size > 0)',
    what: 'a learner is promoted while chunks are on their way',
    foundBy: WRONG_DATA,
    seedsMax: 10,
  },
  everythingIsTheSame: {
    file: SOURCE,
    find: 'if (digest !== undefined && ports.digest(loan.segments) === digest)',
    replace: 'if (digest !== undefined)',
    what: 'whatever a learner has counts as equal',
    foundBy: WRONG_DATA,
    seedsMax: 10,
  },
  sourceReadsWhatIsUnderWay: {
    file: SOURCE,
    find: 'void reads.current(lba, blocks).then((result) => {',
    replace:
      'void reads;\n    void Promise.resolve(this.#replica.copy.read(lba, blocks, () => true)).then((result) => {\n      if (result === undefined) return;',
    what: 'the source reads without waiting for changes under way',
    foundBy: [],
    focus: 'mirror-links',
    seedsMax: 30,
    open: 'needs a third node whose change is at the learner before it is at the source',
  },
  repairOverwritesNewer: {
    file: 'src/replication/reads.ts',
    find: 'const watch = log.watch(lba, blocks);\n    void this.#ask',
    replace:
      'const watch = { lba, blocks, touched: [], end: () => undefined } as Watch;\n    void log;\n    void this.#ask',
    what: 'what is fetched for an unreadable block overwrites what came meanwhile',
    foundBy: [],
    focus: 'mirror-disks',
    seedsMax: 30,
    open: 'needs an unreadable block that is written while another member is asked for it',
  },
};
