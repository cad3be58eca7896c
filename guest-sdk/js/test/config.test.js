import assert from 'node:assert/strict';
import { test } from 'node:test';

import { config } from 'pointsman';
import * as testing from 'pointsman/testing';

test('values are found by their pointer', () => {
  testing.config({ name: 'shop', on: true, ports: [80, 81], upstreams: ['a:1', 'b:2'], share: 2.5, 'a/b': { '~': 1 } });
  assert.equal(config.text('/name'), 'shop');
  assert.deepEqual(config.texts('/upstreams'), ['a:1', 'b:2']);
  assert.equal(config.number('/ports/1'), 81);
  assert.equal(config.number('/share'), 2.5);
  assert.equal(config.flag('/on'), true);
  assert.equal(config.get('/ports'), '[80,81]');
  assert.equal(config.get('/a~1b/~0'), '1');
  assert.equal(config.value('').share, 2.5);
  for (const pointer of ['/ports/01', '/ports/-', '/ports/length', 'name', '/name/0', '/toString']) {
    assert.equal(config.get(pointer), undefined, pointer);
  }
});

test('the default replaces an absent value', () => {
  testing.config({});
  assert.equal(config.json(), '{}');
  assert.equal(config.text('/name', 'shop'), 'shop');
  assert.deepEqual(config.texts('/names', []), []);
  assert.equal(config.number('/percent', 10), 10);
  assert.equal(config.flag('/on'), false);
});

test('a missing value is named', () => {
  testing.config({});
  assert.throws(() => config.text('/name'), { message: 'config: `/name` is missing' });
  assert.throws(() => config.texts('/names'), { message: 'config: `/names` is missing' });
  assert.throws(() => config.number('/port'), { message: 'config: `/port` is missing' });
});

test('a value of the wrong type is an error even if another is given', () => {
  testing.config({ text: '80', number: 80.5, list: ['a', 1], nothing: null });
  assert.throws(() => config.text('/number', ''), { message: 'config: `/number` is `80.5`, not a text' });
  assert.throws(() => config.texts('/text'), { message: 'config: `/text` is `"80"`, not a list' });
  assert.throws(() => config.texts('/list'), { message: 'config: `/list/1` is `1`, not a text' });
  assert.throws(() => config.number('/text', 1), { message: 'config: `/text` is `"80"`, not a number' });
  assert.throws(() => config.flag('/text'), { message: 'config: `/text` is `"80"`, not true or false' });
  assert.throws(() => config.text('/nothing', ''), { message: 'config: `/nothing` is `null`, not a text' });
});
