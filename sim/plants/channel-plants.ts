/** Faults planted in the conversation between two nodes. */

import { type Catalogue, NO_SERVICE, WRONG_DATA } from './plant.ts';

const CHANNEL = 'src/replication/channel.ts';

export const CHANNEL_PLANTS: Catalogue = {
  deliversTwice: {
    file: CHANNEL,
    find: '      this.#earlyBytes += this.#lengthOf(message);\n    }',
    replace:
      '      this.#earlyBytes += this.#lengthOf(message);\n    } else if (message !== undefined) this.#options.onMessage(message);',
    what: 'what is sent again is delivered again',
    foundBy: [],
    focus: 'mirror-links',
    seedsMax: 30,
    open: 'needs a message that was delivered, whose acknowledgement is lost with its connection, to be forgotten meanwhile',
  },
  deliversOutOfOrder: {
    file: CHANNEL,
    find: '      this.#early.set(sequence, message);\n      this.#earlyBytes += this.#lengthOf(message);',
    replace:
      '      this.#early.set(sequence, undefined);\n      if (message !== undefined) this.#options.onMessage(message);',
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
    foundBy: [],
    focus: 'mirror-links',
    seedsMax: 30,
    open: 'needs the last message before a pause to be on a connection that breaks',
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
    foundBy: [],
    focus: 'mirror-links',
    seedsMax: 30,
    open: 'messages of the core carry their terms, and a new process is in none',
  },
};
