/**
 * Goal: a stock Linux initiator with multipathing goes on while the nodes of a mirror die one after the other: its file systems
 * see no error, everything written is there, all paths come back. Method: the real kernel with open-iscsi and dm-multipath
 * in a guest, set up by the files of `packaging/`; two nodes in network namespaces; fio writes and verifies all the time.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { startNodes } from './cluster-nodes.ts';
import { guestLacks } from './guest/guest.ts';
import { bootHost, MAP, type MirrorHost } from './mirror-host.ts';

const SHAPE = { strategy: 'heartbeat', copies: 2, sector: 512, size: '320M' } as const;

interface FileSystem {
  readonly name: string;
  readonly make: string;
  /** Changes nothing; fails where anything is wrong. */
  readonly check: string;
}

const FILE_SYSTEMS: readonly FileSystem[] = [
  { name: 'ext4', make: `mkfs.ext4 -q ${MAP}`, check: `e2fsck -fn ${MAP}` },
  { name: 'XFS', make: `mkfs.xfs -q -f ${MAP}`, check: `xfs_repair -n ${MAP}` },
];

/** Rounds of writes that are read back and verified, until told that it is enough. Not more than a busy machine can do. */
const LOAD = `
cat > /tmp/load.sh <<'END'
round=0
until [ -e /tmp/enough ]; do
  round=$((round + 1))
  fio --name=load --directory=/mnt/disk --size=4M --rw=randwrite --bs=4k-64k --ioengine=libaio --iodepth=4 --direct=1 \\
    --rate_iops=30 --verify=crc32c --do_verify=1 --verify_fatal=1 --randseed=$round --eta=never >/tmp/fio.log 2>&1 ||
    { echo "round $round failed" >/tmp/result; exit; }
done
echo "fine after $round rounds" >/tmp/result
END
rm -f /tmp/enough /tmp/result
setsid bash /tmp/load.sh </dev/null >/dev/null 2>&1 &
`;

test('a Linux kernel on a mirror does not notice that nodes die', async (t) => {
  const lack = guestLacks();
  if (lack !== undefined) return t.skip(lack);
  await using cluster = await startNodes(SHAPE, 1);
  await using host = await bootHost(cluster);

  await t.test('finds both nodes as paths to one disk', async () => {
    assert.match(await host.must('multipath -ll'), /LOCKSTEP[\s\S]*queue_if_no_path[\s\S]*1 alua/);
    assert.match(
      await host.must('iscsiadm -m session -P 2'),
      /Recovery Timeout: 5\n[\s\S]*FirstBurstLength: 262144/,
    );
  });

  for (const fileSystem of FILE_SYSTEMS)
    await t.test(
      `${fileSystem.name} is written and verified while one node dies, then the other`,
      async () => {
        await writtenWhileNodesDie(host, fileSystem).catch(async (error: unknown) => {
          throw new Error(await host.report(), { cause: error });
        });
      },
    );

  await t.test('both copies are the same afterwards', async () => {
    await host.must('iscsiadm -m node --logoutall=all');
    assert.deepEqual(await cluster.stop(), []);
    const [first, second] = cluster.images;
    execFileSync('cmp', [first!, second!]);
  });
});

async function writtenWhileNodesDie(host: MirrorHost, { make, check }: FileSystem): Promise<void> {
  const { must } = host;
  await must(`${make}; mkdir -p /mnt/disk; mount ${MAP} /mnt/disk
    head -c 16M /dev/urandom >/mnt/disk/kept; md5sum /mnt/disk/kept >/tmp/kept; sync
    dmesg --clear\n${LOAD}`);
  await host.whileNodesDie();
  const result = await must('touch /tmp/enough; wait_for test -e /tmp/result; cat /tmp/result');
  assert.match(result, /^fine/, await must('cat /tmp/fio.log'));
  await host.toldOfPathsAlone(2);
  await must(`umount /mnt/disk; echo 3 >/proc/sys/vm/drop_caches; ${check} 2>&1
    mount ${MAP} /mnt/disk; md5sum --quiet -c /tmp/kept; umount /mnt/disk`);
}
