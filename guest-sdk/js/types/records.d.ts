/** Text, sent as UTF-8, or bytes as they are. */
export type Bytes = string | Uint8Array;

/** Headers, in order: pairs of a name and a value, or an object. */
export type Headers = Iterable<readonly [name: string, value: Bytes]> | Readonly<Record<string, Bytes>>;

/**
 * The request to be routed.
 *
 * Nothing is copied in advance: each property and each method calls the host, which records the reads. So
 * read what the decision needs, and read it once.
 */
export declare class Request {
  private constructor();

  /** As sent, such as `GET`. */
  get method(): string;

  /** `https` if the client's connection has TLS, else `http`. */
  get scheme(): 'http' | 'https';

  /** Host and, if the client named one, port, in lower case. Empty if the client sent none. */
  get authority(): string;

  /** The authority without its port: `shop.example`, `203.0.113.7` or `[2001:db8::1]`. */
  get host(): string;

  /** The path as sent, percent-encoding untouched, without the query. */
  get path(): string;

  /**
   * The path's segments, percent-decoded: `/cart/caf%C3%A9/` has `cart` and `café`. Empty ones are left out; `.` and
   * `..` are unchanged.
   */
  get pathSegments(): string[];

  /** The part after the first `?`, as sent. */
  get query(): string | undefined;

  /** The first query parameter of this name, percent-decoded, with `+` as a space. */
  queryParam(name: string): string | undefined;

  /** All query parameters, percent-decoded, with `+` as a space. */
  get queryParams(): [name: string, value: string][];

  /** The first value of a header, as text: invalid UTF-8 is replaced by U+FFFD. */
  header(name: string): string | undefined;

  /** The first value of a header, as sent. */
  headerBytes(name: string): Uint8Array | undefined;

  /** All values of a header, in order. */
  headerValues(name: string): Uint8Array[];

  /** All headers, names in lower case. */
  get headers(): [name: string, value: Uint8Array][];

  /** The first cookie of this name. */
  cookie(name: string): string | undefined;

  /** All cookies, in order, their values as sent. */
  get cookies(): [name: string, value: string][];

  /** The peer address of the client's connection, without port: `203.0.113.7` or `2001:db8::1`. */
  get clientIp(): string;

  /** The name of the listener that took the connection. */
  get listener(): string;

  /** Facts about the client's TLS connection. Undefined without TLS. */
  get tls(): ClientTls | undefined;

  /** The failed attempts of this request, oldest first. Empty on the first call. */
  get attempts(): Attempt[];
}

/** Facts about the client's TLS connection. */
export interface ClientTls {
  /** The server name that the client sent, in lower case. */
  sni: string | undefined;
  /** Such as `TLSv1.3`. */
  version: string;
  /** Such as `TLS_AES_256_GCM_SHA384`. */
  cipher: string;
  /** SHA-256 of the client's certificate (DER). Undefined if it sent none. */
  clientCertSha256: Uint8Array | undefined;
}

/** An attempt of this request that failed. */
export interface Attempt {
  /** The first is 1. */
  number: number;
  /** The address that the module named. */
  address: string;
  /** How far the attempt got. */
  stage: 'resolve' | 'connect' | 'connect-proxy' | 'tls' | 'send' | 'receive' | 'other';
  /** The failure. */
  failure:
    | 'timeout' | 'refused' | 'unreachable' | 'closed' | 'certificate' | 'protocol' | 'proxy-refused' | 'status' | 'other';
  /** The upstream's status if that is why the attempt failed, or the CONNECT proxy's if it refused. */
  status: number | undefined;
  /** Whether a pooled connection was used. */
  reusedConnection: boolean;
  /** Whether bytes of the request may have reached the upstream. */
  requestSent: boolean;
  /** From the decision to the failure, in milliseconds. */
  elapsedMs: number;
  /** For logs, not for decisions: its text may change. At most 256 bytes. */
  detail: string;
}

/**
 * An upstream and how to connect to it.
 *
 * Unset fields are left to the tenant's configuration, or off. A wrong value is refused by the host, which names the
 * field; it is never ignored.
 *
 * ```js
 * Peer.https('203.0.113.7:443', {
 *   tls: { sni: 'shop.example' },
 *   http: { alpn: 'h2h1' },
 *   timeouts: { connectMs: 300 },
 * });
 * ```
 */
