// Goal: the checker of growing devices finds what must not be, and nothing else. Method: histories of a few commands.

import assert from 'node:assert/strict';
import test from 'node:test';
import { checkGrowth, checkSizes } from './growth.ts';

const ASKED = { blocks: 10, invokedAt: 100, returnedAt: 200 };
const seen = (least: number, most: number, invokedAt: number, returnedAt: number) => {
  return { least, most, invokedAt, returnedAt };
};
const held = (...sizes: number[]) =>
  sizes.map((blocks, node) => ({ node, blockCount: 1000 + blocks, blocks }));

test('old and new sizes may be told while the device grows, the new one only afterwards', () => {
  assert.equal(
    checkSizes([seen(0, 0, 0, 50), seen(10, 10, 110, 150), seen(0, 0, 140, 210)], [ASKED]),
    undefined,
  );
  assert.equal(checkSizes([seen(0, 0, 201, 210)], [ASKED])?.rule, 'deviceShrank');
});

test('what one command has shown, no later one may take back', () => {
  assert.equal(
    checkSizes([seen(4, Infinity, 110, 150), seen(0, 3, 151, 160)], [ASKED])?.rule,
    'deviceShrank',
  );
  assert.equal(checkSizes([seen(4, Infinity, 110, 150), seen(0, 4, 151, 160)], [ASKED]), undefined);
});

test('nobody is told of more than was asked for until then', () => {
  assert.equal(checkSizes([seen(1, 1, 50, 99)], [ASKED])?.rule, 'sizeFromNowhere');
  assert.equal(checkSizes([seen(11, 11, 150, 190)], [ASKED])?.rule, 'sizeFromNowhere');
});

test('in the end all are equally large, and as large as was seen or acknowledged', () => {
  assert.equal(checkGrowth([], { attempts: [ASKED], held: held(10, 10) }), undefined);
  assert.equal(checkGrowth([], { attempts: [ASKED], held: held(10, 0) })?.rule, 'sizesDiffer');
  assert.equal(checkGrowth([], { attempts: [ASKED], held: held(0, 0) })?.rule, 'growthLost');
  const unknown = { ...ASKED, returnedAt: Infinity };
  assert.equal(checkGrowth([], { attempts: [unknown], held: held(0, 0) }), undefined);
  assert.equal(
    checkGrowth([seen(3, 3, 110, 120)], { attempts: [unknown], held: held(0, 0) })?.rule,
    'growthLost',
  );
});
