/** Faults planted in promises, leases and proposals. */

import { type Catalogue, NO_SERVICE, WRONG_EPOCH } from './plant.ts';

const MEMBERSHIP = 'src/cluster/membership.ts';
const LEASES = 'src/cluster/leases.ts';
const PROPOSER = 'src/cluster/proposer.ts';
const CHOOSE = 'src/cluster/choose.ts';

export const CLUSTER_PLANTS: Catalogue = {
  servesWithoutLease: {
    file: MEMBERSHIP,
    find: 'return this.ports.clock.now() < this.#held.until(this.site, installed, this.self);',
    replace: 'return true;',
    what: 'a member serves as long as it knows of no newer configuration',
    focus: 'mirror-heartbeat',
    seedsMax: 20,
    redundant:
      'who hears nobody proposes, and so is sealed, a second before others may go on; who stood still has no sessions',
  },
  leaseFromTheFastest: {
    file: LEASES,
    find: 'return Math.min(...members.map(sentTo)) + LEASE_MS;',
    replace: 'return Math.max(...members.filter((node) => node !== self).map(sentTo)) + LEASE_MS;',
    what: 'one answer to a heartbeat is enough to serve',
    killedBy: {
      file: 'src/cluster/leases.test.ts',
      test: 'heartbeat: every other member has to have answered, and nobody else counts',
    },
  },
  leaseFromTheAnswer: {
    file: MEMBERSHIP,
    find: 'this.#held.answered(from, answer.sentAt);',
    replace: 'this.#held.answered(from, this.ports.clock.now());',
    what: 'a lease counts from the moment at which the answer came',
    killedBy: {
      file: 'src/cluster/voter.test.ts',
      test: 'a lease runs from the moment at which the beat was sent, however late its answer came',
    },
  },
  doesNotWaitForLeases: {
    file: 'src/cluster/choose.ts',
    find: 'waitMs: leaseOf(input, base, chosen),',
    replace: 'waitMs: 0 * leaseOf(input, base, chosen),',
    what: 'leases of those who are left out are not waited for',
    killedBy: {
      file: 'src/cluster/choose-rules.test.ts',
      test: 'leases of those who are left out and silent are waited for, as long as anyone knows',
    },
  },
  goesOnBeforeLeasesEnd: {
    file: PROPOSER,
    find: 'if (waitMs <= 0) go();',
    replace: 'if (waitMs <= Infinity) go();',
    what: 'a proposer knows of leases of those who are left out, and goes on',
    killedBy: {
      file: 'src/cluster/proposer.test.ts',
      test: 'nothing is accepted before the leases of those who are left out are over, by the slowest clock',
    },
  },
  grantsNothingAtStart: {
    file: LEASES,
    find: 'this.#startedAt + LEASE_MS * DRIFT;',
    replace: 'this.#startedAt;',
    what: 'a voter that has just started knows of no leases that it had granted',
    killedBy: {
      file: 'src/cluster/leases.test.ts',
      test: 'a voter that has just started counts as one that granted everybody everything at its start',
    },
  },
  answersOldBeats: {
    file: MEMBERSHIP,
    find: 'beat.term > 0 && beat.term === accepted.term && promised === accepted.term && this.#accepting === 0;',
    replace:
      'beat.term > 0 && beat.term <= accepted.term && promised === accepted.term && this.#accepting === 0;',
    what: 'heartbeats of older terms are answered',
    seedsMax: 20,
    redundant:
      'a configuration is installed when all its members have accepted it, and then none of them serves in an older one',
  },
  leasesAreNotPromised: {
    file: MEMBERSHIP,
    find: 'leases: this.#granted.remaining(withDataOf(this.site), now),',
    replace: 'leases: this.#granted.remaining([], now),',
    what: 'a voter forgets the leases that it has granted when it promises',
    killedBy: {
      file: 'src/cluster/voter.test.ts',
      test: 'a promise tells of the leases that were granted before it, and of how long they still run',
    },
  },
  grantsWhilePromised: {
    file: MEMBERSHIP,
    find: 'beat.term === accepted.term && promised === accepted.term && this.#accepting === 0;\n    if (!isOurs || !accepted.members.includes(from) || this.#promising > promised) return undefined;',
    replace:
      'beat.term === accepted.term && promised >= accepted.term;\n    if (!isOurs || !accepted.members.includes(from)) return undefined;',
    what: 'leases are granted after another term was promised',
    killedBy: {
      file: 'src/cluster/voter.test.ts',
      test: 'no lease is granted in a term that is over here, from the moment at which the next one is asked for',
    },
  },
  promiseIsNotKept: {
    file: MEMBERSHIP,
    find: 'if (term !== this.#promising || !(await this.#makeDurable(standing))) return;',
    replace: 'if (term !== this.#promising) return;',
    what: 'a promise is in memory only',
    killedBy: {
      file: 'src/cluster/voter.test.ts',
      test: 'a promise is told when it is durable, and not before',
    },
  },
  acceptedIsNotKept: {
    file: 'src/engine/mirror/copy-acceptance.ts',
    find: 'if (!(await save())) return OVER;\n    this.hasStarted = true;',
    replace: 'this.hasStarted = true;',
    what: 'an accepted configuration is in memory only',
    killedBy: {
      file: 'src/engine/mirror/acceptance.test.ts',
      test: 'what is said to be accepted is in the records',
    },
  },
  acceptsBelowThePromise: {
    file: MEMBERSHIP,
    find: 'if (term < this.#promising || term < this.standing.promised || !mayTake) {',
    replace: 'if (term < this.standing.accepted.term || (this.hasFailed && isIncluded)) {',
    what: 'a configuration is accepted though a newer term is promised',
    killedBy: {
      file: 'src/cluster/voter.test.ts',
      test: 'after a promise that is not durable yet nothing older is accepted either',
    },
  },
  servesOnAfterThePromise: {
    file: MEMBERSHIP,
    find: '    this.#seal(`node ${from} proposes term ${term}`);\n',
    replace: '',
    what: 'a member goes on until the next configuration is accepted',
    foundBy: WRONG_EPOCH,
    seedsMax: 10,
  },
  standsBackInMemory: {
    file: MEMBERSHIP,
    find: "this.standing.isOut || (this.site.strategy.kind === 'heartbeat' && excluded.includes(this.self));",
    replace: 'this.standing.isOut;',
    what: 'a node that lets another go on does not write down that it is out',
    killedBy: {
      file: 'src/cluster/voter.test.ts',
      test: 'who lets others go on writes down that it is out, tells it, and is out until it is taken in',
    },
  },
  twoProposersShareATerm: {
    file: 'src/cluster/proposal.ts',
    find: '* TERMS_PER_ROUND + self;',
    replace: '* TERMS_PER_ROUND + Math.min(self, 1);',
    what: 'two nodes may propose the same term',
    foundBy: ['stopped', ...WRONG_EPOCH],
    focus: 'mirror-cuts',
    seedsMax: 69,
  },
  installsBeforeAllAccept: {
    file: 'src/cluster/proposal.ts',
    find: '[...members, ...learners, ...told].every(isAccepted)',
    replace: '[...members, ...learners, ...told].some(isAccepted)',
    what: 'a configuration is installed before all its members have accepted it',
    foundBy: [...NO_SERVICE, ...WRONG_EPOCH],
    seedsMax: 30,
  },
  installsBeforeAMajorityAccepts: {
    file: PROPOSER,
    find: 'if (!isComplete(attempt, sites)) return;',
    replace: 'if (!isComplete(attempt, [])) return;',
    what: 'a configuration is installed when its members have accepted it, be they no majority',
    killedBy: {
      file: 'src/cluster/proposer.test.ts',
      test: 'under majority a configuration begins when more than half of the voters have accepted it, however few its members',
    },
  },
  halfIsAMajority: {
    file: 'src/cluster/configuration.ts',
    find: 'return Math.floor(voters / 2) + 1;',
    replace: 'return Math.ceil(voters / 2);',
    what: 'half of the voters are enough',
    focus: 'mirror-cuts',
    seedsMax: 20,
    redundant:
      'half of the voters are not enough of those that remember: every other majority could have agreed without them',
  },
  newVotersAlone: {
    file: 'src/cluster/configuration.ts',
    find: 'const lists = site.formerly === undefined ? [site.nodes] : [site.nodes, site.formerly];',
    replace: 'const lists = [site.nodes];',
    what: 'while replicas change the new ones decide without the former',
    killedBy: {
      file: 'src/cluster/configuration.test.ts',
      test: 'while replicas change, a majority is one of the former and one of the new ones',
    },
  },
  changeOfAnother: {
    file: CHOOSE,
    find: 'if (change?.baseTerm !== base.term || base.formerly !== undefined) return undefined;',
    replace: 'if (change === undefined) return undefined;',
    what: 'replicas are changed though another configuration has come in between',
    killedBy: {
      file: 'src/cluster/choose-rules.test.ts',
      test: 'replicas change only from the configuration that was looked at, and one change is complete before the next',
    },
  },
  installsAfterARestart: {
    file: MEMBERSHIP,
    find: 'this.installed?.term === term || !this.#isFresh) return;',
    replace: 'this.installed?.term === term) return;',
    what: 'a node that was restarted after it accepted serves without what was pending',
    focus: 'mirror-crashes',
    seedsMax: 20,
    redundant: 'a channel does not tell a new process what was meant for the former one',
  },
  leaseOutlivesItsTerm: {
    file: MEMBERSHIP,
    find: '    if (this.installed?.term !== answer.term) return;\n    this.#held',
    replace: '    this.#held',
    what: 'answers to heartbeats of another term count',
    seedsMax: 20,
    redundant: 'what was granted counts for a node, in whatever term: it is waited for',
  },
  nobodyIsTakenBack: {
    file: 'src/cluster/think.ts',
    find: 'if (joining.length === 0) return undefined;',
    replace: 'if (joining.length >= 0) return undefined;',
    what: 'who was lost is never taken back',
    foundBy: [...NO_SERVICE, ...WRONG_EPOCH],
    seedsMax: 10,
  },
};
