import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decode, encode, percentDecode } from '../src/utf8.js';

/** Numbers that are the same in each run. */
function* dice(seed) {
  for (let state = seed; ;) {
    state = Math.imul(state, 1664525) + 1013904223 | 0;
    yield state >>> 8;
  }
}

test('any bytes are decoded as a TextDecoder does', () => {
  const numbers = dice(1);
  const next = (end) => numbers.next().value % end;
  const reference = new TextDecoder('utf-8', { ignoreBOM: true });
  const telling = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff];
  for (let round = 0; round < 50_000; round += 1) {
    const bytes = Uint8Array.from({ length: next(8) }, () => (next(4) === 0 ? next(256) : telling[next(telling.length)]));
    assert.equal(decode(bytes), reference.decode(bytes), `bytes ${bytes}`);
  }
});

test('any text is encoded as a TextEncoder does', () => {
  const numbers = dice(2);
  const units = [0x41, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xfeff, 0xffff];
  for (let round = 0; round < 20_000; round += 1) {
    const text = String.fromCharCode(...Array.from({ length: round % 7 }, () => units[numbers.next().value % units.length]));
    assert.deepEqual(encode(text), new TextEncoder().encode(text), escape(text));
  }
});

test('a percent sign without two digits is kept', () => {
  assert.equal(percentDecode('caf%C3%a9'), 'café');
  assert.equal(percentDecode('%2/100%/%zz/%%41'), '%2/100%/%zz/%A');
  assert.equal(percentDecode('%FF'), '\ufffd');
});
