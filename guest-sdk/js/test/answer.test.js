import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Peer, Response, Route, pass } from 'pointsman';
import * as testing from 'pointsman/testing';

import { reason } from '../src/answer.js';
import { configure, selectPeer } from '../src/exported.js';

const decide = (answer) => testing.decide(() => answer, testing.get('/'));
const fails = (answer, message) => assert.throws(() => decide(answer), { message });

const PLAIN = {
  address: '127.0.0.1:9101',
  tls: undefined,
  connectProxy: undefined,
  bindTo: undefined,
  timeouts: { connectMs: undefined, totalConnectMs: undefined, readMs: undefined, writeMs: undefined, idleMs: undefined },
  tcpKeepalive: undefined,
  http: {
    alpn: 'h1', maxH2Streams: undefined, h2PingIntervalMs: undefined, h2StreamWindow: undefined,
    h2ConnectionWindow: undefined, upgrade: 'websocket', quirks: {},
  },
  socket: { dscp: undefined, tcpRecvBuf: undefined, tcpFastOpen: false },
  isolation: undefined,
};

test('a plain peer leaves everything open', () => {
  assert.deepEqual(decide(Peer.http('127.0.0.1:9101')), {
    tag: 'connect',
    val: {
      peer: PLAIN,
      rewrite: { authority: undefined, pathAndQuery: undefined, removeHeaders: [], setHeaders: [], addHeaders: [] },
      retry: { attempts: undefined, onStatus: [] },
      note: undefined,
    },
  });
});

test('https checks the certificate in full', () => {
  assert.deepEqual(decide(Peer.https('shop.example:443')).val.peer.tls, {
    sni: undefined, verify: 'full', alternativeCn: undefined, ca: undefined, clientCert: undefined, curves: undefined,
    secondKeyShare: undefined,
  });
});

test('every field of a peer is set', () => {
  const options = {
    tls: {
      sni: 'shop.example', verify: 'chain-only', alternativeCn: 'old.example', ca: 'internal', clientCert: 'proxy',
      curves: 'X25519', secondKeyShare: true,
    },
    connectProxy: { address: '192.0.2.1:3128', headers: { 'proxy-authorization': 'Basic eDp5' } },
    bindTo: { address: '127.0.0.1', portRange: [40_000, 40_100], fallback: true },
    timeouts: { connectMs: 1, totalConnectMs: 2, readMs: 3, writeMs: 4, idleMs: 0 },
    tcpKeepalive: { idleS: 1, intervalS: 2, count: 3, userTimeoutMs: 4 },
    http: {
      alpn: 'h2', maxH2Streams: 1, h2PingIntervalMs: 2000, h2StreamWindow: 65_535, h2ConnectionWindow: 4_294_967_295,
      upgrade: 'deny', quirks: ['keep-hop-by-hop', 'accept-invalid-content-length'],
    },
    socket: { dscp: 46, tcpRecvBuf: 4096, tcpFastOpen: true },
    isolation: 'batch',
  };
  assert.deepEqual(decide(Peer.http('203.0.113.7:443', options)).val.peer, {
    ...options,
    address: '203.0.113.7:443',
    connectProxy: {
      address: '192.0.2.1:3128',
      headers: [{ name: 'proxy-authorization', value: new TextEncoder().encode('Basic eDp5') }],
    },
    http: { ...options.http, quirks: { keepHopByHop: true, acceptInvalidContentLength: true } },
  });
});

test('an address alone is a valid proxy and local end', () => {
  const { val: { peer } } = decide(Peer.http('a:1', { connectProxy: '192.0.2.1:3128', bindTo: '127.0.0.1' }));
  assert.deepEqual(peer.connectProxy, { address: '192.0.2.1:3128', headers: [] });
  assert.deepEqual(peer.bindTo, { address: '127.0.0.1', portRange: undefined, fallback: false });
});

