/** A well-behaved initiator whose session lives through the whole run: it must notice nothing. */

import assert from 'node:assert/strict';
import { BLOCK_LENGTH, BYSTANDER_TARGET, type FuzzBench, settle } from './bench.ts';
import { MemoryStream } from '../../../src/iscsi/testing/memory-stream.ts';
import { rawPdu, type RawResponse, rawResponses, text } from '../../../src/iscsi/testing/raw-pdu.ts';

export interface Bystander {
  /** Writes a block that names `number`, reads it back. */
  check(number: number): Promise<void>;
  /** Answers pings: it is alive however time flies. */
  pump(): void;
}

export function createBystander({ node, random }: FuzzBench): Bystander {
  const stream = new MemoryStream('127.0.0.2:40000');
  node.accept(stream);
  stream.feed(
    rawPdu({
      word0: 0x43870000,
      words: { 8: 0x80654321, 12: 0x90000, 16: 1, 20: 0, 24: 1, 28: 0 },
      data: text(['InitiatorName=iqn.2026-01.test.initiator:bystander', `TargetName=${BYSTANDER_TARGET}`]),
    }),
  );
  let cmdSN = 1;
  let expStatSN = 0;
  let tag = 100;

  /** Responses so far; pings are answered. */
  function pump(): RawResponse[] {
    stream.endTurn();
    const found = rawResponses(stream.collect());
    for (const response of found) {
      if (response.opcode === 0x20 && response.word(20) !== 0xffffffff) {
        const words = {
          8: response.word(8),
          12: response.word(12),
          16: 0xffffffff,
          20: response.word(20),
          24: cmdSN,
          28: expStatSN,
        };
        stream.feed(rawPdu({ word0: 0x40800000, words }));
      } else {
        expStatSN = (response.statSN + 1) >>> 0;
      }
    }
    return found;
  }

  async function command(
    cdb: readonly number[],
    flags: number,
    length: number,
    data?: Uint8Array,
  ): Promise<RawResponse> {
    tag++;
    const words = {
      16: tag,
      20: length,
      24: cmdSN,
      28: expStatSN,
      32: cdb[0]!,
      36: cdb[1]!,
      40: cdb[2]!,
      44: cdb[3]!,
    };
    cmdSN = (cmdSN + 1) >>> 0;
    stream.feed(
      rawPdu({ word0: (0x01800000 | (flags << 16)) >>> 0, words, ...(data === undefined ? {} : { data }) }),
    );
    for (let turn = 0; turn < 10; turn++) {
      const answer = pump().find((response) => response.itt === tag);
      if (answer !== undefined) return answer;
      await settle();
    }
    throw new Error(`the bystander got no answer (its connection is ${stream.ended})`);
  }

  let begun = false;
  return {
    pump: () => void pump(),
    async check(number) {
      pump();
      if (!begun) {
        begun = true;
        await command([0, 0, 0, 0], 0, 0); // takes the unit attention of a new nexus
      }
      const lba = random.integer(0, 1000);
      const block = new Uint8Array(BLOCK_LENGTH).fill(number);
      new DataView(block.buffer).setUint32(0, number);
      const address = [0x2a000000 | (lba >>> 16), ((lba & 0xffff) << 16) >>> 0, 0x01000000, 0];
      const written = await command(address, 0x21, BLOCK_LENGTH, block);
      assert.equal(written.byte3, 0, 'WRITE (10) of the bystander');
      const read = await command([0x28000000 | (lba >>> 16), ...address.slice(1)], 0x41, BLOCK_LENGTH);
      assert.equal(read.opcode, 0x25, 'READ (10) of the bystander brings data');
      assert.deepEqual(read.data, block, 'the bystander reads what it wrote');
    },
  };
}
