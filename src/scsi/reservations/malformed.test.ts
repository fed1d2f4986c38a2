/** Goal: whatever an initiator or a damaged file brings, decoders answer, and never throw. Method: arbitrary bytes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c } from '../../base/crc32c.ts';
import { setU32 } from '../fields.ts';
import { decodeMove, decodeRegister, PARAMETER_LIST_LENGTH, type Surroundings } from './parameter-list.ts';
import { decodeRecord, encodeRecord } from './record.ts';
import { decodeTransportId, encodeTransportId } from './transport-id.ts';

const AROUND: Surroundings = { targetPorts: [1, 2], initiatorPortsOf: () => ['iqn.a,i,0x000000000001'] };
const NEXUS = { initiatorPort: 'iqn.a,i,0x000000000001', targetPort: 1 };

test('any parameter list is a request or a fault with a place inside it', () => {
  const id = encodeTransportId('iqn.b,i,0x000000000002');
  const list = fc
    .tuple(fc.uint8Array({ minLength: 24, maxLength: 24 }), fc.uint8Array({ maxLength: 64 }), fc.boolean())
    .map(([head, tail, named]) =>
      Uint8Array.from([...head, ...(named ? [0, 0, 0, id.length, ...id] : tail)]),
    );
  fc.assert(
    fc.property(list, fc.boolean(), (bytes, ignore) => {
      for (const decoded of [
        decodeRegister(bytes, NEXUS, ignore, AROUND),
        decodeMove(bytes, NEXUS, AROUND),
      ]) {
        if (!decoded.ok && decoded.fault.field !== undefined)
          assert(decoded.fault.field.byte <= bytes.length);
      }
    }),
    { numRuns: 3000 },
  );
  assert.equal(PARAMETER_LIST_LENGTH, 24);
});

test('a TransportID names its port again, and cut or padded it is refused or read within its length', () => {
  const isid = fc.integer({ min: 0, max: 2 ** 48 - 1 }).map((value) => value.toString(16).padStart(12, '0'));
  const name = fc.tuple(fc.constantFrom('iqn.2026-01.org:ä', 'eui.02004567a425678d', 'x'), isid);
  fc.assert(
    fc.property(name, fc.nat(40), ([initiator, digits], cut) => {
      const port = `${initiator},i,0x${digits}`;
      const bytes = encodeTransportId(port);
      assert.deepEqual(decodeTransportId(bytes, 0), {
        ok: true,
        value: { kind: 'port', name: port, length: bytes.length },
      });
      const short = bytes.subarray(0, Math.max(0, bytes.length - 1 - cut));
      assert.equal(decodeTransportId(short, 0).ok, false);
    }),
    { numRuns: 300 },
  );
});

test('a record with any byte changed is refused, and one of nonsense with a right checksum too', () => {
  const good = encodeRecord({
    generation: 4,
    aptpl: true,
    registrations: [{ ...NEXUS, key: 5n }],
    reservation: { type: 3, holder: NEXUS },
    legacyHolder: undefined,
  });
  assert(decodeRecord(good).ok);
  for (let at = 0; at < good.length; at += 1) {
    assert.equal(decodeRecord(good.with(at, good[at]! ^ 0x10)).ok, false, `byte ${at}`);
  }
  fc.assert(
    fc.property(fc.nat(good.length - 5), fc.nat(255), (at, value) => {
      const changed = good.with(at, value);
      setU32(changed, changed.length - 4, crc32c(changed.subarray(0, -4), 0));
      const decoded = decodeRecord(changed);
      if (decoded.ok) assert(decoded.value.registrations.length <= 1);
    }),
  );
});
