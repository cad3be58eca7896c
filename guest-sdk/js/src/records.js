// The WIT's records: every field is there, and of its type. What a value means, and which are refused, the host says.

import { bytes, flag, listOf, oneOf, optional, otherwise, record, text, u16, u32, u8 } from './check.js';
import { pairs } from './headers.js';

const header = (pair, path) => {
  if (!Array.isArray(pair) || pair.length !== 2) throw new TypeError(`${path} is no pair of a name and a value`);
  return { name: text(pair[0], `${path}[0]`), value: bytes(pair[1], `${path}[1]`) };
};
const headerList = listOf(header);
const headers = (value, path) => headerList(pairs(value), path);

const tls = record({
  sni: optional(text),
  verify: otherwise('full', oneOf('full', 'chain-only', 'none')),
  alternativeCn: optional(text),
  ca: optional(text),
  clientCert: optional(text),
  curves: optional(text),
  secondKeyShare: optional(flag),
});

/** An object, or the address alone. */
const addressed = (check) => (value, path) => check(typeof value === 'string' ? { address: value } : value, path);

const connectProxy = addressed(record({ address: text, headers }));

const bindTo = addressed(record({
  address: optional(text),
  portRange: optional((ports, path) => {
    if (!Array.isArray(ports) || ports.length !== 2) throw new TypeError(`${path} is no pair of ports`);
    return ports.map((port, index) => u16(port, `${path}[${index}]`));
  }),
  fallback: otherwise(false, flag),
}));

const millis = optional(u32);

const QUIRKS = {
  'keep-hop-by-hop': 'keepHopByHop',
  'keep-connection-nominated': 'keepConnectionNominated',
  'accept-malformed-connection': 'acceptMalformedConnection',
  'accept-invalid-content-length': 'acceptInvalidContentLength',
};
const quirkNames = listOf(oneOf(...Object.keys(QUIRKS)));
const quirks = (value = [], path) => {
  const flags = {};
  for (const name of Object.values(QUIRKS)) flags[name] = false;
  for (const name of quirkNames(value, path)) flags[QUIRKS[name]] = true;
  return flags;
};

const peer = record({
  address: text,
  tls: optional(tls),
  connectProxy: optional(connectProxy),
  bindTo: optional(bindTo),
  timeouts: record({
    connectMs: millis, totalConnectMs: millis, readMs: millis, writeMs: millis, idleMs: millis,
  }),
  tcpKeepalive: optional(record({ idleS: u32, intervalS: u32, count: u32, userTimeoutMs: otherwise(0, u32) })),
  http: record({
    alpn: otherwise('h1', oneOf('h1', 'h2', 'h2h1')),
    maxH2Streams: optional(u32),
    h2PingIntervalMs: millis,
    h2StreamWindow: optional(u32),
    h2ConnectionWindow: optional(u32),
    upgrade: otherwise('websocket', oneOf('websocket', 'any', 'deny')),
    quirks,
  }),
  socket: record({ dscp: optional(u8), tcpRecvBuf: optional(u32), tcpFastOpen: otherwise(false, flag) }),
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
  retryOn: listOf(u16),
  note: optional(text),
});

const responseFields = record({ status: u16, headers, body: bytes });

export function route(value) {
  const { peer, attempts, retryOn, note, ...rewrite } = routeFields(value, 'route');
  return { peer, rewrite, retry: { attempts, onStatus: retryOn }, note };
}

export function response(value) {
  return responseFields(value, 'response');
}
