import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { clock, log, random, shared, upstreams } from 'pointsman';
import * as testing from 'pointsman/testing';

beforeEach(testing.reset);

const LARGEST = 2n ** 63n - 1n;

test('a counter counts within its TTL', () => {
  testing.clock(1_000);
  assert.equal(shared.add('hits', 1, { ttlMs: 1_000 }), 1n);
  testing.clock(1_999);
  assert.equal(shared.add('hits', 1n, { ttlMs: 1_000 }), 2n);
  testing.clock(2_000);
  assert.equal(shared.counter('hits'), undefined);
  assert.equal(shared.add('hits', -5), -5n);
});

test('a value is kept until it is replaced or removed', () => {
  assert.equal(shared.get('colour'), undefined);
  shared.set('colour', 'green');
  assert.equal(shared.compareAndSet('colour', 'blue', 'red'), false);
  assert.equal(shared.compareAndSet('colour', undefined, 'red'), false);
  assert.equal(shared.compareAndSet('colour', 'green', 'red'), true);
  assert.equal(shared.getText('colour'), 'red');
  shared.delete('colour');
  assert.equal(shared.compareAndSet('colour', undefined, Uint8Array.of(1)), true);
  assert.deepEqual(shared.get('colour'), Uint8Array.of(1));
});

test('errors of the store have a code', () => {
  shared.set('colour', 'green');
  shared.add('hits', LARGEST);
  assert.throws(() => shared.add('colour', 1), { name: 'SharedError', code: 'other-kind', message: 'shared: other-kind' });
  assert.throws(() => shared.set('hits', ''), { code: 'other-kind' });
  assert.throws(() => shared.add('hits', 1), { code: 'overflow' });
  assert.throws(() => shared.add('é'.repeat(129), 1), { code: 'too-long' });
  assert.throws(() => shared.set('large', 'x'.repeat(16_385)), { code: 'too-long' });
  assert.equal(shared.counter('hits'), LARGEST);
});

test('an amount is a whole number of 64 bits', () => {
  assert.throws(() => shared.add('hits', 1.5), { message: 'amount is 1.5, not a signed 64-bit number' });
  assert.throws(() => shared.add('hits', LARGEST + 1n), { message: `amount is ${LARGEST + 1n}, not a signed 64-bit number` });
  assert.throws(() => shared.add('hits', 1, { ttl: 1 }), { message: 'options has no field `ttl`' });
  assert.throws(() => shared.add('hits', 1, { ttlMs: -1 }), { message: /^options\.ttlMs is -1/ });
});

test('random numbers are within their range', () => {
  const most = 2n ** 64n - 1n;
  testing.random([0n, most, most / 2n, 7n]);
  assert.deepEqual([random.below(10), random.below(10), random.below(10), random.below(0)], [0, 9, 4, 0]);
  testing.random([7n]);
  assert.equal(random.bits(), 7n);
});

test('two picked items differ', () => {
  const [most, items] = [2n ** 64n - 1n, ['a', 'b', 'c']];
  for (const first of [0n, 1n, 2n]) {
    for (const second of [0n, 1n]) {
      testing.random([most / 3n * first + 1000n, most / 2n * second + 1000n]);
      const [one, other] = random.pickTwo(items);
      assert.notEqual(one, other);
    }
  }
  assert.equal(random.pickTwo(['a']), undefined);
  assert.equal(random.pick([]), undefined);
});

test('upstreams are as set by a test', () => {
  testing.upstream('192.0.2.1:80', { inFlight: 2, latencyUs: 1500 });
  testing.group('backends', ['192.0.2.2:80', { address: '192.0.2.3:80', health: 'unhealthy' }]);
  assert.deepEqual(upstreams.get('192.0.2.1:80'), {
    address: '192.0.2.1:80', health: 'unknown', inFlight: 2, latencyUs: 1500, failures: 0,
  });
  assert.deepEqual(upstreams.group('backends').map(({ health }) => health), ['unknown', 'unhealthy']);
  assert.throws(() => upstreams.group('none'), { message: 'there is no group `none`; the operator defines it' });
});

test('each line is recorded once, with its level', () => {
  log.info('cart');
  log.warn(new Error('gone'));
  assert.deepEqual(testing.logLines(), [['info', 'cart'], ['warn', 'Error: gone']]);
  assert.deepEqual(testing.logLines(), []);
  assert.throws(() => log.write('loud', ''), { message: 'log: `loud` is none of trace, debug, info, warn, error' });
});

test('the time is as set by a test', () => {
  assert.equal(new Date(clock.nowMs()).toISOString(), '2026-01-01T00:00:00.000Z');
  testing.clock(5);
  assert.equal(clock.nowMs(), 5);
});
