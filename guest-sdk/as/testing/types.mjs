// The records of the contract, in the WIT's order.

import { bool, bytes, enumeration, flags, list, option, record, string, u16, u32, u8, variant } from "./abi.mjs";

export const header = record({ name: string, value: bytes });

const tls = record({
  sni: option(string),
  verify: enumeration("full", "chain-only", "none"),
  alternativeCn: option(string),
  ca: option(string),
  clientCert: option(string),
  curves: option(string),
  secondKeyShare: option(bool),
});

const peer = record({
  address: string,
  tls: option(tls),
  connectProxy: option(record({ address: string, headers: list(header) })),
  bindTo: option(
    record({ address: option(string), portRange: option(record({ first: u16, last: u16 })), fallback: bool }),
  ),
  timeouts: record({
    connectMs: option(u32),
    totalConnectMs: option(u32),
    readMs: option(u32),
    writeMs: option(u32),
    idleMs: option(u32),
  }),
  tcpKeepalive: option(record({ idleS: u32, intervalS: u32, count: u32, userTimeoutMs: u32 })),
  http: record({
    alpn: enumeration("h1", "h2", "h2h1"),
    maxH2Streams: option(u32),
    h2PingIntervalMs: option(u32),
    h2StreamWindow: option(u32),
    h2ConnectionWindow: option(u32),
    upgrade: enumeration("websocket", "any", "deny"),
    quirks: flags(
      "keep-hop-by-hop",
      "keep-connection-nominated",
      "accept-malformed-connection",
      "accept-invalid-content-length",
    ),
  }),
  socket: record({ dscp: option(u8), tcpRecvBuf: option(u32), tcpFastOpen: bool }),
  isolation: option(string),
});

const route = record({
  peer,
  rewrite: record({
    authority: option(string),
    pathAndQuery: option(string),
    removeHeaders: list(string),
    setHeaders: list(header),
    addHeaders: list(header),
  }),
  retry: record({ attempts: option(u32), onStatus: list(u16) }),
  note: option(string),
});

const response = record({ status: u16, headers: list(header), body: bytes });

export const decided = variant({ ok: variant({ connect: route, respond: response, pass: null }), err: string });

export const configured = variant({ ok: null, err: string });

export const clientTls = record({
  sni: option(string),
  version: string,
  cipher: string,
  clientCertSha256: option(bytes),
});

export const attempt = record({
  number: u32,
  address: string,
  stage: enumeration("resolve", "connect", "connect-proxy", "tls", "send", "receive", "other"),
  failure: enumeration(
    "timeout",
    "refused",
    "unreachable",
    "closed",
    "certificate",
    "protocol",
    "proxy-refused",
    "status",
    "other",
  ),
  status: option(u16),
  reusedConnection: bool,
  requestSent: bool,
  elapsedMs: u32,
  detail: string,
});

export const upstream = record({
  address: string,
  health: enumeration("unknown", "healthy", "unhealthy"),
  inFlight: u32,
  latencyUs: option(u32),
  failures: u32,
});

export const sharedError = enumeration("full", "too-long", "other-kind", "overflow", "other");
