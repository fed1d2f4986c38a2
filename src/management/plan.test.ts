/** Goal: devices live in one engine each, and engines are used evenly. Method: plans made by hand. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TargetSpec } from '../engine/spec.ts';
import { DEFAULT_KEEP_ALIVE, engineSpecs, identityOf, type NodePlan } from './plan.ts';

function planOf(engines: number, targets: Readonly<Record<string, readonly string[]>>): NodePlan {
  const names = [...new Set(Object.values(targets).flat())];
  return {
    name: 'node',
    stateDirectory: undefined,
    portals: [{ address: '192.0.2.1:0', announce: undefined }],
    engines,
    keepAlive: DEFAULT_KEEP_ALIVE,
    cluster: undefined,
    memory: 2 ** 30,
    witnessed: [],
    devices: names.map((name) => ({
      kind: 'ram',
      name,
      length: 4096,
      blockLength: 512,
      physicalBlockExponent: undefined,
      provisioning: 'thin',
      readOnly: false,
      writeCache: 'through',
      removable: false,
      identity: identityOf([name], undefined),
    })),
    targets: Object.entries(targets).map(
      ([name, devices], index): TargetSpec => ({
        name,
        alias: undefined,
        portals: ['192.0.2.1:0'],
        portalGroupTag: 1,
        relativeTargetPort: index + 1,
        luns: devices.map((device, lun) => ({ lun, device })),
        allow: undefined,
        chap: undefined,
        digests: 'optional',
        sendTargetsInNormalSession: false,
      }),
    ),
  };
}

test('targets that share a device, even by a third, share an engine; the rest is spread', () => {
  const specs = engineSpecs(planOf(3, { a: ['1', '2'], b: ['3'], c: ['2', '4'], d: ['5'], e: ['4'] }), [
    '192.0.2.1:3260',
  ]);
  assert.deepEqual(
    specs.map((spec) => spec.targets.map((target) => target.name).join('')),
    ['ace', 'b', 'd'],
  );
  for (const spec of specs) {
    const used = new Set(spec.targets.flatMap((target) => target.luns.map((lun) => lun.device)));
    assert.deepEqual(new Set(spec.devices.map((device) => device.name)), used);
  }
});

test('engine 0 announces the targets of all engines, with the ports that were chosen', () => {
  const [first, second] = engineSpecs(planOf(2, { a: ['1'], b: ['2'] }), ['192.0.2.1:40000']);
  assert.deepEqual(
    first!.announced.map((target) => target.name),
    ['b'],
  );
  assert.deepEqual(first!.announced[0]!.portals, ['192.0.2.1:40000']);
  assert.deepEqual(second!.announced, []);
});

test('who listens on every address announces addresses that can be reached', () => {
  const [spec] = engineSpecs(planOf(1, { a: ['1'] }), ['0.0.0.0:3260']);
  const { portals } = spec!.targets[0]!;
  assert.ok(portals.length > 0);
  for (const portal of portals) assert.match(portal, /^(?!0\.0\.0\.0)[\d.]+:3260$/);
});

test('an identity is an NAA 6 designator of ours, made from what it is given', () => {
  const { naa, serial } = identityOf(['node', 'disk'], undefined);
  assert.match(naa, /^6024c53[0-9a-f]{25}$/);
  assert.match(serial, /^[0-9A-F]{16}$/);
  assert.notEqual(identityOf(['node', 'disk2'], undefined).naa, naa);
  assert.notEqual(identityOf(['nod', 'edisk'], undefined).naa, naa);
  assert.equal(identityOf(['x'], 'MINE').serial, 'MINE');
});