export declare class Peer {
  /** Plain HTTP/1.1 to `ip:port`, `[ipv6]:port`, `name:port` or `unix:/path`. */
  static http(address: string, options?: PeerOptions): Peer;

  /**
   * HTTP/1.1 over TLS, with the certificate checked in full. If the address is no DNS name, specify the expected name:
   * {@link Tls.sni}.
   */
  static https(address: string, options?: PeerOptions): Peer;

  private constructor();

  address: string;
  /** Undefined: plain HTTP. */
  tls?: Tls | undefined;
  /** Connects through an HTTP proxy: its address, or more. */
  connectProxy?: string | ConnectProxy | undefined;
  /** The local end of the connection: its address, or more. Needs a grant. */
  bindTo?: string | BindTo | undefined;
  timeouts: Timeouts;
  /** Probes an idle connection. Undefined: the tenant's default. */
  tcpKeepalive?: TcpKeepalive | undefined;
  http: HttpOptions;
  socket: SocketOptions;
  /** Keeps connections apart that are equal otherwise: they are shared only within one value. At most 256 bytes. */
  isolation?: string | undefined;
}

/** The options of a peer in addition to its address. */
export type PeerOptions = Partial<Omit<Peer, 'address'>>;

/** TLS to the upstream. */
export interface Tls {
  /** The server name to send, and to find in the certificate. Undefined: the host part of the peer's address. */
  sni?: string | undefined;
  /** How far the certificate is checked. Less than `full`, which is the default, needs a grant. */
  verify?: 'full' | 'chain-only' | 'none' | undefined;
  /** A second name that the certificate may carry. */
  alternativeCn?: string | undefined;
  /** The operator's CA bundle of this name, instead of the system's roots. */
  ca?: string | undefined;
  /** The operator's client certificate of this name. */
  clientCert?: string | undefined;
  /** Key exchange groups to offer, best first: `X25519:P-256`. At most 255 bytes. */
  curves?: string | undefined;
  /** Whether to send a second key share with a post-quantum one. BoringSSL only. */
  secondKeyShare?: boolean | undefined;
}

/** An HTTP proxy that opens a tunnel by CONNECT. */
export interface ConnectProxy {
  /** `ip:port`, `[ipv6]:port`, `name:port` or `unix:/path`. */
  address: string;
  /** Added to the CONNECT request, such as `proxy-authorization`. */
  headers?: Headers | undefined;
}

/** The local end of the connection. */
export interface BindTo {
  /** `ip` or `ip:port`. Undefined: any. */
  address?: string | undefined;
  /** Local ports to choose from, first and last. Undefined: the system's range. */
  portRange?: readonly [first: number, last: number] | undefined;
  /** Whether to take another port when none in the range is free. */
  fallback?: boolean | undefined;
}

/** Wall time, in milliseconds, 1 to 86,400,000 (a day). Undefined: the tenant's `upstream` defaults. */
export interface Timeouts {
  /** To establish the TCP connection, once more for a CONNECT proxy's answer, and once more for the TLS handshake. */
  connectMs?: number | undefined;
  /** To establish the connection with all that belongs to it: TCP, CONNECT, TLS. */
  totalConnectMs?: number | undefined;
  /** Between two reads of the response. */
  readMs?: number | undefined;
  /** For one write of the request. */
  writeMs?: number | undefined;
  /** How long the connection is kept for reuse. 0 is allowed: not at all. */
  idleMs?: number | undefined;
}

/** When an idle connection is probed, and when it is given up. */
export interface TcpKeepalive {
  /** Idle time before the first probe, in seconds, 1 to 32,767. */
  idleS: number;
  /** Time between probes, in seconds, 1 to 32,767. */
  intervalS: number;
  /** Unanswered probes after which the connection is closed, 1 to 127. */
  count: number;
  /** How long sent data may stay unacknowledged, in milliseconds. 0, which is the default: the system's. */
  userTimeoutMs?: number | undefined;
}

