// Every part of the SDK, as its types have it. `tsc --noEmit` is the test.

import {
  Peer, Response, Route, clock, config, hash, log, pass, random, shared, upstreams,
  type Answer, type Attempt, type ClientTls, type Configure, type PeerOptions, type Request, type SelectPeer,
} from 'pointsman';
import * as testing from 'pointsman/testing';

const everything: PeerOptions = {
  tls: {
    sni: 'shop.example', verify: 'chain-only', alternativeCn: 'old.example', ca: 'internal', clientCert: 'proxy',
    curves: 'X25519', secondKeyShare: true,
  },
  connectProxy: { address: '192.0.2.1:3128', headers: [['proxy-authorization', new Uint8Array([1])]] },
  bindTo: { address: '127.0.0.1', portRange: [40_000, 40_100], fallback: true },
  timeouts: { connectMs: 1, totalConnectMs: 2, readMs: 3, writeMs: 4, idleMs: 5 },
  tcpKeepalive: { idleS: 1, intervalS: 2, count: 3 },
  http: {
    alpn: 'h2h1', maxH2Streams: 1, h2PingIntervalMs: 2, h2StreamWindow: 3, h2ConnectionWindow: 4, upgrade: 'deny',
    quirks: ['keep-hop-by-hop'],
  },
  socket: { dscp: 46, tcpRecvBuf: 4096, tcpFastOpen: true },
  isolation: 'batch',
};

let sites = new Map<string, Peer>();

export const configure: Configure = (table) => {
  sites = new Map(Object.entries(table).map(([host, address]) => [host, Peer.http(String(address))]));
};

interface Table {
  sites: Record<string, string>;
  percent?: number;
}

export const configureTable: Configure<Table> = ({ sites, percent = 10 }) => {
  for (const [host, address] of Object.entries(sites)) log.info(`${host}: ${address.trim()}, ${percent.toFixed()}`);
};

export const selectPeer: SelectPeer = (request) => {
  const known = sites.get(request.host);
  if (known) return known;
  if (request.attempts.some(({ failure, status }) => failure === 'status' && status === 503)) return sorry();
  return request.path === '/' ? pass : route(request);
};

function route(request: Request): Route {
  const peer = Peer.https(config.text('/address', '203.0.113.7:443'), everything);
  peer.timeouts.readMs = config.number('/read_ms');
  const route = Route.to(peer, {
    authority: 'shop.internal', removeHeaders: ['x-debug'], setHeaders: { 'x-shop': 'north' }, attempts: 2,
    onStatus: [502],
  });
  for (const [name, value] of request.headers) route.addHeaders.push([`x-was-${name}`, value]);
  const visitor: string = request.cookie('session') ?? request.queryParam('v') ?? request.clientIp;
  route.note = hash.percent(visitor) < 10 ? hash.pick(visitor, ['a', 'b']) : hash.of(visitor).toString(16);
  return route;
}

function sorry(): Answer {
  const hits: bigint = shared.add('hits', 1, { ttlMs: 60_000 });
  if (shared.compareAndSet('colour', undefined, 'green')) shared.delete('colour');
  try {
    shared.set('at', String(clock.nowMs()));
  } catch (error) {
    if (error instanceof shared.SharedError && error.code === 'full') log.warn(error);
  }
  const two = random.pickTwo(upstreams.group('backends'));
  const quicker = two?.reduce((a, b) => ((a.latencyUs ?? 0) < (b.latencyUs ?? 0) ? a : b));
  return quicker ? Peer.http(quicker.address) : Response.json(503, { hits: Number(hits) }, { 'retry-after': '30' });
}

export function facts(request: Request): [ClientTls | undefined, Attempt | undefined, Uint8Array | undefined, unknown] {
  console.log(new TextDecoder().decode(request.headerValues('x-id')[0]));
  return [request.tls, request.attempts.at(-1), request.headerBytes('x-id'), config.value('/table')];
}

export function native(): testing.Decision {
  testing.config({ a: 1 });
  testing.random([1n]);
  testing.upstream('192.0.2.1:80', { inFlight: 2 });
  testing.group('backends', ['192.0.2.1:80', { address: '192.0.2.2:80', health: 'healthy' }]);
  return testing.decide(selectPeer, testing.get('/', { attempts: [testing.status('192.0.2.1:80', 503)] }));
}
