/** Faults planted where commands wait and begin, in locks, in reads. */

import { type Catalogue, NOT_ATOMIC, NO_SERVICE, WRONG_DATA } from './plant.ts';

const QUEUE = 'src/replication/command-queue.ts';
const LOCKS = 'src/replication/lock-table.ts';
const READS = 'src/replication/reads.ts';
const REPLICA = 'src/replication/replica.ts';

export const COMMAND_PLANTS: Catalogue = {
  beginsForDeadSessions: {
    file: QUEUE,
    find: 'if (!command.ticket.isAlive()) {',
    replace: 'if (!command.ticket.isAlive() && this.#waiting.length < 0) {',
    what: 'commands begin whose session is over',
    killedBy: {
      file: 'src/replication/command-queue.test.ts',
      test: 'a command whose session ends never begins',
    },
  },
  beginsHoweverLate: {
    file: QUEUE,
    find: 'const COMMAND_START_MS_MAX = 2000;',
    replace: 'const COMMAND_START_MS_MAX = 1e9;',
    what: 'commands begin however long they have waited',
    focus: 'mirror-paths',
    seedsMax: 20,
    redundant:
      'a session that is silent, or was closed, has no commands any more, and initiators wait longer than that',
  },
  goesOnAfterAStandstill: {
    file: 'src/engine/mirror/standstill.ts',
    find: 'return this.#standingMs() > STALL_MS;',
    replace: 'return this.#standingMs() > 1000 * STALL_MS;',
    what: 'sessions go on after the process stood still',
    focus: 'mirror-pauses',
    seedsMax: 20,
    redundant: 'a process that stood still for as long as initiators wait has no lease any more',
  },
  keepsSilentSessions: {
    file: 'sim/fronts/host-sessions.ts',
    find: 'if (now - heardAt <= GUARD_MS) continue;',
    replace: 'if (now - heardAt <= 1000 * GUARD_MS) continue;',
    what: 'sessions are kept however long nothing was heard of them',
    foundBy: WRONG_DATA,
    focus: 'mirror-paths',
    seedsMax: 12,
  },
  lockEndsBeforeTheChange: {
    file: REPLICA,
    find: 'this.#unsealed.delete(end);\n            this.writes.begin',
    replace: 'this.#unsealed.delete(end);\n            held.release();\n            this.writes.begin',
    what: 'a lock is released before its change begins',
    foundBy: NOT_ATOMIC,
    seedsMax: 12,
  },
  lockIgnoresChangesUnderWay: {
    file: LOCKS,
    find: '        this.#isBusy(lba, blocks) ||\n',
    replace: '',
    what: 'a lock is granted while own changes of its blocks are under way',
    killedBy: {
      file: 'src/replication/lock-table.test.ts',
      test: 'a member grants when its own changes of the extent have ended, and begins none while the lock stands',
    },
  },
  lockIgnoresLocks: {
    file: LOCKS,
    find: 'this.#entries.slice(0, at).some(',
    replace: 'this.#entries.slice(0, 0).some(',
    what: 'locks of the same blocks are granted together',
    foundBy: NOT_ATOMIC,
    seedsMax: 12,
  },
  lockOfTheFirstMemberAlone: {
    file: LOCKS,
    find: 'own.need = new Set(members.slice(1));',
    replace: 'own.need = new Set(members.slice(0, 0));',
    what: 'the first member alone is asked for a lock',
    foundBy: NOT_ATOMIC,
    focus: 'mirror-links',
    seedsMax: 42,
  },
  changesUnderAForeignLock: {
    file: REPLICA,
    find: ' &&\n      !this.locks.blocks(lba, blocks, undefined)\n',
    replace: '\n',
    what: 'changes begin in blocks that are locked',
    foundBy: NOT_ATOMIC,
    seedsMax: 72,
  },
  decidesOnWhatIsUnderWay: {
    file: 'sim/fronts/mirror-commands.ts',
    find: 'const read = await replica.reads.current(extent.lba, extent.blocks);',
    replace: 'const read = (await replica.copy.read(extent.lba, extent.blocks, () => true))!;',
    what: 'COMPARE AND WRITE compares without waiting for earlier changes',
    seedsMax: 20,
    redundant:
      'a member grants a lock after its own changes have ended, and what it says arrives after their end',
  },
  locksOutliveTheSeal: {
    file: REPLICA,
    find: '    this.locks.clear();\n',
    replace: '',
    what: 'locks of a former configuration stand',
    foundBy: NO_SERVICE,
    seedsMax: 30,
  },
  reservationsCheckedTooEarly: {
    file: 'sim/fronts/mirror-commands.ts',
    find: '    const data = [encodeBlocks(values.slice(0, 1), BLOCK_LENGTH)];\n    replica.enqueue({',
    replace:
      "    const data = [encodeBlocks(values.slice(0, 1), BLOCK_LENGTH)];\n    if (this.#reservations().perform(session, { kind: 'write', lba: 0, values: [] }, false).status === 'good')\n      return replica.mutate(ticket, { kind: 'write', lba: RESERVED_LBA, blocks: 1, data }, (result) => done(this.#answer(result)));\n    replica.enqueue({",
    what: 'reservations are looked at when a command arrives, not when it begins',
    killedBy: {
      file: 'sim/fronts/reserved-write.test.ts',
      test: 'a write that waits behind a reservation conflicts with it',
    },
  },
  documentIsNotCarriedOver: {
    file: 'src/engine/mirror/copy-acceptance.ts',
    find: 'records.documents = documents;',
    replace: '',
    what: 'the next configuration does not get the reservations and the size',
    foundBy: ['deviceShrank', ...NOT_ATOMIC],
    seedsMax: 10,
  },
  readsWithoutConfirmation: {
    file: READS,
    find: 'if (!installed!.confirmsReads || otherMembers',
    replace: 'if (installed!.confirmsReads || otherMembers',
    what: 'reads are not confirmed where clocks may stand still',
    foundBy: WRONG_DATA,
    focus: 'mirror-pauses',
    seedsMax: 10,
  },
  readsWithoutRight: {
    file: READS,
    find: 'if (!ports.mayServe()) return this.#again(read, loan);',
    replace: 'if (installed === undefined) return this.#again(read, loan);',
    what: 'what was fetched is answered though the lease has ended meanwhile',
    focus: 'mirror-pauses',
    seedsMax: 20,
    redundant: 'the right to serve was there when the read began, and what it answers was current then',
  },
  learnersServe: {
    file: 'src/cluster/membership.ts',
    find: 'if (installed === undefined || this.hasFailed || !installed.members.includes(this.self)) return false;',
    replace: 'if (installed === undefined || this.hasFailed) return false;',
    what: 'a node that is being brought up to date serves',
    seedsMax: 20,
    redundant: "nobody answers a learner's heartbeats with a lease",
  },
};
