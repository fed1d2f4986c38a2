/**
 * Goal: every mistake in a configuration is found, and told with its place and what to do; a good one becomes the plan
 * it says. Method: tables of small files.
 */

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Result } from '../../base/result.ts';
import type { NodePlan } from '../plan.ts';
import { type ConfigFault, formatFaults, parseConfig } from './load.ts';
import { resolveConfig } from './resolve.ts';

function planOf(text: string, directory = '/srv'): Result<NodePlan, readonly ConfigFault[]> {
  const config = parseConfig(text);
  if (!config.ok) return config;
  return resolveConfig(config.value, {
    directory,
    stateDirectory: '/state',
    nodeId: 'node',
    startId: 'start',
    isVirtualMachine: false,
    memory: MEMORY,
  });
}

const MEMORY = 2 ** 34;
const DISK = '[[device]]\nname = "d"\nkind = "ram"\nsize = "1M"\n';
const FILE = '[[device]]\nname = "f"\nkind = "file"\npath = "f.img"\n';
const OPEN = 'allow = ["*"]\n';
const PORTAL = '[[portal]]\naddress = "192.0.2.9:3260"\n';

const mistakes: readonly (readonly [title: string, text: string, complaint: RegExp])[] = [
  ['not TOML', 'a = \n', /line 1, column 5: not TOML/],
  ['nothing to serve', PORTAL, /there is no \[\[target\]\]/],
  ['no portal', `[[target]]\nalias = "a"\n${OPEN}`, /there is no \[\[portal\]\]: write one/],
  ['a bad portal', PORTAL.replace(':3260', ''), /address = "192.0.2.9": write an address and a port/],
  ['a misspelt key', '[node]\nengine = 2\n', /\[node\] engine: there is no such key/],
  ['a misspelt table', '[[devices]]\n', /devices: there is no such key/],
  ['too many engines', '[node]\nengines = 1000\n', /\[node\] engines = 1000: at most 64/],
  ['a hasty ping', '[node]\nping_after_seconds = 0\n', /ping_after_seconds = 0: at least 1 second/],
  ['an endless wait', '[node]\ndead_after_seconds = 4000\n', /dead_after_seconds = 4000: at most 3600/],
  ['a single table', 'device = 3\n', /device = 3: write each device as a \[\[device\]\] table/],
  [
    'no kind',
    '[[device]]\nname = "d"\n',
    /\[\[device\]\] 1 "d": kind: is missing; write kind = "mirror", kind = "file" or/,
  ],
  ['no path', '[[device]]\nname = "d"\nkind = "file"\n', /"d": path: is missing; write a path in quotes/],
  ['no size', '[[device]]\nname = "d"\nkind = "ram"\n', /"d": size: is missing; write a size such as/],
  [
    'a bad size',
    '[[device]]\nname = "d"\nkind = "ram"\nsize = "1Q"\n',
    /size = "1Q": write a number and K, M/,
  ],
  ['a tiny size', '[[device]]\nname = "d"\nkind = "ram"\nsize = "1K"\n', /the smallest size is 4096/],
  ['a bad sector', `${DISK}sector = 520\n`, /sector = 520: write 512 or 4096/],
  ['a bad cache mode', `${DISK}write_cache = "on"\n`, /write one of "through", "back"/],
  ['a tiny cache', `${FILE}cache = "512K"\n`, /"f": cache = "512K": the smallest size is 1M/],
  ['a cache of a RAM disk', `${DISK}cache = "1M"\n`, /\[\[device\]\] 1 "d": cache: there is no such key/],
  [
    'an unsafe cache',
    `${FILE}cache = "1M"\nwrite_cache = "back"\n`,
    /"f": write_cache = "back" with a cache .* power_protected = true/,
  ],
  [
    'caches that do not fit',
    `${FILE}cache = "12G"\n${DISK.replace('"1M"', '"1G"')}`,
    /\[\[device\]\] cache: caches take 12 GiB and disks in memory 1 GiB, and at most 12.8 GiB may be taken, 80 % of/,
  ],
  ['a bad device name', DISK.replace('"d"', '"d d"'), /a device name has up to 64 letters/],
  ['two devices of a name', `${DISK}${DISK}`, /\[\[device\]\] name: "d" stands here twice/],
  ['a target without name', `[[target]]\n${OPEN}`, /write an alias, from which the iSCSI name is made/],
  ['a bad iSCSI name', `[[target]]\nname = "disk"\n${OPEN}`, /name = "disk": write an iSCSI name such as/],
  ['a target for nobody', '[[target]]\nalias = "a"\n', /nobody could log in: write allow/],
  ['a bad initiator', '[[target]]\nalias = "a"\nallow = ["host"]\n', /allow\[1\] = "host"/],
  [
    'an unknown device',
    `[[target]]\nalias = "a"\nluns = [{ device = "x" }]\n${OPEN}`,
    /no \[\[device\]\] named "x"/,
  ],
  [
    'a LUN twice',
    `${DISK}[[target]]\nalias = "a"\nluns = [{ device = "d", lun = 1 }, { device = "d", lun = 1 }]\n${OPEN}`,
    /LUN 1 is given twice/,
  ],
  [
    'a LUN out of range',
    `${DISK}[[target]]\nalias = "a"\nluns = [{ device = "d", lun = 16384 }]\n${OPEN}`,
    /largest LUN is 16383/,
  ],
  [
    'an unknown portal',
    `[[target]]\nalias = "a"\nportals = ["192.0.2.1:1"]\n${OPEN}`,
    /"192.0.2.1:1" is no \[\[portal\]\]/,
  ],
  [
    'two targets of a name',
    `[[target]]\nalias = "a"\n${OPEN}[[target]]\nalias = "A"\n${OPEN}`,
    /\[\[target\]\] name: .* twice/,
  ],
  [
    'a short secret',
    '[[target]]\nalias = "a"\nchap.users = [{ user = "u", secret = "short" }]\n',
    /user "u": the secret has 5 bytes, fewer than 12/,
  ],
  [
    'no secret',
    '[[target]]\nalias = "a"\nchap.users = [{ user = "u" }]\n',
    /write either secret or secret_file/,
  ],
  [
    'the same secret both ways',
    '[[target]]\nalias = "a"\n[target.chap]\nusers = [{ user = "u", secret = "0123456789ab" }]\nmutual = { user = "t", secret = "0123456789ab" }\n',
    /same secret as an initiator/,
  ],
  [
    'an unknown algorithm',
    '[[target]]\nalias = "a"\n[target.chap]\nusers = [{ user = "u", secret = "0123456789ab" }]\nalgorithms = ["md4"]\n',
    /write one of "md5"/,
  ],
];

