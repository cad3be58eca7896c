import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Peer } from 'pointsman';
import * as testing from 'pointsman/testing';

import { selectPeer } from './router.js';

function percent(percent) {
  testing.config({ stable: '127.0.0.1:9101', canary: '127.0.0.1:9102', percent });
}

function side(options) {
  const route = selectPeer(testing.get('/', options));
  assert.deepEqual(route.peer, Peer.http(route.note === 'canary' ? '127.0.0.1:9102' : '127.0.0.1:9101'));
  return route.note;
}

const withSession = (n) => ({ headers: { cookie: `theme=dark; session=${n}` } });

const VISITORS = Array.from({ length: 2000 }, (_, n) => n);

test('the share is as configured', () => {
  percent(10);
  const canaries = VISITORS.filter((n) => side(withSession(n)) === 'canary').length;
  assert.ok(canaries > 160 && canaries < 240, `${canaries} of 2,000`);
});

test('zero is nobody and a hundred everybody', () => {
  percent(0);
  assert.ok(VISITORS.every((n) => side(withSession(n)) === 'stable'));
  percent(100);
  assert.ok(VISITORS.every((n) => side(withSession(n)) === 'canary'));
});

test('a larger share keeps those who were in', () => {
  percent(10);
  const before = VISITORS.filter((n) => side(withSession(n)) === 'canary');
  percent(20);
  assert.ok(before.every((n) => side(withSession(n)) === 'canary'));
});

test('the header chooses outright', () => {
  percent(0);
  assert.equal(side({ headers: { 'x-canary': 'always' } }), 'canary');
  percent(100);
  assert.equal(side({ headers: { 'x-canary': 'never' } }), 'stable');
});

test('without a cookie the address decides', () => {
  percent(50);
  const sides = new Set(VISITORS.slice(0, 256).map((n) => side({ clientIp: `192.0.2.${n}` })));
  assert.deepEqual([...sides].sort(), ['canary', 'stable']);
});

test('a missing percentage is named', () => {
  testing.config({ stable: '127.0.0.1:9101', canary: '127.0.0.1:9102' });
  assert.throws(() => selectPeer(testing.get('/')), { message: 'config: `/percent` is missing' });
});
