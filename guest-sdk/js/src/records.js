// The WIT's records: every field is there, and of its type. What a value means, and which are refused, the host says.

import { bytes, flag, listOf, named, oneOf, optional, pairOf, record, text, u16, u32, u8 } from './check.js';
import { pairs } from './headers.js';

const headerPairs = listOf(pairOf(text, bytes));
const headers = (value) => headerPairs(pairs(value)).map(([name, value]) => ({ name, value }));

/** An object, or the address alone. */
const addressed = (check) => (value) => check(typeof value === 'string' ? { address: value } : value);

const QUIRKS = {
  'keep-hop-by-hop': 'keepHopByHop',
  'keep-connection-nominated': 'keepConnectionNominated',
  'accept-malformed-connection': 'acceptMalformedConnection',
  'accept-invalid-content-length': 'acceptInvalidContentLength',
};
const quirkNames = listOf(oneOf(...Object.keys(QUIRKS)));
const quirks = (value) => Object.fromEntries(quirkNames(value).map((name) => [QUIRKS[name], true]));

const peer = record({
  address: text,
  tls: optional(record({
    sni: optional(text),
    verify: optional(oneOf('full', 'chain-only', 'none'), 'full'),
    alternativeCn: optional(text),
    ca: optional(text),
    clientCert: optional(text),
    curves: optional(text),
    secondKeyShare: optional(flag),
  })),
  connectProxy: optional(addressed(record({ address: text, headers: optional(headers, []) }))),
  bindTo: optional(addressed(record({
    address: optional(text),
    portRange: optional(pairOf(u16, u16)),
    fallback: optional(flag, false),
  }))),
  timeouts: record({
    connectMs: optional(u32),
    totalConnectMs: optional(u32),
    readMs: optional(u32),
    writeMs: optional(u32),
    idleMs: optional(u32),
  }),
  tcpKeepalive: optional(record({ idleS: u32, intervalS: u32, count: u32, userTimeoutMs: optional(u32, 0) })),
  http: record({
    alpn: optional(oneOf('h1', 'h2', 'h2h1'), 'h1'),
    maxH2Streams: optional(u32),
    h2PingIntervalMs: optional(u32),
    h2StreamWindow: optional(u32),
    h2ConnectionWindow: optional(u32),
    upgrade: optional(oneOf('websocket', 'any', 'deny'), 'websocket'),
    quirks: optional(quirks, {}),
  }),
  socket: record({ dscp: optional(u8), tcpRecvBuf: optional(u32), tcpFastOpen: optional(flag, false) }),
  isolation: optional(text),
});

const routeFields = record({
  peer,
  authority: optional(text),
  pathAndQuery: optional(text),
  removeHeaders: listOf(text),
  setHeaders: headers,
  addHeaders: headers,
  attempts: optional(u32),
  onStatus: listOf(u16),
  note: optional(text),
});

const responseFields = record({ status: u16, headers, body: bytes });

export function route(value) {
  const checked = named('route', routeFields, value);
  const { peer, authority, pathAndQuery, removeHeaders, setHeaders, addHeaders, ...rest } = checked;
  const rewrite = { authority, pathAndQuery, removeHeaders, setHeaders, addHeaders };
  return { peer, rewrite, retry: { attempts: rest.attempts, onStatus: rest.onStatus }, note: rest.note };
}

export function response(value) {
  return named('response', responseFields, value);
}
