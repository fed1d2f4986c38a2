/** Goal: a forecast that people can rely on. Method: resyncs of known speed, looked at now and then. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ResyncForecast } from './resync-forecast.ts';

test('at an even speed the forecast is right from the first second on', () => {
  const forecast = new ResyncForecast(10_000, 5000);
  forecast.look(9998, 5200);
  assert.equal(forecast.secondsLeft, undefined, 'too early to tell');
  for (let at = 400; at <= 20_000; at += 200) {
    forecast.look(10_000 - at / 100, 5000 + at);
    if (at < 1000) continue;
    assert.ok(Math.abs(forecast.chunksPerSecond - 10) < 1e-6);
    assert.ok(Math.abs(forecast.secondsLeft! - (10_000 - at / 100) / 10) < 1e-3);
  }
  assert.equal(forecast.percent, 2);
});

test('when it gets slower the forecast follows within a few minutes', () => {
  const forecast = new ResyncForecast(100_000, 0);
  let left = 100_000;
  for (let at = 1; at <= 120; at++) forecast.look((left -= 100), at * 1000);
  assert.ok(Math.abs(forecast.chunksPerSecond - 100) < 1);
  for (let at = 121; at <= 420; at++) forecast.look((left -= 10), at * 1000);
  assert.ok(Math.abs(forecast.chunksPerSecond - 10) < 1);
});

test('what does not come nearer has no forecast, and what is done has none but zero', () => {
  const still = new ResyncForecast(100, 0);
  for (let at = 1; at <= 10; at++) still.look(100, at * 1000);
  assert.deepEqual([still.secondsLeft, still.percent, still.chunksPerSecond], [undefined, 0, 0]);
  const worse = new ResyncForecast(100, 0);
  worse.look(150, 2000);
  assert.deepEqual([worse.secondsLeft, worse.chunksPerSecond], [undefined, 0]);
  const done = new ResyncForecast(3, 0);
  done.look(1, 500);
  assert.equal(done.percent, 66);
  done.look(0, 900);
  assert.deepEqual([done.secondsLeft, done.percent], [0, 100]);
  assert.equal(new ResyncForecast(0, 0).percent, 100);
});
