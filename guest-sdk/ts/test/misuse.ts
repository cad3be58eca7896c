// What the types must refuse: each line below a comment is an error, or `tsc --noEmit` says that it is none.

import { Peer, Request, Response, Route, config, hash, log, shared, type Configure, type SelectPeer } from 'pointsman';
import * as testing from 'pointsman/testing';

declare const request: Request;

// @ts-expect-error: an address is needed
Peer.http();
// @ts-expect-error: a peer is made by http or https
new Peer('127.0.0.1:80');
// @ts-expect-error: no such field
Peer.http('127.0.0.1:80', { timeout: 300 });
// @ts-expect-error: no such field further in
Peer.http('127.0.0.1:80', { timeouts: { connectMS: 300 } });
// @ts-expect-error: a number
Peer.http('127.0.0.1:80', { timeouts: { connectMs: '300' } });
// @ts-expect-error: no such case
Peer.https('127.0.0.1:443', { tls: { verify: 'some' } });
// @ts-expect-error: no such case
Peer.http('127.0.0.1:80', { http: { alpn: 'http/1.1' } });
// @ts-expect-error: no such quirk
Peer.http('127.0.0.1:80', { http: { quirks: ['none'] } });
// @ts-expect-error: count is missing
Peer.http('127.0.0.1:80', { tcpKeepalive: { idleS: 1, intervalS: 1 } });
// @ts-expect-error: two ports
Peer.http('127.0.0.1:80', { bindTo: { portRange: [1] } });
// @ts-expect-error: a peer, no address
Route.to('127.0.0.1:80');
// @ts-expect-error: a text or bytes
Route.to(Peer.http('127.0.0.1:80'), { setHeaders: { 'x-n': 1 } });
// @ts-expect-error: no such field
Route.to(Peer.http('127.0.0.1:80'), { headers: {} });
// @ts-expect-error: a number
new Response('200');
// @ts-expect-error: a request is the host's, or made by the test kit
new Request();
// @ts-expect-error: it is read only
request.path = '/';
// @ts-expect-error: it may be absent
request.header('x-id').length;
// @ts-expect-error: bytes, no text
request.headerValues('x-id')[0]?.trim();
// @ts-expect-error: a number has no default of another type
config.number('/percent', '10');
// @ts-expect-error: unknown until it is checked
config.value('/table').length;
// @ts-expect-error: 64 bits are a BigInt
const count: number = shared.counter('hits');
// @ts-expect-error: so is a hash
hash.of('key') + 1;
// @ts-expect-error: no such option
shared.add('hits', 1, { ttl: 60 });
// @ts-expect-error: no such level
log.write('loud', '');
// @ts-expect-error: nothing can be waited for
const waits: SelectPeer = async () => Peer.http('127.0.0.1:80');
// @ts-expect-error: not an answer
const forgets: SelectPeer = () => undefined;
// @ts-expect-error: a record of the WIT is no answer
const raw: SelectPeer = () => ({ tag: 'connect', val: {} });
// @ts-expect-error: the table's values are unknown until they are checked
const trusts: Configure = (table) => table['sites'].length;
// @ts-expect-error: no such value in the table's shape
const misses: Configure<{ sites: string[] }> = (table) => table.shops.length;
// @ts-expect-error: no such fact
testing.get('/', { ip: '192.0.2.1' });
// @ts-expect-error: the time is a number
testing.clock(1n);
// @ts-expect-error: there are no timers
setTimeout(() => {}, 1);

export { count, forgets, misses, raw, trusts, waits };
