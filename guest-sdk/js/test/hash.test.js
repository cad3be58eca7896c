import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as hash from '../src/hash.js';

const NODES = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80', '10.0.0.4:80'];
const KEYS = Array.from({ length: 10_000 }, (_, n) => `visitor-${n}`);

// The vectors of the Rust SDK. They may never change: users' canaries and sessions hang on them.
test('results are those of every other SDK', () => {
  assert.equal(hash.of(''), 0xef46db3751d8e999n);
  assert.equal(hash.of('a'), 0xd24ec4f1a98c6e5bn);
  assert.equal(hash.of('visitor-1'), 0xb7db4eb3b829e88dn);
  assert.equal(hash.percent('visitor-1'), 71.81901158111611);
  assert.deepEqual(hash.rank('visitor-1', NODES), [NODES[0], NODES[3], NODES[1], NODES[2]]);
});

test('text is hashed as UTF-8, bytes unchanged, wherever they are', () => {
  const bytes = new TextEncoder().encode('x'.repeat(40) + 'é');
  const within = new Uint8Array([1, ...bytes, 2]).subarray(1, 1 + bytes.length);
  assert.equal(hash.of(within), hash.of('x'.repeat(40) + 'é'));
});

test('a tenth of the keys is below ten percent', () => {
  const positions = KEYS.map(hash.percent);
  const below = positions.filter((percent) => percent < 10).length;
  assert.ok(below > 900 && below < 1100, `${below} of 10,000`);
  assert.ok(positions.every((percent) => percent >= 0 && percent < 100));
});

test('nodes get equal shares, and only the keys of a lost node move', () => {
  const shares = new Map(NODES.map((node) => [node, 0]));
  for (const key of KEYS.slice(0, 4000)) {
    const before = hash.pick(key, NODES);
    const after = hash.pick(key, NODES.slice(0, 3));
    shares.set(before, shares.get(before) + 1);
    assert.ok(after === before || before === NODES[3], `${key} moved from ${before} to ${after}`);
  }
  for (const [node, keys] of shares) assert.ok(keys > 850 && keys < 1150, `${node}: ${keys} of 4,000`);
});

test('the order of the nodes does not matter', () => {
  for (const key of KEYS.slice(0, 500)) assert.deepEqual(hash.rank(key, NODES), hash.rank(key, NODES.toReversed()));
});

test('no node is picked without nodes', () => {
  assert.equal(hash.pick('visitor-1', []), undefined);
});