for (const [title, text, complaint] of mistakes) {
  test(`a configuration with ${title} is refused with the reason`, () => {
    const plan = planOf(text);
    assert.equal(plan.ok, false);
    assert.match(formatFaults('node.toml', plan.ok ? [] : plan.fault), complaint);
  });
}

test('no complaint shows a secret', () => {
  const plan = planOf('[[target]]\nalias = "a"\nchap.users = [{ user = "u", secret = 123456789 }]\n');
  assert.doesNotMatch(JSON.stringify(plan), /123456789/);
});

test('a whole configuration becomes the plan it says', () => {
  const plan = planOf(`
[node]
name = "Alpha"
engines = 2
dead_after_seconds = 60
[[portal]]
address = "192.0.2.1:3260"
[[portal]]
address = "192.0.2.2:3260"
[[device]]
name = "system"
kind = "file"
path = "disks/system.img"
size = "10G"
sector = 4096
provisioning = "thick"
[[device]]
name = "data"
kind = "ram"
size = "1G"
removable = true
[[target]]
alias = "Database 1"
luns = [{ device = "data", lun = 0 }, { device = "system" }]
allow = ["iqn.1994-05.com.redhat:HOST"]
digests = "required"
[[target]]
name = "iqn.2026-11.com.example:other"
portals = ["192.0.2.2:3260"]
luns = [{ device = "system" }]
chap.users = [{ user = "u", secret = "0123456789ab" }]
`);
  assert.ok(plan.ok, JSON.stringify(plan));
  const { devices, targets, keepAlive } = plan.value;
  assert.deepEqual(keepAlive, { pingAfterSeconds: 10, deadAfterSeconds: 60 });
  assert.equal(devices[0]!.kind === 'file' && devices[0]!.path, '/srv/disks/system.img');
  assert.equal(devices[0]!.length, 10 * 2 ** 30);
  assert.equal(targets[0]!.name, 'iqn.2026-11.io.lockstep:alpha-database-1');
  assert.deepEqual(targets[0]!.luns, [
    { lun: 0, device: 'data' },
    { lun: 1, device: 'system' },
  ]);
  assert.deepEqual(targets[0]!.portals, ['192.0.2.1:3260', '192.0.2.2:3260']);
  assert.deepEqual(targets[0]!.allow, ['iqn.1994-05.com.redhat:host']);
  assert.equal(targets[1]!.allow, undefined);
  assert.deepEqual(targets[1]!.chap?.users, [{ user: 'u', secret: '0123456789ab' }]);
  assert.notEqual(targets[0]!.relativeTargetPort, targets[1]!.relativeTargetPort);
});

