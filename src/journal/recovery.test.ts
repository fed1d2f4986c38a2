/** Goal: every cell of the recovery table. Method: all combinations against a second telling of the table. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type Ending, type JournalStrategy, proofAfter } from './recovery.ts';

const MAPS = ['readable', 'unreadable', 'otherEpoch'] as const;
const LOGS = ['readable', 'unreadable'] as const;

/** Per record state (map, log): rr ru ur uu or ou. F(m)ap, F(ml), F(l), F() fast; M map, E epoch, L log, R, O full. */
const TABLE: Readonly<Record<JournalStrategy, Readonly<Record<Ending, string>>>> = {
  ram: {
    partnerLost: 'm m M M E E',
    outageInSync: 'R R R R R R',
    outageDegraded: 'R R R R R R',
    stopInSync: '- - - - - -',
    stopDegraded: 'm m M M E E',
  },
  failure: {
    partnerLost: 'm m M M E E',
    outageInSync: 'O O O O O O',
    outageDegraded: 'ml L M M E E',
    stopInSync: '- - - - - -',
    stopDegraded: 'm m M M E E',
  },
  continuous: {
    partnerLost: 'ml L M M E E',
    outageInSync: 'l L l L l L',
    outageDegraded: 'ml L M M E E',
    stopInSync: '- - - - - -',
    stopDegraded: 'm m M M E E',
  },
};

const CODES: Readonly<Record<string, string>> = {
  m: 'fast map',
  ml: 'fast map,log',
  l: 'fast log',
  '-': 'fast ',
  M: 'full mapUnreadable',
  E: 'full mapOfOtherEpoch',
  L: 'full logUnreadable',
  R: 'full mapWasInMemory',
  O: 'full logWasOff',
};

for (const [strategy, endings] of Object.entries(TABLE) as [JournalStrategy, Record<Ending, string>][])
  for (const [ending, cells] of Object.entries(endings) as [Ending, string][])
    test(`journal '${strategy}' after '${ending}' proves what the table says`, () => {
      const codes = cells.split(' ');
      for (const map of MAPS)
        for (const log of LOGS) {
          const said = (areTrusted: boolean): string => {
            const proof = proofAfter(strategy, ending, { areTrusted, map, log });
            return proof.kind === 'fast' ? `fast ${proof.from.join(',')}` : `full ${proof.reason}`;
          };
          const code = codes.shift()!;
          assert.equal(said(true), CODES[code], `map ${map}, log ${log}`);
          const distrusted = '-RO'.includes(code) ? CODES[code] : 'full recordsNotTrusted';
          assert.equal(said(false), distrusted, `map ${map}, log ${log}`);
        }
    });