/** What is spoken on the connection. */
export interface HttpOptions {
  /** The HTTP version; `h1` is the default. `h2` without TLS: prior knowledge. `h2h1`: what the upstream agrees to. */
  alpn?: 'h1' | 'h2' | 'h2h1' | undefined;
  /** Concurrent streams on one HTTP/2 connection, 1 to 65,535. Undefined: the tenant's default (100). */
  maxH2Streams?: number | undefined;
  /** Time between HTTP/2 pings on a connection, in milliseconds, 1,000 to 86,400,000. Undefined: no pings. */
  h2PingIntervalMs?: number | undefined;
  /** Initial HTTP/2 receive window of a stream, in bytes, 65,535 to 2,147,483,647. Undefined: 8 MiB. */
  h2StreamWindow?: number | undefined;
  /** Initial HTTP/2 receive window of the connection, as above. */
  h2ConnectionWindow?: number | undefined;
  /** Which HTTP/1.1 upgrades are forwarded; `websocket` is the default. */
  upgrade?: 'websocket' | 'any' | 'deny' | undefined;
  /** Departures from the HTTP standard. */
  quirks?: readonly Quirk[] | undefined;
}

/**
 * A departure from the HTTP standard: forward hop-by-hop headers; forward headers that `connection` names; accept a
 * `connection` header that does not parse; accept a `content-length` of the response that does not parse.
 */
export type Quirk =
  | 'keep-hop-by-hop' | 'keep-connection-nominated' | 'accept-malformed-connection' | 'accept-invalid-content-length';

/** Each refused for Unix sockets. */
export interface SocketOptions {
  /** Differentiated services code point, 0 to 63. Undefined: the system's. */
  dscp?: number | undefined;
  /** Size of the receive buffer, in bytes, 1,024 to 268,435,456. Undefined: the system's. */
  tcpRecvBuf?: number | undefined;
  /** Whether to send the first bytes with the SYN (RFC 7413). */
  tcpFastOpen?: boolean | undefined;
}

/**
 * Where a request goes, and how it is changed.
 *
 * ```js
 * Route.to(Peer.http('127.0.0.1:9101'), {
 *   pathAndQuery: '/v2/cart?x=1',
 *   setHeaders: { 'x-shop': 'north' },
 *   onStatus: [502, 503],
 *   note: 'v2',
 * });
 * ```
 */
export declare class Route {
  /** To a peer; the request as the client sent it, and retries as the tenant's limits have it, unless said otherwise. */
  static to(peer: Peer, options?: RouteOptions): Route;

  private constructor();

  peer: Peer;
  /** Another authority (the `host` header): `host` or `host:port`. Undefined: the client's. */
  authority?: string | undefined;
  /** Another path and query, starting with `/` and percent-encoded. Undefined: the client's. */
  pathAndQuery?: string | undefined;
  /** Headers of which all values are removed. The host removes before it sets and adds. */
  removeHeaders: string[];
  /** Headers of which all values are replaced. A name may be set once. */
  setHeaders: [name: string, value: Bytes][];
  /** Values added to those that a header has. */
  addHeaders: [name: string, value: Bytes][];
  /** Attempts for this request at most, this one and all before it included. 1: no retry. */
  attempts?: number | undefined;
  /** Statuses of the upstream (500 to 599) that count as a failed attempt. */
  onStatus: number[];
  /** A remark for the access log, such as the name of the rule that matched. At most 256 bytes. */
  note?: string | undefined;
}

/** The options of a route in addition to its peer. */
export interface RouteOptions extends Partial<Pick<Route, 'authority' | 'pathAndQuery' | 'attempts' | 'note'>> {
  removeHeaders?: Iterable<string> | undefined;
  setHeaders?: Headers | undefined;
  addHeaders?: Headers | undefined;
  onStatus?: Iterable<number> | undefined;
}

/** A response from the module itself. */
export declare class Response {
  /** The status is 200 to 599. */
  constructor(status: number, options?: { headers?: Headers | undefined; body?: Bytes | undefined });

  /** With a body of plain text, and the header `content-type` after those given. */
  static text(status: number, text: string, headers?: Headers): Response;

  /** With a value as JSON, and the header `content-type` after those given. */
  static json(status: number, value: unknown, headers?: Headers): Response;

  status: number;
  /** In order; a name may repeat. The host sets framing and hop-by-hop headers, and refuses them here. */
  headers: [name: string, value: Bytes][];
  /** At most the tenant's `limits.response_body_bytes`. */
  body: Bytes;
}
