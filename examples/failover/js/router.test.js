import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Peer, Response, Route } from 'pointsman';
import * as testing from 'pointsman/testing';

import { selectPeer } from './router.js';

testing.config({ upstreams: ['127.0.0.1:9101', '127.0.0.1:9102'] });

const decide = (...attempts) => selectPeer(testing.get('/', { attempts }));
const to = (upstream) => Route.to(Peer.http(upstream, { timeouts: { connectMs: 500 } }), { onStatus: [502, 503] });

test('the first upstream is preferred', () => {
  assert.deepEqual(decide(), to('127.0.0.1:9101'));
});

test('the second follows when the first fails', () => {
  testing.logLines();
  assert.deepEqual(decide(testing.refused('127.0.0.1:9101')), to('127.0.0.1:9102'));
  assert.deepEqual(testing.logLines(), [['warn', '127.0.0.1:9101 failed: refused']]);
});

test('when all have failed the module answers', () => {
  const answer = decide(testing.timedOut('127.0.0.1:9101'), testing.status('127.0.0.1:9102', 503));
  assert.ok(answer instanceof Response);
  assert.equal(answer.status, 503);
  assert.deepEqual(answer.headers, [['retry-after', '30'], ['content-type', 'text/plain; charset=utf-8']]);
});
