import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { positions } from '../build/positions.mjs';
import { reason } from '../src/answer.js';
import { places, setPositions } from '../src/positions.js';

/** Lines 2 and 3 are router.js:5 and :6; 4 is table.ts:2, and from column 10 on table.ts:3. The rest is the SDK's. */
const TABLE = { files: ['router.js', 'lib/table.ts'], entries: [2, 0, 0, 5, 4, 0, 1, 2, 4, 10, 1, 3, 5, 0, -1, 0] };

afterEach(() => setPositions(JSON.stringify({ files: [], entries: [] })));

test('a source map becomes a table of the author\'s lines', () => {
  // One generated line for each `;`: the SDK's, router.js:5, router.js:6, table.ts:2 and :3, a package's.
  const mappings = 'AAAA;ACIA;EACA;ACJA,UACA;ACFA';
  const sources = ['pointsman/src/hash.js', 'router.js', 'lib/table.ts', 'node_modules/semver/index.js'];
  const { files, entries } = positions({ sources, mappings }, '/shop', '/shop/pointsman');
  assert.deepEqual(files, TABLE.files);
  assert.deepEqual(entries, TABLE.entries);
});

test('the places of a stack are the author\'s, in each engine\'s form', () => {
  setPositions(JSON.stringify(TABLE));
  const stack = ['of (b.js:1:7)', 'find (b.js:4:11)', 'selectPeer2 (b.js:3:3)', 'telling (b.js:9:3)'];
  const quickJs = stack.map((line) => `    at ${line}\n`).join('');
  assert.deepEqual(places({ stack: quickJs }), ['lib/table.ts:3', 'router.js:6']);
  assert.deepEqual(places({ stack: 'find@b.js:4:10\nselectPeer2@b.js:2:3\n' }), ['lib/table.ts:2', 'router.js:5']);
  assert.deepEqual(places({ stack: '    at call (native)\n    at <anonymous> (b.js)' }), []);
  assert.deepEqual(places({}), []);
});

test('a recursion is named once, and a long stack is cut', () => {
  setPositions(JSON.stringify({ files: ['router.js'], entries: [1, 0, 0, 1] }));
  assert.deepEqual(places({ stack: '    at f (b:3:1)\n'.repeat(5) }), ['router.js:3']);
  const lines = Array.from({ length: 20 }, (_, index) => `f@b:${index + 1}:1`);
  assert.deepEqual(places({ stack: lines.join('\n') }).slice(8), ['router.js:9', 'router.js:10', '...']);
});

test('the log shows an exception with its places, and so its cause', () => {
  setPositions(JSON.stringify(TABLE));
  const thrown = (error, stack) => Object.assign(error, { stack });
  const cause = thrown(new TypeError('no table'), 'find@b:4:1');
  assert.equal(
    reason(thrown(new Error('no shop', { cause }), 'selectPeer@b:2:1')),
    'no shop (router.js:5): TypeError: no table (lib/table.ts:2)',
  );
});

test('the constructor of a class of errors is no place', () => {
  setPositions(JSON.stringify(TABLE));
  class NotFound extends Error {}
  class NoShop extends NotFound {}
  const error = new NoShop('no shop');
  error.stack = '    at NotFound (b:2:1)\n    at NoShop (b:3:1)\n    at find (b:4:1)\n    at NoShop (b:2:1)\n';
  assert.equal(reason(error), 'NoShop: no shop (lib/table.ts:2, router.js:5)');
});
