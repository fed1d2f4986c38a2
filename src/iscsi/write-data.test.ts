/** Immediate, unsolicited and solicited data of writes at the wire (RFC 7143 §4.2.5, §11.7, §11.8, §7.8). */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Status } from '../ports/scsi-target.ts';
import { answering, bytes, ready, senseOf, writing } from './testing/ready.ts';
import { RawInitiator } from './testing/raw-initiator.ts';
import { rawPdu } from './testing/raw-pdu.ts';
import { outstandingLoans } from './testing/scripted-device.ts';

afterEach(() => assert.equal(outstandingLoans.count, 0, 'every loan was given back'));

test('immediate data alone completes a write', () => {
  const context = ready();
  const received = writing(context, 512);
  context.initiator.command({ itt: 5, write: 512, data: bytes(512) });
  assert.deepEqual(received, [bytes(512)]);
  assert.equal(context.initiator.responses()[0]!.byte3, 0);
  assert.equal(context.stream.retained, 0, 'receive buffers went back');
});

test('immediate and unsolicited data fill the first burst, R2Ts bring the rest', () => {
  const context = ready({}, [
    'InitialR2T=No',
    'FirstBurstLength=2048',
    'MaxBurstLength=4096',
    'MaxOutstandingR2T=2',
  ]);
  const { initiator } = context;
  const data = bytes(12000);
  const received = writing(context, 12000);
  initiator.command({ itt: 5, write: 12000, final: false, data: data.subarray(0, 1000) });
  initiator.dataOut({ itt: 5, offset: 1000, final: false, data: data.subarray(1000, 1500) });
  assert.equal(initiator.responses().length, 0, 'no R2T while unsolicited data is on its way');
  initiator.dataOut({ itt: 5, dataSN: 1, offset: 1500, final: true, data: data.subarray(1500, 2048) });
  const r2ts = initiator.responses();
  assert.deepEqual(
    r2ts.map((r2t) => [r2t.opcode, r2t.word(36), r2t.word(40), r2t.word(44), r2t.statSN]),
    [
      [0x31, 0, 2048, 4096, 1],
      [0x31, 1, 6144, 4096, 1],
    ],
  );
  for (const r2t of r2ts) {
    const from = r2t.word(40);
    const half = from + 2048;
    initiator.dataOut({
      itt: 5,
      ttt: r2t.word(20),
      offset: from,
      final: false,
      data: data.subarray(from, half),
    });
    initiator.dataOut({
      itt: 5,
      ttt: r2t.word(20),
      dataSN: 1,
      offset: half,
      final: true,
      data: data.subarray(half, half + 2048),
    });
  }
  const [third] = initiator.responses();
  assert.deepEqual([third!.word(36), third!.word(40), third!.word(44)], [2, 10240, 1760]);
  initiator.dataOut({ itt: 5, ttt: third!.word(20), offset: 10240, final: true, data: data.subarray(10240) });
  const [response] = initiator.responses();
  assert.deepEqual([response!.opcode, response!.byte3, response!.word(36)], [0x21, 0, 3]);
  assert.deepEqual(received, [data]);
  assert.equal(context.stream.retained, 0);
});

