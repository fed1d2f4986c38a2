/**
 * Goal: the kernel that Debian's servers run takes our paths for what they are (ALUA). Method: that kernel in an emulator, with
 * its own handler of path states (scsi_dh_alua, which other guests lack), on a path to each of two nodes.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { copiesOf } from '../../src/management/drill/site.ts';
import { startNodes } from './cluster-nodes.ts';
import { guestLacks } from './guest/guest.ts';
import { STOCK } from './guest/stock.ts';
import { bootHost } from './mirror-host.ts';

const SHAPE = { strategy: 'heartbeat', copies: 2, sector: 512, size: '64M' } as const;

/** What the kernel says of the path to a node. */
const LOOK = `
of() { cat /sys/block/$(basename $(readlink -f /dev/disk/by-path/*$1-disk1-lun-0))/device/$2; }
groups_are() { [ "$(multipath -ll | grep -c policy=)" = "$1" ]; }
`;

test('the stock kernel attaches its handler of path states to the paths of a mirror', async (t) => {
  const lack = guestLacks(STOCK);
  if (lack !== undefined) return t.skip(lack);
  await using cluster = await startNodes(SHAPE, 1);
  await using host = await bootHost(cluster, STOCK);
  const [first, second] = copiesOf(cluster.site).map(({ name }) => name);

  for (const name of [first, second])
    assert.equal(
      await host.must(`${LOOK} of ${name} dh_state; of ${name} access_state`),
      'alua\nactive/optimized\n',
    );
  const preferred = await host.must(`${LOOK} of ${first} preferred_path; of ${second} preferred_path`);
  assert.equal(preferred, '1\n0\n');
  await host.must(`${LOOK} wait_for groups_are 1`);
  assert.match(await host.must('multipath -ll'), /hwhandler='1 alua'[\s\S]*policy='round-robin 0' prio=50/);
});
