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
    killedBy: {
      file: 'src/replication/resync.test.ts',
      test: 'a chunk counts as sent only when the learner has it on its medium',
    },
  },
  resyncOverwritesNewer: {
    file: 'src/replication/reads.ts',
    find: 'untouched(content, watch.touched)',
    replace: 'untouched(content, watch.touched.slice(0, 0))',
    what: 'what a resync brings overwrites what came meanwhile',
    foundBy: WRONG_DATA,
    seedsMax: 90,
  },
  watchMissesTheUnreadable: {
    file: 'src/replication/mutation-log.ts',
    find: '      if (!mutation.isReadable) touched.push(mutation);\n',
    replace: '      if (mutation.isOver) touched.push(mutation);\n',
    what: 'a resync overwrites what was under way when the chunk was asked for',
    killedBy: {
      file: 'src/replication/mutation-log.test.ts',
      test: 'a watch tells what was not readable when it began and all that came since, until it ends',
    },
  },
  watchMissesTheNew: {
    file: 'src/replication/mutation-log.ts',
    find: '      watch.touched.push(mutation);\n',
    replace: '      if (mutation.isOver) watch.touched.push(mutation);\n',
    what: 'a resync overwrites what came after the chunk was asked for',
    foundBy: WRONG_DATA,
    seedsMax: 90,
  },
  sameWithoutFlush: {
    file: LEARNER,
    find: 'void then(this.#replica.ports.store.flush(), (result) => this.#settled(from, term, chunk, result));',
    replace: 'this.#settled(from, term, chunk, { ok: true, value: undefined });',
    what: 'a chunk that is the same counts as durable',
    killedBy: {
      file: 'src/replication/resync.test.ts',
      test: 'equal chunks are not sent, but made durable',
    },
  },
  settledBeforeDurable: {
    file: LEARNER,
    find: 'void then(repair(this.#replica, content, watch), (result) => this.#settled(from, term, chunk, result));',
    replace:
      'void repair(this.#replica, content, watch);\n    this.#settled(from, term, chunk, { ok: true, value: undefined });',
    what: 'a chunk counts as durable when it arrives',
    killedBy: {
      file: 'src/replication/resync.test.ts',
      test: 'a chunk counts as sent only when the learner has it on its medium',
    },
  },
  promotedWithoutFlush: {
    file: SOURCE,
    find: 'void this.#replica.flushEverywhere().then((complete) => {',
    replace: 'void Promise.resolve(true).then((complete) => {',
    what: 'a learner is promoted without a flush of all',
    killedBy: {
      file: 'src/replication/resync.test.ts',
      test: 'what the learner lacks is sent, and it is ready when all is there and a flush of all has gone round',
    },
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
    killedBy: {
      file: 'src/replication/resync.test.ts',
      test: 'a change that the learner has already and the source has not is waited for: nothing older is sent',
    },
  },
  repairOverwritesNewer: {
    file: 'src/replication/reads.ts',
    find: 'const watch = log.watch(lba, blocks);\n    void this.#ask',
    replace:
      'const watch = { lba, blocks, touched: [], end: () => undefined } as Watch;\n    void log;\n    void this.#ask',
    what: 'what is fetched for an unreadable block overwrites what came meanwhile',
    killedBy: {
      file: 'src/replication/reads.test.ts',
      test: 'a repair leaves alone what has been changed since the block was asked for',
    },
  },
};
