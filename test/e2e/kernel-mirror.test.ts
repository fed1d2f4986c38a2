/**
 * Goal: a stock Linux initiator with multipathing goes on while the nodes of a mirror die one after the other: its file systems
 * see no error, everything written is there, all paths come back. Method: the real kernel with open-iscsi and dm-multipath
 * in a guest, set up by the files of `packaging/`; two nodes in network namespaces; fio writes and verifies all the time.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { faultNamed } from '../../src/management/drill/faults.ts';
import { untilSynchronized } from '../../src/management/drill/site.ts';
import { type ClusterNodes, logsOf, startNodes } from './cluster-nodes.ts';
import { bootGuest, type Guest } from './guest/guest.ts';
import { guestLacks } from './guest/image.ts';
import { ISCSI_SETTINGS, MULTIPATHD, PREPARE } from './guest/initiator.ts';

const SHAPE = { strategy: 'heartbeat', copies: 2, sector: 512, size: '320M' } as const;
const MAP = '/dev/mapper/mpatha';
/** Longer than a path is waited for (fast_io_fail_tmo): the kernel gives it up, and takes it back later. */
const AWAY_MS = 8000;
const SYNCHRONIZED_MS_MAX = 60_000;
const SCRIPT_MS_MAX = 240_000;

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

/** What the kernel may say of paths, and of file systems that are mounted; all else is an error that reached the disk itself. */
const PATH_EVENTS: readonly RegExp[] = [
  /^connection\d+:\d+: (detected conn error|ping timeout)/,
  /^session\d+: session recovery timed out/,
  /^sd \d+:0:0:0: (Asymmetric access state changed|Power-on or device reset occurred|rejecting I\/O to offline device)/,
  // A node that does not serve answers NOT READY, and nothing else.
  /^sd \d+:0:0:0: \[sd\w\] tag#\d+ (\w+(\(\w+\))? Result: |CDB: |Sense Key : (0x2|Not Ready) |ASC=0x4 |Add\. Sense: Logical unit)/,
  /^(Buffer )?I\/O error(,| on) dev sd\w, /,
  /^\w+: \d+ callbacks suppressed/,
  /^device-mapper: multipath: \d+:\d+: (Failing|Reinstating) path /,
];

test('a Linux kernel on a mirror does not notice that nodes die', async (t) => {
  const lack = guestLacks();
  if (lack !== undefined) return t.skip(lack);
  await using cluster = await startNodes(SHAPE, 1);
  await using guest = await bootGuest(cluster.network, { number: 1 });
  const must = (script: string): Promise<string> =>
    guest.must(`. /tmp/lib.sh; set -e; LOOK=2\n${script}`, SCRIPT_MS_MAX);
  await guest.must(PREPARE + ISCSI_SETTINGS + MULTIPATHD);

  await t.test('finds both nodes as paths to one disk', async () => {
    for (const { portal, targetName } of cluster.paths)
      await must(`iscsiadm -m discovery -t sendtargets -p ${portal}
        iscsiadm -m node -T ${targetName} -p ${portal} --login`);
    await must(`wait_for paths 2; wait_for test -b ${MAP}`);
    assert.match(await must('multipath -ll'), /LOCKSTEP[\s\S]*queue_if_no_path[\s\S]*1 alua/);
    assert.match(
      await must('iscsiadm -m session -P 2'),
      /Recovery Timeout: 5\n[\s\S]*FirstBurstLength: 262144/,
    );
  });

  for (const fileSystem of FILE_SYSTEMS)
    await t.test(
      `${fileSystem.name} is written and verified while one node dies, then the other`,
      async () => {
        await whileNodesDie(cluster, must, fileSystem).catch(async (error: unknown) => {
          throw new Error(`${await kernelLog(guest)}\n${logsOf(cluster.site.nodes)}`, { cause: error });
        });
      },
    );

  await t.test('both copies are the same afterwards', async () => {
    await must('iscsiadm -m node --logoutall=all');
    assert.deepEqual(await cluster.stop(), []);
    const [first, second] = cluster.images;
    execFileSync('cmp', [first!, second!]);
  });
});

async function whileNodesDie(
  { site }: ClusterNodes,
  must: (script: string) => Promise<string>,
  { make, check }: FileSystem,
): Promise<void> {
  await must(`${make}; mkdir -p /mnt/disk; mount ${MAP} /mnt/disk
    head -c 16M /dev/urandom >/mnt/disk/kept; md5sum /mnt/disk/kept >/tmp/kept; sync
    dmesg --clear\n${LOAD}`);
  for (const victim of site.nodes) {
    await faultNamed('kill').run(site, victim, { awayMs: AWAY_MS, frozenMs: 0 });
    assert.ok(
      await untilSynchronized(site, SYNCHRONIZED_MS_MAX),
      `not synchronized after ${victim.name} died`,
    );
    await must('wait_for paths 2');
  }
  const result = await must('touch /tmp/enough; wait_for test -e /tmp/result; cat /tmp/result');
  assert.match(result, /^fine/, await must('cat /tmp/fio.log'));
  const messages = (await must('dmesg --notime')).split('\n').map((line) => line.trim());
  const isPathEvent = (line: string): boolean => PATH_EVENTS.some((event) => event.test(line));
  assert.deepEqual(
    messages.filter((line) => line !== '' && !isPathEvent(line)),
    [],
  );
  const lost = messages.filter((line) => line.includes('session recovery timed out'));
  assert.ok(lost.length >= site.nodes.length, 'each path was given up once');
  await must(`umount /mnt/disk; echo 3 >/proc/sys/vm/drop_caches; ${check} 2>&1
    mount ${MAP} /mnt/disk; md5sum --quiet -c /tmp/kept; umount /mnt/disk`);
}

async function kernelLog(guest: Guest): Promise<string> {
  const look = 'dmesg | tail -n 60; multipathd show paths; tail -n 20 /tmp/fio.log; iscsiadm -m session -P 1';
  return (await guest.run(look, SCRIPT_MS_MAX)).output;
}