const faults: readonly [
  title: string,
  keys: readonly string[],
  sense: number[],
  act: (initiator: RawInitiator) => void,
][] = [
  [
    'immediate data that was not negotiated',
    ['ImmediateData=No'],
    [0x0b, 0x0c, 0x0c],
    (initiator) => initiator.command({ itt: 5, write: 512, data: bytes(512) }),
  ],
  [
    'unsolicited data that was not negotiated',
    ['InitialR2T=Yes'],
    [0x0b, 0x0c, 0x0c],
    (initiator) => initiator.command({ itt: 5, write: 512, final: false }),
  ],
  [
    'unsolicited data after the command was final',
    ['InitialR2T=No'],
    [0x0b, 0x0c, 0x0c],
    (initiator) => {
      initiator.command({ itt: 5, write: 512 });
      initiator.dataOut({ itt: 5, offset: 0, final: true, data: bytes(512) });
    },
  ],
  [
    'immediate data beyond FirstBurstLength',
    ['FirstBurstLength=512'],
    [0x0b, 0x0c, 0x0d],
    (initiator) => initiator.command({ itt: 5, write: 2048, data: bytes(1024) }),
  ],
  [
    'immediate data beyond the expected length',
    [],
    [0x0b, 0x0c, 0x0d],
    (initiator) => initiator.command({ itt: 5, write: 512, data: bytes(1024) }),
  ],
  [
    'data with a read',
    [],
    [0x0b, 0x0c, 0x0c],
    (initiator) => initiator.command({ itt: 5, read: 512, data: bytes(512) }),
  ],
  [
    'less unsolicited data than the first burst',
    ['InitialR2T=No', 'FirstBurstLength=1024'],
    [0x0b, 0x0c, 0x0d],
    (initiator) => {
      initiator.command({ itt: 5, write: 4096, final: false });
      initiator.dataOut({ itt: 5, offset: 0, final: true, data: bytes(512) });
    },
  ],
  [
    'unsolicited data out of order',
    ['InitialR2T=No', 'FirstBurstLength=1024'],
    [0x0b, 0x0c, 0x0d],
    (initiator) => {
      initiator.command({ itt: 5, write: 4096, final: false });
      initiator.dataOut({ itt: 5, offset: 512, final: false, data: bytes(256) });
    },
  ],
  [
    'a wrong DataSN',
    ['InitialR2T=No'],
    [0x0b, 0x47, 0x05],
    (initiator) => {
      initiator.command({ itt: 5, write: 512, final: false });
      initiator.dataOut({ itt: 5, dataSN: 3, offset: 0, final: true, data: bytes(512) });
    },
  ],
  [
    'more data than an R2T asked for',
    ['MaxBurstLength=1024'],
    [0x0b, 0x0c, 0x0d],
    (initiator) => {
      initiator.command({ itt: 5, write: 512 });
      const [r2t] = initiator.responses();
      initiator.dataOut({ itt: 5, ttt: r2t!.word(20), offset: 0, final: true, data: bytes(1024) });
    },
  ],
  [
    'less data than an R2T asked for',
    [],
    [0x0b, 0x0c, 0x0d],
    (initiator) => {
      initiator.command({ itt: 5, write: 512 });
      const [r2t] = initiator.responses();
      initiator.dataOut({ itt: 5, ttt: r2t!.word(20), offset: 0, final: true, data: bytes(256) });
    },
  ],
  [
    'a target transfer tag nobody gave out',
    [],
    [0x0b, 0x0c, 0x0d],
    (initiator) => {
      initiator.command({ itt: 5, write: 512 });
      const [r2t] = initiator.responses();
      initiator.dataOut({ itt: 5, ttt: r2t!.word(20) + 1, offset: 0, final: true, data: bytes(512) });
    },
  ],
];

for (const [title, keys, sense, act] of faults) {
  test(`${title} ends the command with ABORTED COMMAND and never reaches the medium`, () => {
    const context = ready({}, keys);
    const received = writing(context, 512);
    act(context.initiator);
    const response = context.initiator.responses().at(-1)!;
    assert.deepEqual([response.opcode, response.itt, response.byte3], [0x21, 5, 2]);
    assert.deepEqual(senseOf(response), sense);
    assert.equal(received.length, 0);
    assert.equal(context.stream.retained, 0);
    context.initiator.command({ itt: 6 });
    assert.equal(context.device.last.tasks.at(-1)!.tag, 6, 'the session goes on');
  });
}

test('Data-Out for a task that has ended is discarded', () => {
  const context = answering(ready({}, ['InitialR2T=No']));
  context.initiator.command({ itt: 5, write: 1024, final: false });
  assert.equal(context.initiator.responses()[0]!.opcode, 0x21);
  context.initiator.dataOut({ itt: 5, offset: 0, final: true, data: bytes(1024) });
  assert.equal(context.initiator.responses().length, 0);
  assert.equal(context.stream.retained, 0);
});

test('an initiator task tag in use is rejected with reason 07h', () => {
  const { initiator, device } = ready();
  initiator.command({ itt: 5 });
  initiator.command({ itt: 5 });
  const [reject] = initiator.responses();
  assert.deepEqual([reject!.opcode, reject!.byte2, reject!.data[19]], [0x3f, 0x07, 5]);
  device.last.finish(device.last.tasks[0]!, Status.GOOD);
});

test('a wrong data digest of Data-Out is rejected and fails the command when its data has ended', () => {
  const context = ready({}, ['DataDigest=CRC32C', 'MaxOutstandingR2T=2', 'MaxBurstLength=512']);
  const received = writing(context, 1024);
  const { initiator } = context;
  initiator.command({ itt: 5, write: 1024 });
  const [first, second] = initiator.responses();
  const bad = rawPdu(
    { word0: 0x05800000, words: { 16: 5, 20: first!.word(20) }, data: bytes(512) },
    initiator.digests,
  );
  bad[60]! ^= 1;
  context.stream.feed(bad);
  assert.deepEqual(
    initiator.responses().map(({ opcode }) => opcode),
    [0x3f],
  );
  initiator.dataOut({ itt: 5, ttt: second!.word(20), offset: 512, final: true, data: bytes(512) });
  const [response] = initiator.responses();
  assert.deepEqual(senseOf(response!), [0x0b, 0x47, 0x05]);
  assert.equal(received.length, 0);
  assert.equal(context.stream.retained, 0);
});