test('a cache is part of the plan, and written back to only with protected power', () => {
  const rest = `${PORTAL}[[target]]\nalias = "a"\nluns = [{ device = "f" }]\n${OPEN}`;
  const cases = [
    ['', 0, 'through'],
    ['cache = "128M"\n', 2 ** 27, 'through'],
    ['cache = "128M"\nwrite_cache = "back"\npower_protected = true\n', 2 ** 27, 'back'],
  ] as const;
  for (const [lines, cacheMemory, writeCache] of cases) {
    const plan = planOf(`${FILE}${lines}${rest}`);
    assert.ok(plan.ok);
    const [device] = plan.value.devices;
    assert.ok(device?.kind === 'file');
    assert.deepEqual([device.cacheMemory, device.writeCache], [cacheMemory, writeCache]);
  }
});

test('caches that are to be as large as possible share what is left of the memory that caches may take', () => {
  const fileOf = (name: string, cache: string): string =>
    `${FILE.replace('"f"', `"${name}"`).replace(/path = "[^"]*"/, `path = "${name}.img"`)}cache = "${cache}"\n`;
  const rest = `${PORTAL}[[target]]\nalias = "a"\nluns = [{ device = "a" }, { device = "b" }, { device = "c" }]\n${OPEN}`;
  const sizesOf = (...caches: readonly string[]): number[] | string => {
    const text = caches.map((cache, at) => fileOf('abc'[at]!, cache)).join('');
    const plan = planOf(text + rest);
    if (!plan.ok) return JSON.stringify(plan.fault);
    return plan.value.devices.map((device) => (device.kind === 'ram' ? 0 : device.cacheMemory));
  };
  const all = Math.floor((MEMORY * 0.8) / 2 ** 20);
  const half = Math.floor((MEMORY * 0.8 - 2 ** 27) / 2 / 2 ** 20);
  assert.deepEqual(sizesOf('max', '1M', '1M'), [(all - 2) * 2 ** 20, 2 ** 20, 2 ** 20]);
  assert.deepEqual(sizesOf('max', '128M', 'max'), [half * 2 ** 20, 2 ** 27, half * 2 ** 20]);
  assert.match(sizesOf('max', `${all}M`, '1M') as string, /at most .* may be taken/);
  for (const word of ['most', 'constructor']) assert.match(sizesOf(word, '1M', '1M') as string, /cache = /);
});

test('a device keeps its identity, and no two devices share one', () => {
  const one = planOf(`${PORTAL}${DISK}[[target]]\nalias = "a"\n${OPEN}`);
  const again = planOf(`${PORTAL}${DISK}[[target]]\nalias = "b"\n${OPEN}`);
  const other = planOf(`${PORTAL}${DISK.replace('"d"', '"e"')}[[target]]\nalias = "a"\n${OPEN}`);
  assert.ok(one.ok && again.ok && other.ok);
  const identity = one.value.devices[0]!.identity;
  assert.match(identity.naa, /^6024c53[0-9a-f]{25}$/);
  assert.deepEqual(again.value.devices[0]!.identity, identity);
  assert.notEqual(other.value.devices[0]!.identity.naa, identity.naa);
});

test('a secret may stand in a file that only some can read', () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'lockstep-'));
  try {
    const text = `${PORTAL}[[target]]\nalias = "a"\nchap.users = [{ user = "u", secret_file = "secret" }]\n`;
    assert.match(JSON.stringify(planOf(text, directory)), /there is no such file/);
    writeFileSync(path.join(directory, 'secret'), '0123456789ab\n', { mode: 0o600 });
    const good = planOf(text, directory);
    assert.ok(good.ok);
    assert.equal(good.value.targets[0]!.chap?.users[0]!.secret, '0123456789ab');
    chmodSync(path.join(directory, 'secret'), 0o644);
    assert.match(JSON.stringify(planOf(text, directory)), /can be read by every user/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
