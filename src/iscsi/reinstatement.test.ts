/**
 * Sessions taken over and replaced while the medium is still at work for them (RFC 7143 §6.3.4, §6.3.5): whoever comes
 * next begins only when nothing of the old nexus can touch the medium any more.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Status } from '../ports/scsi-target.ts';
import { bytes, ready, type Ready, tmf, writing } from './testing/ready.ts';
import { RawInitiator, TARGET } from './testing/raw-initiator.ts';

const turn = (): Promise<void> => new Promise((done) => void setImmediate(done));

/** A session whose old nexus does not close before `closed` is called, and a connection that wants to take it over. */
function takingOver(context: Ready): { readonly second: RawInitiator; readonly closed: () => Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  context.device.closing = promise;
  context.initiator.command({ itt: 5 });
  const second = new RawInitiator(context.bench);
  assert.equal(second.login({ tsih: context.initiator.tsih }), undefined);
  return {
    second,
    closed: async () => {
      resolve();
      await turn();
    },
  };
}

test('of two connections that take one session over, the later gets it, when the old nexus has closed', async () => {
  const context = ready();
  const { second, closed } = takingOver(context);
  const third = new RawInitiator(context.bench);
  assert.equal(third.login({ tsih: context.initiator.tsih }), undefined, 'the old nexus is still closing');
  assert.equal(context.device.nexuses.length, 1);
  await closed();
  assert.equal(context.device.nexuses.length, 2, 'one nexus is open');
  assert.equal(second.stream.ended, 'aborted');
  assert.equal(third.responses()[0]!.word(36) >>> 16, 0);
  context.device.onTask = (task, nexus) => nexus.finish(task, Status.GOOD);
  third.command({ itt: 6 });
  assert.equal(third.responses()[0]!.itt, 6);
  assert.equal(context.node.sessions().length, 1);
});

test('a new session replaces one that is being taken over, when the old nexus has closed', async () => {
  const context = ready();
  const { second, closed } = takingOver(context);
  const third = new RawInitiator(context.bench);
  assert.equal(third.login(), undefined, 'the old nexus is still closing');
  assert.equal(context.device.nexuses.length, 1);
  await closed();
  assert.equal(third.responses()[0]!.word(36) >>> 16, 0);
  assert.equal(second.stream.ended, 'aborted');
  assert.deepEqual([context.device.nexuses.length, context.node.sessions().length], [2, 1]);
});

test('a target that is removed while a session is taken over waits for the old nexus', async () => {
  const context = ready();
  const { second, closed } = takingOver(context);
  let removed = false;
  const removal = context.node.removeTarget(TARGET).then(() => (removed = true));
  await turn();
  assert.equal(removed, false);
  await closed();
  await removal;
  assert.equal(second.stream.ended, 'aborted');
  assert.deepEqual([context.device.nexuses.length, context.node.sessions().length], [1, 0]);
});

test('a task management function of a connection that is gone is not answered on the one that took over', async () => {
  const context = ready();
  const { promise, resolve } = Promise.withResolvers<'complete'>();
  context.device.manage = () => promise;
  tmf(context.initiator, 5);
  const again = new RawInitiator(context.bench);
  assert.equal(again.login({ tsih: context.initiator.tsih })!.word(36) >>> 16, 0);
  resolve('complete');
  await turn();
  assert.deepEqual(again.responses(), []);
});

test('a connection that takes over brings its own parameters, and the session keeps those of the session', () => {
  const keys = ['InitialR2T=No', 'MaxBurstLength=8192', 'MaxRecvDataSegmentLength=1024'];
  const context = ready({}, keys);
  const again = new RawInitiator(context.bench);
  again.login({ tsih: context.initiator.tsih, keys: ['MaxRecvDataSegmentLength=512'] });
  const received = writing(context, 1024);
  again.command({ itt: 5, write: 1024, final: false });
  again.dataOut({ itt: 5, offset: 0, final: true, data: bytes(1024) });
  assert.equal(again.responses()[0]!.byte3, 0);
  assert.deepEqual(received, [bytes(1024)]);
  context.device.onTask = (task, nexus) => nexus.finish(task, Status.GOOD, bytes(9216));
  again.command({ itt: 6, read: 9216 });
  const dataIn = again.responses();
  assert.deepEqual(
    dataIn.flatMap(({ flags }, index) => ((flags & 0x80) === 0 ? [] : [index])),
    [15, 17],
    'segments of 512 bytes in bursts of 8192',
  );
});
