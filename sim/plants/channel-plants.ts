/** Faults planted in the conversation between two nodes. */

import { type Catalogue, NO_SERVICE, WRONG_DATA } from './plant.ts';

const CHANNEL = 'src/replication/channel.ts';

export const CHANNEL_PLANTS: Catalogue = {
  deliversTwice: {
    file: CHANNEL,
    find: '    if (sequence > this.#received && !this.#early.has(sequence)) {\n      this.#early.set(sequence, message);\n      this.#earlyBytes += this.#lengthOf(message);\n    }',
    replace:
      '    if (sequence > this.#received && !this.#early.has(sequence)) {\n      this.#early.set(sequence, message);\n      this.#earlyBytes += this.#lengthOf(message);\n    } else if (message !== undefined) this.#options.onMessage(message);',
    what: 'what is sent again is delivered again',
    killedBy: {
      file: 'src/replication/channel.test.ts',
      test: 'a connection that acknowledges nothing is passed over while there is a better one, and used again when it answers',
    },
  },
  deliversOutOfOrder: {
    file: CHANNEL,
    find: '    if (sequence > this.#received && !this.#early.has(sequence)) {\n      this.#early.set(sequence, message);\n      this.#earlyBytes += this.#lengthOf(message);\n    }',
    replace:
      '    if (sequence > this.#received && !this.#early.has(sequence)) {\n      this.#early.set(sequence, undefined);\n      if (message !== undefined) this.#options.onMessage(message);\n    }',
    what: 'messages of several connections are delivered as they come',
    foundBy: WRONG_DATA,
    focus: 'mirror-links',
    seedsMax: 10,
  },
  losesOnReconnect: {
    file: CHANNEL,
    find: 'if (item.wire !== attached) continue;',
    replace: 'if (item.wire !== attached || item.message !== undefined) continue;',
    what: 'what was on a broken connection is not sent again',
    foundBy: NO_SERVICE,
    focus: 'mirror-links',
    seedsMax: 18,
  },
  skipsWhatWasLost: {
    file: CHANNEL,
    find: '    for (const item of this.#items) {\n      if (item.wire !== attached) continue;\n',
    replace:
      '    for (const item of this.#items) {\n      if (item.wire !== attached) continue;\n      item.message = undefined;\n',
    what: 'what was on a broken connection counts as forgotten',
    killedBy: {
      file: 'src/replication/channel.test.ts',
      test: 'what was on a broken connection is sent again, and what had arrived is not heard twice',
    },
  },
  keepsItsPlaceAfterARestart: {
    file: CHANNEL,
    find: '    this.#received = 0;\n    this.#early.clear();\n',
    replace: '    this.#early.clear();\n',
    what: 'numbers go on when the other process is a new one',
    foundBy: NO_SERVICE,
    focus: 'mirror-links',
    seedsMax: 10,
  },
  tellsANewProcessTheOld: {
    file: CHANNEL,
    find: '    this.#items = [];\n    this.#bytes = 0;\n    this.#unsent = 0;\n    this.#sequence = 0;\n',
    replace:
      '    for (const item of this.#items) {\n      if (item.wire !== undefined) this.#unsent += 1;\n      item.wire = undefined;\n    }\n    for (const [at, item] of this.#items.entries()) Object.assign(item, { sequence: at + 1 });\n    this.#sequence = this.#items.length;\n',
    what: 'what was meant for a former process is told to the new one',
    killedBy: {
      file: 'src/replication/channel-restart.test.ts',
      test: 'a new process that was heard of hears what was sent before its hello, and nothing of what was before it',
    },
  },
};
