/**
 * Goal: the guest can be trusted with tests: what a script says and how it ends arrives whole, and nothing is left
 * behind, whatever the script did. Method: scripts that succeed, fail, talk a lot, hang and crash the kernel.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { bootGuest, type Guest, guestLacks } from './guest.ts';
import { guestImage } from './image.ts';
import { createNetwork } from './network.ts';

test('a guest runs scripts and leaves nothing behind', async (t) => {
  const lack = guestLacks();
  if (lack !== undefined) return t.skip(lack);
  await guestImage();
  let namespace = '';
  const within = async (use: (guest: Guest) => Promise<void>): Promise<void> => {
    await using network = await createNetwork(2);
    namespace = network.namespace;
    await using guest = await bootGuest(network, { number: 1 });
    await use(guest);
  };
  const leftBehind = (): string => {
    const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
    const namespaces = execFileSync('ip', ['netns'], { encoding: 'utf8' });
    const mine = (line: string): boolean => line.includes(`${namespace} `) || line === namespace;
    const guests = processes.split('\n').filter((line) => line.includes(`${namespace}-guest-`));
    return [...guests, ...namespaces.split('\n').filter(mine)].join('\n');
  };

  await t.test('status and output of each script come back, and it reaches both segments', async () => {
    await within(async (guest) => {
      assert.deepEqual(await guest.run('echo out; echo err >&2; exit 3'), {
        status: 3,
        output: 'out\nerr\n',
      });
      assert.match(await guest.must('uname -r'), /^\d+\.\d+/);
      await guest.must('ping -c 1 -W 2 10.66.0.1 && ping -c 1 -W 2 10.66.1.1');
      const { output } = await guest.run('seq 1 100000');
      assert.equal(output.split('\n').length, 100_001);
      await assert.rejects(guest.must('echo why; false'), /status 1 of: echo why; false\nwhy/);
    });
    assert.equal(leftBehind(), '');
  });

  await t.test('a script that does not end is an error in time', async () => {
    await within(async (guest) => {
      await assert.rejects(guest.run('echo begun; sleep 60', 1_000), /no end after 1000 ms[\s\S]*begun/);
    });
    assert.equal(leftBehind(), '');
  });

  await t.test('a kernel that panics is an error with its console', async () => {
    await within(async (guest) => {
      await assert.rejects(guest.run('echo c > /proc/sysrq-trigger; sleep 60'), /Kernel panic/);
    });
    assert.equal(leftBehind(), '');
  });
});
