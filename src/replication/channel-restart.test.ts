/**
 * Goal: what was meant for a process that is no more is not told to the next one, and nothing that is meant for the next
 * one is lost, however late it says hello. Method: two channels, joined by hand.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Channel, type Frame } from './channel.ts';

const clock = { now: () => 0, after: () => ({ cancel: () => undefined }) };

function channelOf(incarnation: number) {
  const heard: string[] = [];
  const channel = new Channel<string>({
    incarnation,
    clock,
    bytesOf: (message) => message.length,
    onMessage: (message) => heard.push(message),
    onRestarted: () => undefined,
  });
  return { channel, heard };
}

type Side = ReturnType<typeof channelOf>['channel'];

/** Answers with what carries over what has been sent since. */
function join(a: Side, b: Side): () => void {
  const [toA, toB]: Frame<string>[][] = [[], []];
  const wire = (to: Frame<string>[]) => ({
    send: (frame: Frame<string>) => to.push(frame) > 0,
    close: () => undefined,
  });
  const [eventsA, eventsB] = [a.attach(wire(toB!)), b.attach(wire(toA!))];
  const carry = (): void => {
    while (toA!.length + toB!.length > 0) {
      for (const frame of toA!.splice(0)) eventsA.onFrame(frame);
      for (const frame of toB!.splice(0)) eventsB.onFrame(frame);
    }
  };
  carry();
  return carry;
}

test('a new process that was heard of hears what was sent before its hello, and nothing of what was before it', () => {
  const here = channelOf(1);
  const old = channelOf(5);
  join(here.channel, old.channel);
  here.channel.send('to the old one');
  here.channel.heardOf(7);
  here.channel.send('to the new one');
  const next = channelOf(7);
  join(here.channel, next.channel);
  assert.deepEqual(next.heard, ['to the new one']);
});

test('a late hello of the old process changes nothing', () => {
  const here = channelOf(1);
  const next = channelOf(7);
  const carry = join(here.channel, next.channel);
  here.channel.send('one');
  carry();
  join(here.channel, channelOf(5).channel);
  here.channel.send('two');
  carry();
  assert.deepEqual(next.heard, ['one', 'two']);
});
