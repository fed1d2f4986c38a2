/**
 * Goal: a stock Linux initiator finds, uses and shares disks of `lockstep export`, and every tool in it agrees with
 * what the disk says of itself. Method: the real kernel with open-iscsi, multipath-tools and sg3-utils in a guest; the
 * program in a network namespace with two segments, one portal in each. Steps build on each other.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { bootGuest, guestLacks } from './guest/guest.ts';
import { MULTIPATHD, PREPARE } from './guest/initiator.ts';
import { createNetwork } from './guest/network.ts';
import { lockstep } from './lockstep.ts';

const MIB = 2 ** 20;
const SIZE = 512 * MIB;
const IQN = 'iqn.2008-08.org.lockstep:kernel';
const SECRET = 'twelve-or-more';
const DISK = `/dev/disk/by-path/ip-10.66.0.1:3260-iscsi-${IQN}-lun-0`;
const OTHER_PATH = `/dev/disk/by-path/ip-10.66.1.1:3260-iscsi-${IQN}-lun-0`;

test('a Linux kernel uses an exported file', async (t) => {
  const lack = guestLacks();
  if (lack !== undefined) return t.skip(lack);
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-kernel-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'disk.img');
  await using network = await createNetwork(2);
  const portals = network.addresses.flatMap((address) => ['--portal', `${address}:3260`]);
  const words = ['export', file, '--size', '512M', '--name', IQN, ...portals];
  await using served = await lockstep(words, network.inside);
  await using guest = await bootGuest(network, { number: 1 });
  await guest.must(PREPARE);
  const must = (script: string, limitMs?: number): Promise<string> =>
    guest.must(`. /tmp/lib.sh; set -e; DISK=${DISK}; OTHER=${OTHER_PATH}\n${script}`, limitMs);

  await t.test('discovery through one portal lists both', async () => {
    const found = await must('iscsiadm -m discovery -t sendtargets -p 10.66.0.1');
    assert.deepEqual(found.trim().split('\n').toSorted(), [
      `10.66.0.1:3260,1 ${IQN}`,
      `10.66.1.1:3260,1 ${IQN}`,
    ]);
  });

  await t.test('login with bursts of 256 KiB gives a disk of the right size', async () => {
    await must(`
      iscsiadm -m node -T ${IQN} -o update -n node.session.iscsi.FirstBurstLength -v 262144
      iscsiadm -m node -T ${IQN} -o update -n node.session.iscsi.MaxBurstLength -v 262144
      login ${IQN} 10.66.0.1`);
    const session = await must('iscsiadm -m session -P 2');
    assert.match(session, /FirstBurstLength: 262144/);
    assert.match(session, /MaxBurstLength: 262144/);
    assert.match(session, /ImmediateData: Yes/);
    assert.equal(Number(await must('blockdev --getsize64 $DISK')), SIZE);
    assert.equal(Number(await must('blockdev --getss $DISK')), 512);
  });

  await t.test('INQUIRY and its pages agree with each other', async () => {
    const inquiry = await must('sg_inq $DISK');
    assert.match(inquiry, /Vendor identification: LOCKSTEP/);
    assert.match(inquiry, /RMB=0.*\n.*\n.*TPGS=1.*3PC=1/);
    assert.match(inquiry, /CmdQue=1/);
    const pages = await must('sg_vpd -p sv $DISK');
    for (const page of ['sn', 'di', 'ei', 'tpc', 'bl', 'bdc', 'lbpv']) {
      assert.ok(pages.includes(`[${page}]`), `${page} in ${pages}`);
      await must(`sg_vpd -p ${page} $DISK`);
    }
    const serial = /Unit serial number: (\S+)/.exec(inquiry)?.[1] ?? '';
    assert.ok((await must('sg_vpd -p sn $DISK')).includes(`Unit serial number: ${serial}`));
    const names = await must('sg_vpd -p di $DISK');
    assert.match(names, /\[?0x6024c53[0-9a-f]{25}/);
    assert.match(names, /Relative target port: 0x[0-9a-f]+/);
    assert.match(names, /Target port group: 0x[0-9a-f]+/);
  });

  await t.test('capacity, provisioning and limits agree with each other', async () => {
    const capacity = await must('sg_readcap -l $DISK');
    assert.match(capacity, new RegExp(`Number of logical blocks=${SIZE / 512}\\b`));
    assert.match(capacity, /lbpme=1, lbprz=1/);
    const provisioning = await must('sg_vpd -p lbpv $DISK');
    assert.match(provisioning, /LBPU\): 1/);
    assert.match(provisioning, /LBPWS\): 1/);
    const limits = await must('sg_vpd -p bl $DISK');
    assert.match(limits, /Maximum compare and write length: [1-9]/);
    assert.match(limits, /Maximum unmap block descriptor count: [1-9]/);
    assert.match(limits, /Optimal transfer length granularity/i);
  });

  await t.test('the mode pages say write-through, and the kernel believes it', async () => {
    assert.match(await must('sg_modes -p 8 $DISK'), /Caching[\s\S]*\n 00 {5}08 12 [0-9a-f]{2}/);
    assert.match(await must('sg_modes -a $DISK'), /Control/);
    const queue = '/sys/block/$(basename $(readlink -f $DISK))/queue';
    assert.equal(await must(`cat ${queue}/write_cache`), 'write through\n');
    assert.match(await must('dmesg'), /supports DPO and FUA/);
  });

  await t.test('port groups, operation codes and LUNs are reported', async () => {
    assert.match(await must('sg_rtpg -d $DISK'), /active\/optimized/);
    const opcodes = await must('sg_opcodes $DISK');
    const commands = [
      'Compare and write',
      'Extended copy',
      'Unmap',
      'Write same\\(16\\)',
      'Read\\(16\\)',
      'Report target port groups',
    ];
    for (const name of commands) assert.match(opcodes, new RegExp(name, 'i'));
    assert.match(await must('sg_opcodes -t $DISK'), /Logical unit reset/i);
    assert.match(await must('sg_luns $DISK'), /0000000000000000/);
    await must('sg_turs $DISK; sg_requests $DISK; sg_logs -p 0 $DISK; sg_sync $DISK');
  });

  await t.test('offloads do what they say', async () => {
    await must(`
      cd /tmp
      head -c 512 /dev/urandom > a; head -c 512 /dev/urandom > b
      dd if=a of=$DISK bs=512 seek=100 conv=notrunc oflag=direct status=none
      cat a b > ab; sg_compare_and_write --in=ab --lba=100 $DISK
      dd if=$DISK bs=512 skip=100 count=1 iflag=direct status=none | cmp - b
      refuses sg_compare_and_write --in=ab --lba=100 $DISK
      sg_write_same --16 --in=a --lba=200 --num=64 $DISK
      dd if=$DISK bs=512 skip=263 count=1 iflag=direct status=none | cmp - a
      sg_verify --lba=200 --count=64 $DISK
      sg_xcopy if=$DISK of=$DISK skip=200 seek=4096 count=64 bs=512 2>&1
      dd if=$DISK bs=512 skip=4159 count=1 iflag=direct status=none | cmp - a
      sg_unmap --force --lba=4096 --num=2048 $DISK
      sg_get_lba_status --lba=4096 $DISK
      dd if=$DISK bs=512 skip=4096 count=64 iflag=direct status=none | cmp -n 32768 - /dev/zero`);
  });

  await t.test('a copy by token gives what was there, and refuses once it has changed', async () => {
    // Lists by hand and sg_raw: ddpt 0.97 puts each range one byte too early.
    const populate = '001e0000 00000000 00000000 00000010 0000000000000064 00000008 00000000';
    const header = '02260000 00000000 0000000000000000';
    const ranges = '000000000000 0010 0000000000002000 00000008 00000000';
    const plain = (hex: string): string =>
      `printf '${hex.replaceAll(' ', '').replaceAll(/../g, (pair) => `\\x${pair}`)}'`;
    await must(`
      cd /tmp
      sg_vpd -p tpc $DISK | grep -q 'Block Device ROD Token Limits'
      sg_opcodes $DISK | grep -qi 'write using token'
      head -c 4096 /dev/urandom > d
      dd if=d of=$DISK bs=512 seek=100 conv=notrunc oflag=direct status=none
      ${plain(populate)} > populate
      sg_raw -s 32 -i populate $DISK 83 10 00 00 00 00 00 00 00 07 00 00 00 20 00 00
      sg_raw -r 550 -o answer $DISK 84 07 00 00 00 07 00 00 00 00 00 00 02 26 00 00
      (${plain(header)}; tail -c 512 answer; ${plain(ranges)}) > using
      sg_raw -s 552 -i using $DISK 83 11 00 00 00 00 00 00 00 08 00 00 02 28 00 00
      dd if=$DISK bs=512 skip=8192 count=8 iflag=direct status=none | cmp - d
      dd if=d of=$DISK bs=512 seek=107 count=1 conv=notrunc oflag=direct status=none
      sg_raw -s 552 -i using $DISK 83 11 00 00 00 00 00 00 00 08 00 00 02 28 00 00 2>&1 | grep -i 'token revoked'`);
  });

  await t.test('a file system on it holds what fio writes and verifies', async () => {
    await must(
      `mkfs.ext4 -q $DISK; mkdir -p /mnt/disk; mount $DISK /mnt/disk
      fio --name=verify --directory=/mnt/disk --size=64M --rw=randwrite --bs=4k-64k --ioengine=libaio --iodepth=16 \\
        --direct=1 --verify=crc32c --do_verify=1 --verify_fatal=1 --randseed=1 --eta=never --minimal >/dev/null
      cp -r /usr/sbin /mnt/disk/; (cd /mnt/disk/sbin; md5sum $(find . -type f) > ../sums); sync
      echo 3 > /proc/sys/vm/drop_caches
      (cd /mnt/disk/sbin; md5sum --quiet -c ../sums)
      umount /mnt/disk; e2fsck -fn $DISK 2>&1`,
      180_000,
    );
  });

  await t.test('the image beneath is that file system, readable without us', async () => {
    execFileSync('e2fsck', ['-fn', file], { stdio: 'pipe' });
  });

  await t.test('discarded blocks read as zeros and give their space back', async () => {
    await must('dd if=/dev/urandom of=$DISK bs=1M seek=256 count=64 oflag=direct status=none');
    const before = statSync(file).blocks * 512;
    await must(`blkdiscard -o $((256 << 20)) -l $((64 << 20)) $DISK
      dd if=$DISK bs=1M skip=256 count=64 iflag=direct status=none | cmp -n $((64 << 20)) - /dev/zero`);
    assert.ok(statSync(file).blocks * 512 <= before - 60 * MIB);
  });

  await t.test('a reservation holds against the second path until it preempts', async () => {
    await must(`login ${IQN} 10.66.1.1`);
    assert.equal(
      await must('sg_vpd -p di_lu $DISK | grep 0x6'),
      await must('sg_vpd -p di_lu $OTHER | grep 0x6'),
    );
    const block = 'dd if=/dev/zero bs=512 seek=1 count=1 oflag=direct status=none conv=notrunc';
    await must(`
      sg_persist -n --out --register --param-sark=0x11 $DISK
      sg_persist -n --out --register --param-sark=0x22 $OTHER
      sg_persist -n --out --reserve --param-rk=0x11 --prout-type=1 $DISK
      ${block} of=$DISK
      refuses ${block} of=$OTHER
      dd if=$OTHER bs=512 count=1 iflag=direct status=none of=/dev/null`);
    const keys = await must('sg_persist -n --in --read-keys $OTHER');
    assert.match(keys, /0x11\b/);
    assert.match(keys, /0x22\b/);
    assert.match(await must('sg_persist -n --in --read-reservation $OTHER'), /0x11[\s\S]*Write Exclusive/);
    // udev looks at a disk again when a writer closes it, and would take the unit attention that is looked for below.
    await must(`
      udevadm settle
      sg_persist -n --out --preempt --param-rk=0x22 --param-sark=0x11 --prout-type=1 $OTHER
      ${block} of=$OTHER
      sg_persist -n --out --release --param-rk=0x22 --prout-type=1 $OTHER
      sg_persist -n --out --register --param-rk=0x22 --param-sark=0 $OTHER`);
    const told = await guest.run(`sg_persist -n --in --read-keys ${DISK}`);
    assert.match(told.output, /Unit Attention[\s\S]*Registrations preempted/);
    assert.match(await must('sg_persist -n --in --read-keys $DISK'), /there are NO registered/i);
  });

  await t.test('multipath makes one disk of both paths by ALUA and survives the loss of one', async () => {
    await must(`${MULTIPATHD}
      wait_for test -b /dev/mapper/mpatha; wait_for paths 2`);
    assert.match(await must('multipath -ll'), /LOCKSTEP[\s\S]*1 alua[\s\S]*round-robin 0' prio=50/);
    await must(
      'dd if=/dev/urandom of=/tmp/c bs=1M count=8 status=none; dd if=/tmp/c of=/dev/mapper/mpatha bs=1M oflag=direct status=none',
    );
    const gone = 'wait_for sh -c "multipathd show paths raw format %t%T%o | grep -q faulty"';
    execFileSync('ip', ['-n', network.namespace, 'link', 'set', 'br0', 'down']);
    await must(
      `dd if=/dev/mapper/mpatha bs=1M count=8 iflag=direct status=none | cmp - /tmp/c; ${gone} || true`,
    );
    execFileSync('ip', ['-n', network.namespace, 'link', 'set', 'br0', 'up']);
    await must('wait_for sh -c "! multipathd show paths raw format %T | grep -q faulty"');
    // udev may still have the map open.
    await must('udevadm settle; wait_for multipath -F; multipathd shutdown >/dev/null 2>&1 || true');
  });

  await t.test('logout ends the sessions, and the disk is gone', async () => {
    await must(`iscsiadm -m node -T ${IQN} --logout; refuses iscsiadm -m session; refuses test -e $DISK`);
  });

  await t.test('stopped while it is in use, it exits in order', async () => {
    await must(`login ${IQN} 10.66.0.1`);
    assert.equal(await served.stop(), 0);
  });
});

test('a Linux kernel has to know the CHAP secret', async (t) => {
  const lack = guestLacks();
  if (lack !== undefined) return t.skip(lack);
  await using network = await createNetwork(1);
  const words = ['export', '--ram', '64M', '--sector', '4096', '--name', IQN, '--chap', `operator:${SECRET}`];
  await using _ = await lockstep([...words, '--portal', '10.66.0.1:3260'], network.inside);
  await using guest = await bootGuest(network, { number: 1 });
  await guest.must(PREPARE);
  const set = (name: string, value: string): string =>
    `iscsiadm -m node -T ${IQN} -o update -n node.session.auth.${name} -v ${value}`;
  await guest.must('iscsiadm -m discovery -t sendtargets -p 10.66.0.1');

  await t.test('without a name, and with a wrong secret, it is refused', async () => {
    const none = await guest.run(`iscsiadm -m node -T ${IQN} --login`);
    assert.equal(none.status, 24, none.output); // ISCSI_ERR_LOGIN_AUTH_FAILED
    const names = [
      set('authmethod', 'CHAP'),
      set('username', 'operator'),
      set('password', 'wrong-wrong-wrong'),
    ];
    const wrong = await guest.run(`set -e; ${names.join('; ')}; iscsiadm -m node -T ${IQN} --login`);
    assert.equal(wrong.status, 24, wrong.output);
  });

  await t.test('with the secret it gets the disk, of 4096-byte blocks', async () => {
    const disk = DISK;
    const script = `. /tmp/lib.sh; set -e; ${set('password', SECRET)}; login ${IQN} 10.66.0.1; blockdev --getss ${disk}`;
    assert.match(await guest.must(script), /^4096$/m);
    await guest.must(`set -e; mkfs.ext4 -q ${disk}; mkdir -p /mnt/d; mount ${disk} /mnt/d; cp /bin/bash /mnt/d; umount /mnt/d
      e2fsck -fn ${disk}; iscsiadm -m node -T ${IQN} --logout`);
  });
});

test('a Linux kernel and a target that insists on CRC32C check every header and all data', async (t) => {
  const lack = guestLacks();
  if (lack !== undefined) return t.skip(lack);
  await using network = await createNetwork(1);
  const words = ['export', '--ram', '64M', '--name', IQN, '--digests', 'required'];
  await using _ = await lockstep([...words, '--portal', '10.66.0.1:3260'], network.inside);
  await using guest = await bootGuest(network, { number: 1 });
  await guest.must(PREPARE);
  await guest.must('iscsiadm -m discovery -t sendtargets -p 10.66.0.1');
  const set = (digest: string, value: string): string =>
    `iscsiadm -m node -T ${IQN} -o update -n node.conn[0].iscsi.${digest}Digest -v ${value}`;

  await t.test('without both digests it is refused', async () => {
    for (const [header, data] of [
      ['None', 'None'],
      ['CRC32C', 'None'],
      ['None', 'CRC32C'],
    ] as const) {
      const script = `${set('Header', header)} && ${set('Data', data)} && iscsiadm -m node -T ${IQN} --login`;
      const refused = await guest.run(script);
      assert.notEqual(refused.status, 0, `${header}, ${data}: ${refused.output}`);
    }
  });

  await t.test('with both, what fio writes is what it reads', async () => {
    await guest.must(
      `. /tmp/lib.sh; set -e; ${set('Header', 'CRC32C')}; ${set('Data', 'CRC32C')}; login ${IQN} 10.66.0.1`,
    );
    const session = await guest.must('iscsiadm -m session -P 2');
    assert.match(session, /HeaderDigest: CRC32C/);
    assert.match(session, /DataDigest: CRC32C/);
    // Lengths that are no multiple of 4 need padding, which the data digest covers: INQUIRY brings some.
    await guest.must(`set -e; sg_inq --len=37 ${DISK}; sg_vpd -p sn ${DISK}
      fio --name=verify --filename=$(readlink -f ${DISK}) --size=32M --rw=randwrite --bsrange=512-256k --ioengine=libaio \\
        --iodepth=16 --direct=1 --verify=crc32c --do_verify=1 --verify_fatal=1 --randseed=2 --eta=never --minimal >/dev/null`);
    const errors = await guest.must(
      "iscsiadm -m session -s | grep -E 'digest_err|timeout_err' | tr -d '\\t ' | sort",
    );
    assert.match(errors, /^digest_err:0$/m);
    await guest.must(`iscsiadm -m node -T ${IQN} --logout`);
  });
});

test('a Linux kernel sees several files as LUNs in order, write-protected when asked', async (t) => {
  const lack = guestLacks();
  if (lack !== undefined) return t.skip(lack);
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-kernel-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const files = ['first', 'second'].map((name) => join(folder, name));
  for (const [index, file] of files.entries())
    writeFileSync(file, Buffer.alloc((index + 1) * MIB, index + 1));
  await using network = await createNetwork(1);
  const words = ['export', ...files, '--read-only', '--name', IQN, '--portal', '10.66.0.1:3260'];
  await using _ = await lockstep(words, network.inside);
  await using guest = await bootGuest(network, { number: 1 });
  await guest.must(PREPARE);
  const second = DISK.replace(/0$/, '1');
  const seen = await guest.must(`. /tmp/lib.sh; set -e
    iscsiadm -m discovery -t sendtargets -p 10.66.0.1 >/dev/null; login ${IQN} 10.66.0.1 >/dev/null
    wait_for test -b ${second}
    for disk in ${DISK} ${second}; do blockdev --getsize64 --getro $disk; done
    head -c 512 ${second} | cmp - <(head -c 512 /dev/zero | tr '\\0' '\\2')
    refuses sg_write_same --16 --lba=0 --num=1 --in=/dev/zero --xferlen=512 ${second}`);
  assert.equal(seen, `${MIB}\n1\n${2 * MIB}\n1\n`);
  for (const [index, file] of files.entries()) assert.equal(readFileSync(file)[0], index + 1);
});