test('every change to the request sets its field', () => {
  const { val } = decide(Route.to(Peer.http('a:1'), {
    authority: 'shop.internal:8080',
    pathAndQuery: '/v2?x=1',
    removeHeaders: ['x-debug'],
    setHeaders: { 'x-shop': 'north' },
    addHeaders: [['via', Uint8Array.of(0xff)], ['via', 'é']],
    attempts: 2,
    onStatus: [502, 503],
    note: 'v2',
  }));
  assert.deepEqual(val.rewrite, {
    authority: 'shop.internal:8080',
    pathAndQuery: '/v2?x=1',
    removeHeaders: ['x-debug'],
    setHeaders: [{ name: 'x-shop', value: new TextEncoder().encode('north') }],
    addHeaders: [{ name: 'via', value: Uint8Array.of(0xff) }, { name: 'via', value: Uint8Array.of(0xc3, 0xa9) }],
  });
  assert.deepEqual(val.retry, { attempts: 2, onStatus: [502, 503] });
  assert.equal(val.note, 'v2');
});

test('text and JSON set their type after the other headers', () => {
  const { val } = decide(Response.text(503, 'later', { 'retry-after': '30' }));
  assert.deepEqual(val.headers.map(({ name }) => name), ['retry-after', 'content-type']);
  assert.deepEqual(val.body, new TextEncoder().encode('later'));
  assert.equal(Response.json(200, { a: [1] }).body, '{"a":[1]}');
  assert.deepEqual(decide(new Response(204)).val, { status: 204, headers: [], body: new Uint8Array() });
});

test('passing is an answer, and an invalid answer is reported', () => {
  assert.deepEqual(decide(pass), { tag: 'pass' });
  fails(undefined, '`selectPeer` returned undefined: return a Peer, a Route, a Response or pass');
  fails({ tag: 'pass' }, '`selectPeer` returned [object Object]: return a Peer, a Route, a Response or pass');
  fails(Promise.resolve(pass), '`selectPeer` returned a Promise, and nothing can be waited for: return a Peer, a Route, a Response or pass');
});

test('a wrong value is named', () => {
  const peer = (options) => Peer.http('a:1', options);
  fails(Peer.http(), 'route.peer.address is undefined, not a text');
  fails(peer({ timeouts: { connectMs: 1.5 } }), 'route.peer.timeouts.connectMs is 1.5, not a whole number up to 4294967295');
  fails(peer({ timeouts: { connectMS: 1 } }), 'route.peer.timeouts has no field `connectMS`');
  fails(peer({ timeout: 1 }), 'route.peer has no field `timeout`');
  fails(peer({ tls: { verify: 'no' } }), 'route.peer.tls.verify is `no`, not one of full, chain-only, none');
  fails(peer({ tls: true }), 'route.peer.tls is true, not an object');
  fails(peer({ http: { quirks: ['none'] } }), 'route.peer.http.quirks[0] is `none`, not one of keep-hop-by-hop, keep-connection-nominated, accept-malformed-connection, accept-invalid-content-length');
  fails(peer({ bindTo: { portRange: [1, 65_536] } }), 'route.peer.bindTo.portRange[1] is 65536, not a whole number up to 65535');
  fails(peer({ socket: { dscp: -1 } }), 'route.peer.socket.dscp is -1, not a whole number up to 255');
  fails(Route.to('a:1'), 'route.peer is `a:1`, not an object');
  fails(Route.to(peer(), { setHeaders: { 'x-n': 1 } }), 'route.setHeaders[0][1] is 1, not a text or a Uint8Array');
  fails(Route.to(peer(), { headers: {} }), 'route has no field `headers`');
  fails(new Response('200'), 'response.status is `200`, not a whole number up to 65535');
  fails(new Response(200, { header: {} }), 'response has no field `header`');
});

test('half a character becomes U+FFFD', () => {
  assert.equal(decide(Route.to(Peer.http('a:1'), { note: '\ud83d!' })).val.note, '\ufffd!');
});

test('an exception reaches the host as text', () => {
  assert.equal(reason(new Error('no such shop')), 'no such shop');
  assert.equal(reason(new Error('no shop', { cause: new Error('no street') })), 'no shop: no street');
  assert.equal(reason(new RangeError('out of it')), 'RangeError: out of it');
  assert.equal(reason('a text'), 'a text');
  const refusing = selectPeer(() => { throw new Error('no such shop'); });
  assert.throws(() => refusing({}), (thrown) => thrown === 'no such shop');
});

test('configure is given the table as an object', () => {
  let given;
  configure((config) => { given = config; })('{"a":[1]}');
  assert.deepEqual(given, { a: [1] });
  assert.throws(() => configure(async () => {})('{}'), (thrown) => thrown.includes('`configure` returned a Promise'));
});
