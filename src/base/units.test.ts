/** Sizes as text. Table-driven. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSize, parseSize } from './units.ts';

test('sizes are read with binary units, exactly', () => {
  const table: readonly [string, number][] = [
    ['0', 0],
    ['4096', 4096],
    ['512M', 512 * 2 ** 20],
    ['10G', 10 * 2 ** 30],
    ['1T', 2 ** 40],
    ['1.5k', 1536],
    ['0.1K', NaN],
    [' 2 GiB ', 2 ** 31],
    ['2gb', 2 ** 31],
    ['8191T', 8191 * 2 ** 40],
    ['8192T', NaN],
    ['', NaN],
    ['-1G', NaN],
    ['1X', NaN],
    ['1e9', NaN],
    ['G', NaN],
  ];
  for (const [text, bytes] of table) {
    const size = parseSize(text);
    assert.equal(size.ok ? size.value : NaN, bytes, text);
  }
});

test('sizes are written with the largest fitting unit', () => {
  assert.equal(formatSize(1000), '1000 B');
  assert.equal(formatSize(2 ** 29), '512 MiB');
  assert.equal(formatSize(1.5 * 2 ** 30), '1.5 GiB');
  assert.equal(formatSize(2 ** 40 + 2 ** 20), '1 TiB');
});
