import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as testing from 'pointsman/testing';

test('the host is the authority without its port', () => {
  const hosts = {
    'http://shop.example/': 'shop.example',
    'http://Shop.Example:8080/': 'shop.example',
    'http://203.0.113.7:80/': '203.0.113.7',
    'http://[2001:db8::1]/': '[2001:db8::1]',
    'http://[2001:db8::1]:8080/': '[2001:db8::1]',
    '/': '',
  };
  for (const [url, host] of Object.entries(hosts)) assert.equal(testing.get(url).host, host, url);
});

test('segments are decoded after they are split', () => {
  const paths = {
    '/': [],
    '/cart//items/': ['cart', 'items'],
    '/a%2Fb/caf%C3%A9': ['a/b', 'café'],
    '/%FF/%2/100%': ['\ufffd', '%2', '100%'],
    '/../%2e%2e/a+b': ['..', '..', 'a+b'],
  };
  for (const [path, segments] of Object.entries(paths)) assert.deepEqual(testing.get(path).pathSegments, segments, path);
});

test('query parameters are decoded and keep their order', () => {
  const param = (url, name) => testing.get(url).queryParam(name);
  assert.equal(param('/', 'a'), undefined);
  assert.equal(param('/?', 'a'), undefined);
  assert.equal(param('/?a', 'a'), '');
  assert.equal(param('/?a=1&&b=2&a=3', 'a'), '1');
  assert.equal(param('/?na%6De=caf%C3%A9+noir%2B', 'name'), 'café noir+');
  assert.equal(param('/?a=b=c?d', 'a'), 'b=c?d');
  assert.deepEqual(testing.get('/?b=1&a=2&b=3').queryParams, [['b', '1'], ['a', '2'], ['b', '3']]);
});

test('headers come as text and as bytes', () => {
  const headers = [['X-Shop', 'north'], ['x-id', Uint8Array.of(0xff)], ['x-shop', 'south'], ['x-empty', '']];
  const request = testing.get('/', { headers });
  assert.equal(request.header('X-SHOP'), 'north');
  assert.equal(request.header('x-id'), '\ufffd');
  assert.equal(request.header('x-empty'), '');
  assert.deepEqual(request.headerBytes('x-id'), Uint8Array.of(0xff));
  assert.equal(request.headerValues('x-shop').length, 2);
  assert.equal(request.header('x-none'), undefined);
  assert.deepEqual(request.headers.map(([name]) => name), ['x-shop', 'x-shop', 'x-id', 'x-empty']);
});

test('cookies of all headers are read', () => {
  const request = testing.get('/', { headers: [['Cookie', 'a=1;b = 2; c=x=y; flag'], ['cookie', 'd=4; a=5']] });
  assert.deepEqual(request.cookies, [['a', '1'], ['b', '2'], ['c', 'x=y'], ['d', '4'], ['a', '5']]);
  assert.equal(request.cookie('a'), '1');
  assert.equal(request.cookie('flag'), undefined);
});

test('a minimal request has these facts', () => {
  const request = testing.request('POST', 'http://shop.example?x');
  const { method, scheme, authority, path, query, clientIp, listener, tls, attempts } = request;
  assert.deepEqual({ method, scheme, authority, path, query, clientIp, listener, tls, attempts }, {
    method: 'POST', scheme: 'http', authority: 'shop.example', path: '/', query: 'x',
    clientIp: '192.0.2.1', listener: 'test', tls: undefined, attempts: [],
  });
});

test('https has TLS and a server name', () => {
  assert.equal(testing.get('https://shop.example:8443/').tls.sni, 'shop.example');
});

test('attempts are numbered', () => {
  const attempts = [testing.refused('127.0.0.1:9101'), testing.status('127.0.0.1:9102', 503)];
  const request = testing.get('/', { attempts });
  assert.deepEqual(request.attempts.map(({ number, failure, status }) => [number, failure, status]), [
    [1, 'refused', undefined], [2, 'status', 503],
  ]);
});

test('a mistake in a test is reported', () => {
  assert.throws(() => testing.get('/', { header: {} }), { message: 'testing: a request has no `header`' });
});
