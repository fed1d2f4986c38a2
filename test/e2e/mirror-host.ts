/**
 * A Linux kernel with the settings of `packaging/` as the host of a mirror: one path to each node, one disk of them by
 * dm-multipath. What every test asks of such a host while nodes die is here.
 */
import assert from 'node:assert/strict';
import { faultNamed } from '../../src/management/drill/faults.ts';
import { untilSynchronized } from '../../src/management/drill/site.ts';
import { type ClusterNodes, logsOf } from './cluster-nodes.ts';
import { bootGuest } from './guest/guest.ts';
import { USER_MODE } from './guest/uml.ts';
import { ISCSI_SETTINGS, MULTIPATHD, PREPARE } from './guest/initiator.ts';

export const MAP = '/dev/mapper/mpatha';
/** Longer than a path is waited for (fast_io_fail_tmo): the kernel gives it up, and takes it back later. */
const AWAY_MS = 8000;
const SYNCHRONIZED_MS_MAX = 60_000;
const SCRIPT_MS_MAX = 240_000;

export interface MirrorHost extends AsyncDisposable {
  /** Runs a script, whose every command has to succeed; answers with its output. */
  readonly must: (script: string) => Promise<string>;
  /** Kills one node after the other under what runs, each back with all paths before the next. */
  whileNodesDie(): Promise<void>;
  /** Fails when the kernel told of anything else since its log was cleared, or gave up fewer than so many paths. */
  toldOfPathsAlone(lostAtLeast: number): Promise<void>;
  /** What to look at when a test has failed. */
  report(): Promise<string>;
}

/** What the kernel may say of paths, and of file systems that are mounted; all else is an error that reached the disk itself. */
const PATH_EVENTS: readonly RegExp[] = [
  /^connection\d+:\d+: (detected conn error|ping timeout)/,
  /^session\d+: session recovery timed out/,
  /^sd \d+:0:0:0: (Asymmetric access state changed|Power-on or device reset occurred|rejecting I\/O to offline device)/,
  // What the stock kernel's handler of states has read: `alua: port group 01 state A preferred supports …`.
  /^sd \d+:0:0:0: alua: (port group|transition timeout set to|supports implicit)/,
  // A node that does not serve answers NOT READY, and nothing else.
  /^sd \d+:0:0:0: \[sd\w\] tag#\d+ (\w+(\(\w+\))? Result: |CDB: |Sense Key : (0x2|Not Ready) |ASC=0x4 |Add\. Sense: Logical unit)/,
  /^(Buffer )?I\/O error(,| on) dev sd\w, /,
  /^\w+: \d+ callbacks suppressed/,
  /^device-mapper: multipath: \d+:\d+: (Failing|Reinstating) path /,
];

/** Logged in to every node; the disk is there. */
export async function bootHost(
  { network, paths, site }: ClusterNodes,
  kernel = USER_MODE,
): Promise<MirrorHost> {
  const guest = await bootGuest(network, { number: 1, kernel });
  const must: MirrorHost['must'] = (script) =>
    guest.must(`. /tmp/lib.sh; set -e; LOOK=2\n${script}`, SCRIPT_MS_MAX);
  const allPaths = `wait_for paths ${paths.length}`;
  const host: MirrorHost = {
    must,
    async whileNodesDie() {
      for (const victim of site.nodes) {
        await faultNamed('kill').run(site, victim, { awayMs: AWAY_MS, frozenMs: 0 });
        const together = await untilSynchronized(site, SYNCHRONIZED_MS_MAX);
        assert.ok(together, `not synchronized after ${victim.name} died`);
        await must(allPaths);
      }
    },
    async toldOfPathsAlone(lostAtLeast) {
      const messages = (await must('dmesg --notime')).split('\n').map((line) => line.trim());
      const isPathEvent = (line: string): boolean => PATH_EVENTS.some((event) => event.test(line));
      assert.deepEqual(
        messages.filter((line) => line !== '' && !isPathEvent(line)),
        [],
      );
      const lost = messages.filter((line) => line.includes('session recovery timed out'));
      assert.ok(lost.length >= lostAtLeast, `only ${lost.length} paths were given up`);
    },
    async report() {
      const look =
        'dmesg | tail -n 60; multipathd show paths; tail -n 20 /tmp/*.log; iscsiadm -m session -P 1';
      return `${(await guest.run(look, SCRIPT_MS_MAX)).output}\n${logsOf(site.nodes)}`;
    },
    [Symbol.asyncDispose]: () => guest[Symbol.asyncDispose](),
  };
  try {
    await guest.must(PREPARE + ISCSI_SETTINGS + MULTIPATHD, SCRIPT_MS_MAX);
    for (const { portal, targetName } of paths)
      await must(`iscsiadm -m discovery -t sendtargets -p ${portal}
        iscsiadm -m node -T ${targetName} -p ${portal} --login`);
    await must(`${allPaths}; wait_for test -b ${MAP}`);
  } catch (error) {
    await guest[Symbol.asyncDispose]();
    throw error;
  }
  return host;
}
