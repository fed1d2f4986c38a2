/** Faults planted in the choice of the next configuration, and in what it is given. */

import { type Catalogue, NO_SERVICE, WRONG_EPOCH } from './plant.ts';

const CHOOSE = 'src/cluster/choose.ts';
const HANDOVER = 'src/engine/mirror/handover.ts';

export const CHOICE_PLANTS: Catalogue = {
  acceptsWithoutPending: {
    file: HANDOVER,
    find: 'return unique.map(({ operation }, at)',
    replace: 'return unique.slice(0, 0).map(({ operation }, at)',
    what: 'changes that were under way are not finished',
    foundBy: WRONG_EPOCH,
    seedsMax: 10,
  },
  pendingOfTheProposerAlone: {
    file: CHOOSE,
    find: 'promises.get(node)?.isFresh === true &&\n      promises.get(node)?.handover',
    replace: 'node === input.self &&\n      promises.get(node)?.handover',
    what: 'of what was under way only what the proposer has is finished',
    foundBy: WRONG_EPOCH,
    seedsMax: 60,
  },
  pendingOfLearnersIsDropped: {
    file: CHOOSE,
    find: 'const sources = [...base.members, ...base.learners].filter(',
    replace: 'const sources = [...base.members].filter(',
    what: 'what is pending on a learner is not finished',
    killedBy: {
      file: 'src/cluster/choose-rules.test.ts',
      test: 'what is pending on a learner of the last configuration is finished, too',
    },
  },
  lowestAcceptedIsBase: {
    file: 'src/cluster/lineage.ts',
    find: '(b.term > a.term ? b : a));',
    replace: '(b.term < a.term ? b : a));',
    what: 'of the accepted configurations the oldest counts',
    foundBy: WRONG_EPOCH,
    focus: 'mirror-cuts',
    seedsMax: 21,
  },
  boundIsIgnored: {
    file: CHOOSE,
    find: 'return bounds.reduce((a, b) => (b.length < a.length ? b : a));',
    replace: 'return bounds.length > 0 ? base.members : [];',
    what: 'under heartbeat only the members of the last accepted configuration have to agree',
    killedBy: {
      file: 'src/cluster/choose-rules.test.ts',
      test: 'heartbeat: while nobody knows that it was installed, the members of the one before have to agree as well',
    },
  },
  blankVotesCount: {
    file: CHOOSE,
    find: 'isInEveryMajority(site, remembers)',
    replace: '[...promises.keys()].some(remembers)',
    what: 'voters that have lost their records vote like others',
    killedBy: {
      file: 'src/cluster/choose-rules.test.ts',
      test: 'voters that have lost their records are no votes: what they agreed to may be unknown to the others',
    },
  },
  blankCopiesCount: {
    file: CHOOSE,
    find: 'const remembering = new Map([...given.promises].filter(([, report]) => !report.isBlank));',
    replace: 'const remembering = new Map(given.promises);',
    what: 'what copies without records say counts',
    killedBy: {
      file: 'src/cluster/choose-rules.test.ts',
      test: 'what a voter without records says of the last configuration does not count',
    },
  },
  restartedCopiesStay: {
    file: CHOOSE,
    find: 'promises.get(node)!.isFresh &&\n    // Who stood back',
    replace: '// Who stood back',
    what: 'copies that were restarted stay members',
    foundBy: WRONG_EPOCH,
    focus: 'mirror-outages',
    seedsMax: 10,
  },
  olderCopyStarts: {
    file: CHOOSE,
    find: 'const whole = copies.filter((node) => promises.get(node)!.accepted.term === base.term);',
    replace: 'const whole = copies.slice();',
    what: 'after an outage any member may start, though it did not accept the last configuration',
    killedBy: {
      file: 'src/cluster/choose-rules.test.ts',
      test: 'after an outage a copy starts that has accepted the last configuration',
    },
  },
  anyCopyStarts: {
    file: CHOOSE,
    find: 'const copies = site.nodes.filter((node) => base.members.includes(node) && ready(node));',
    replace: 'const copies = site.nodes.filter((node) => ready(node));',
    what: 'after an outage any copy may start, member or not',
    killedBy: {
      file: 'src/cluster/choose-rules.test.ts',
      test: 'after an outage a copy starts that was a member',
    },
  },
  outIsIgnored: {
    file: CHOOSE,
    find: '    (!promises.get(node)!.isOut || allPromised);\n',
    replace: '    true;\n',
    what: 'a copy that has stood back goes on as if it had not',
    killedBy: {
      file: 'src/cluster/choose-rules.test.ts',
      test: 'heartbeat: who has stood back is no member while someone is silent who may have gone on since',
    },
  },
  outProposerGoesOn: {
    file: CHOOSE,
    find: 'if (own?.isFresh !== true || own.isOut || !bound.includes(self))',
    replace: 'if (own?.isFresh !== true || !bound.includes(self))',
    what: 'a node that has stood back goes on without the others',
    killedBy: {
      file: 'src/cluster/choose-rules.test.ts',
      test: 'heartbeat: who has stood back does not let others go on without the one that is silent',
    },
  },
  restartedGoesOnAlone: {
    file: CHOOSE,
    find: 'if (own?.isFresh !== true || own.isOut || !bound.includes(self))',
    replace: 'if (own === undefined || own.isOut || !bound.includes(self))',
    what: 'a node that was restarted goes on without the others',
    focus: 'mirror-heartbeat',
    seedsMax: 20,
    redundant:
      'nobody was left behind without its own promise, and restarted copies with caches wait for an administrator',
  },
  lowGoesOn: {
    file: CHOOSE,
    find: 'return missing === undefined\n',
    replace: 'return missing !== -1\n',
    what: 'the side with the lower priority goes on, too',
    foundBy: WRONG_EPOCH,
    focus: 'mirror-heartbeat',
    seedsMax: 12,
  },
  heardAndNotAsked: {
    file: CHOOSE,
    find: 'if (unknown.some((node) => !promises.has(node) && isHeard(node)))',
    replace: 'if (unknown.length < 0)',
    what: 'a node goes on without one that it hears',
    focus: 'mirror-heartbeat',
    seedsMax: 20,
    redundant: 'priority or the arbiter lets one side alone go on all the same',
  },
  claimIsNotNeeded: {
    file: CHOOSE,
    find: "needsClaim: allowed.kind === 'claim',",
    replace: 'needsClaim: false,',
    what: 'the arbiter is not asked',
    foundBy: WRONG_EPOCH,
    focus: 'mirror-heartbeat',
    seedsMax: 10,
  },
  arbiterLetsAnybodyGoOn: {
    file: 'src/cluster/stored-claims.ts',
    find: 'term > record.term && record.members.includes(this.#self)',
    replace: 'term > record.term',
    what: 'the arbiter lets a node go on that others have left behind',
    foundBy: WRONG_EPOCH,
    focus: 'mirror-heartbeat',
    seedsMax: 10,
  },
  arbiterIsNotTold: {
    file: 'src/cluster/membership.ts',
    find: 'else this.#register(now);',
    replace: 'else if (now < 0) this.#register(now);',
    what: 'the arbiter hears only of those who go on alone',
    focus: 'mirror-heartbeat',
    seedsMax: 20,
    redundant:
      'who was left behind has written down that it is out; without that word only the way back takes longer',
  },
  provenOrNot: {
    file: CHOOSE,
    find: 'promoted.has(node) &&\n      !excluded.has(node) &&\n      base.learners',
    replace: '!excluded.has(node) &&\n      base.learners',
    what: 'a learner becomes a member before it has everything',
    foundBy: WRONG_EPOCH,
    seedsMax: 21,
  },
  mapsAreNotMerged: {
    file: HANDOVER,
    find: '    map.union(known.map);\n',
    replace: '',
    what: 'what only a copy that leaves knows of an absent one is lost',
    foundBy: [...NO_SERVICE, ...WRONG_EPOCH],
    focus: 'mirror-crashes',
    seedsMax: 10,
  },
  fullIsForgotten: {
    file: HANDOVER,
    find: 'if (full !== undefined) map.markAll();',
    replace: '',
    what: 'what has to be compared as a whole is not',
    killedBy: {
      file: 'src/engine/mirror/handover.test.ts',
      test: 'without a log copies that were lost at once are compared as a whole; one that was lost alone is not',
    },
  },
  suspectsAreNotMarked: {
    file: HANDOVER,
    find: 'if (suspects !== undefined) map.union(suspects.map);',
    replace: '',
    what: 'what a learner alone may hold is not compared',
    killedBy: {
      file: 'src/engine/mirror/handover.test.ts',
      test: 'everybody who is no member has a difference: all that those who count know, and what it says of itself',
    },
  },
  pendingIsNotMarked: {
    file: 'src/journal/journal.ts',
    find: '    for (const { lba, blocks } of pending) map.mark(lba, blocks);\n    if (this.#strategy',
    replace: '    if (this.#strategy',
    what: 'what was pending is not marked for those who are absent',
    killedBy: {
      file: 'src/journal/journal.test.ts',
      test: 'what a partner or this node had only in its cache is dirty when the partner leaves',
    },
  },
  oldDiskIsNotSeen: {
    file: HANDOVER,
    find: ' || report.handover.sequence < sequence)',
    replace: ')',
    what: 'a disk that was put back in time is taken for what it was',
    killedBy: {
      file: 'src/engine/mirror/handover.test.ts',
      test: 'everything is compared: records that are older than what a member was told of them',
    },
  },
  oldCopyIsNotSeen: {
    file: HANDOVER,
    find: 'report.handover.copyTerm < base.term || ',
    replace: '',
    what: 'a copy of an earlier term is taken for the last one',
    killedBy: {
      file: 'src/engine/mirror/handover.test.ts',
      test: 'everything is compared: a copy that has not been part of the device for as long as the members know it was',
    },
  },
  oldDiskAtAll: {
    file: HANDOVER,
    find: 'else if (report.handover.copyTerm < base.term || report.handover.sequence < sequence)',
    replace: 'else if (sequence < 0)',
    what: 'nothing shows a disk that was put back in time',
    foundBy: WRONG_EPOCH,
    seedsMax: 10,
  },
};
