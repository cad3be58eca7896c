import assert from 'node:assert/strict';
import { test } from 'node:test';

import { flatten } from '../build/flatten.mjs';
import { correct } from '../build/quickjs.mjs';

test('a component of another shape is refused', () => {
  const empty = Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0);
  for (const step of [flatten, correct]) {
    assert.throws(() => step(empty), { message: 'this version of componentize-qjs is not known here: use 0.4.5' });
  }
});
