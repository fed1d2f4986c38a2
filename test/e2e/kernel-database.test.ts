/**
 * Goal: a database on a mirror loses nothing, and notices nothing, while nodes die. Method: PostgreSQL on ext4 in a guest with
 * a real kernel, on a disk with a path to each of two nodes; pgbench transfers money all the time, and its own reports are
 * held against the books; page checksums and indexes are checked by PostgreSQL, the file system and the copies below it.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { startNodes } from './cluster-nodes.ts';
import { guestLacks } from './guest/guest.ts';
import { bootHost, MAP, type MirrorHost } from './mirror-host.ts';

const SHAPE = { strategy: 'heartbeat', copies: 2, sector: 512, size: '512M' } as const;
const TIMES_EACH_DIES = 2;

/** Commands as the user that PostgreSQL wants to be. Checkpoints often, for writes of every kind. */
const DATABASE = `
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
export PGHOST=/tmp PGUSER=postgres PGDATA=/mnt/disk/database
as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
settings='-c listen_addresses= -c unix_socket_directories=/tmp -c shared_buffers=32MB -c jit=off'
settings="$settings -c max_wal_size=96MB -c checkpoint_timeout=30s"
start_database() { as_postgres pg_ctl --wait --timeout=120 -o "$settings" -l /tmp/postgres.log start >/dev/null; }
stop_database() { as_postgres pg_ctl --wait --timeout=120 --mode=fast stop >/dev/null; }
`;

/** Rounds until told that it is enough; each round's report is kept. To connect takes long here, hence few long rounds. */
const LOAD = `
cat > /tmp/load.sh <<'END'
until [ -e /tmp/enough ]; do
  pgbench --no-vacuum --client=2 --rate=40 --time=15 >/tmp/round.log 2>&1 ||
    { echo failed >/tmp/result; exit; }
  cat /tmp/round.log >>/tmp/rounds.log
done
echo fine >/tmp/result
END
setsid bash /tmp/load.sh </dev/null >/dev/null 2>&1 &
`;

/** What every transfer adds equally to an account, a teller, a branch and, as a row, to the history. */
const BOOKS = `SELECT (SELECT count(*) FROM pgbench_history),
  (SELECT sum(delta) FROM pgbench_history) = ALL (ARRAY[(SELECT sum(abalance) FROM pgbench_accounts),
    (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(bbalance) FROM pgbench_branches)])`;

test('a database on a mirror does not notice that nodes die', async (t) => {
  const lack = guestLacks();
  if (lack !== undefined) return t.skip(lack);
  await using cluster = await startNodes(SHAPE, 1);
  await using host = await bootHost(cluster);
  const must: MirrorHost['must'] = (script) =>
    host.must(DATABASE + script).catch(async (error: unknown) => {
      throw new Error(await host.report(), { cause: error });
    });
  let acknowledged = 0;

  await t.test('it is made, with checksums, on ext4', async () => {
    await must(`mkfs.ext4 -q ${MAP}; mkdir -p /mnt/disk; mount ${MAP} /mnt/disk
      install -d -o postgres -m 700 $PGDATA
      as_postgres initdb --no-sync --data-checksums --auth=trust --no-locale --encoding=UTF8 >/dev/null
      start_database; pgbench --initialize --scale=1 --quiet 2>&1`);
  });

  await t.test('no transaction fails while each node dies twice', async () => {
    await must(`dmesg --clear\n${LOAD}`);
    for (let round = 0; round < TIMES_EACH_DIES; round++) await host.whileNodesDie();
    const result = await must('touch /tmp/enough; wait_for test -e /tmp/result; cat /tmp/result');
    assert.equal(result, 'fine\n', await must('cat /tmp/round.log'));
    const reports = await must('cat /tmp/rounds.log');
    acknowledged = sumOf(reports, /^number of transactions actually processed: (\d+)/gm);
    assert.ok(acknowledged > 100, `only ${acknowledged} transactions`);
    assert.equal(sumOf(reports, /^number of failed transactions: (\d+)/gm), 0);
    assert.doesNotMatch(await must('cat /tmp/postgres.log'), /(ERROR|FATAL|PANIC|WARNING):/);
    await host.toldOfPathsAlone(TIMES_EACH_DIES * cluster.paths.length);
  });

  await t.test('file system and pages are whole, as they are on the disk', async () => {
    await must(`stop_database; wait_for umount /mnt/disk; echo 3 >/proc/sys/vm/drop_caches
      e2fsck -fn ${MAP} 2>&1; mount ${MAP} /mnt/disk`);
    assert.match(await must('as_postgres pg_checksums --check'), /^Bad checksums: +0$/m);
  });

  await t.test('every acknowledged transaction is in the books, which balance', async () => {
    const books = await must(`start_database; psql --no-align --tuples-only -c '${BOOKS}'`);
    assert.equal(books, `${acknowledged}|t\n`);
    await must('pg_amcheck --install-missing --heapallindexed 2>&1');
  });

  await t.test('both copies are the same afterwards', async () => {
    await must('stop_database; wait_for umount /mnt/disk; iscsiadm -m node --logoutall=all');
    assert.deepEqual(await cluster.stop(), []);
    const [first, second] = cluster.images;
    execFileSync('cmp', [first!, second!]);
  });
});

function sumOf(text: string, number: RegExp): number {
  const numbers = Array.from(text.matchAll(number), ([, digits]) => Number(digits));
  return numbers.reduce((sum, each) => sum + each, 0);
}
