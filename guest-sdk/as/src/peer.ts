//! An upstream, and how to connect to it. Fields are in the WIT's order. Unset fields are left to the tenant's
//! configuration, or off. A wrong value is refused by the host, which names the field; it is never ignored.
//!
//! An optional number is an `i64`, and `NONE` if it is absent: AssemblyScript has no numbers that can be null.

import { NONE, Writer } from "./abi";
import { Answer } from "./answer";
import { Header } from "./header";
import { Route } from "./route";

/** An upstream, and how to connect to it. */
@final
export class Peer extends Answer {
  /** Null: plain HTTP. */
  tls: Tls | null = null;
  /** Null: connect straight to `address`. */
  connectProxy: ConnectProxy | null = null;
  /** The local end of the connection. Needs a grant. */
  bindTo: BindTo | null = null;
  timeouts: Timeouts = new Timeouts();
  tcpKeepalive: TcpKeepalive | null = null;
  http: HttpOptions = new HttpOptions();
  socket: SocketOptions = new SocketOptions();
  /** Keeps connections apart that are equal otherwise: they are shared only within one value. */
  isolation: string | null = null;

  constructor(
    /** `ip:port`, `[ipv6]:port`, `name:port` or `unix:/path`. */
    public address: string,
  ) {
    super();
  }

  /** Plain HTTP/1.1. */
  static http(address: string): Peer {
    return new Peer(address);
  }

  /** HTTP/1.1 over TLS, the certificate checked in full. If the address is no DNS name, say which to expect: `sni`. */
  static https(address: string): Peer {
    const peer = new Peer(address);
    peer.tls = new Tls();
    return peer;
  }

  write(to: Writer): void {
    Route.to(this).write(to);
  }

  writeRecord(to: Writer): void {
    to.string(this.address);
    const tls = this.tls;
    to.some4(tls !== null);
    if (tls !== null) tls.writeRecord(to);
    else to.at += Tls.SIZE;
    const connectProxy = this.connectProxy;
    to.some4(connectProxy !== null);
    if (connectProxy !== null) connectProxy.writeRecord(to);
    else to.at += ConnectProxy.SIZE;
    const bindTo = this.bindTo;
    to.some4(bindTo !== null);
    if (bindTo !== null) bindTo.writeRecord(to);
    else to.at += BindTo.SIZE;
    this.timeouts.writeRecord(to);
    const tcpKeepalive = this.tcpKeepalive;
    to.some4(tcpKeepalive !== null);
    if (tcpKeepalive !== null) tcpKeepalive.writeRecord(to);
    else to.at += TcpKeepalive.SIZE;
    this.http.writeRecord(to);
    this.socket.writeRecord(to);
    to.optionString(this.isolation);
  }
}

/** How far the upstream's certificate is checked: the chain and the name, the chain only, nothing. */
export enum Verify { Full, ChainOnly, None }

/** A choice that may be left open. */
export enum Choice { Open, No, Yes }

/** TLS to the upstream. */
@final
export class Tls {
  static readonly SIZE: i32 = 68;

  /** The server name to send and to check. Null: the name in the peer's address. */
  sni: string | null = null;
  /** Less than `Full` needs a grant. */
  verify: Verify = Verify.Full;
  /** A second name that the certificate may carry. */
  alternativeCn: string | null = null;
  /** The operator's CA bundle of this name, instead of the system's roots. */
  ca: string | null = null;
  /** The operator's client certificate of this name. */
  clientCert: string | null = null;
  /** Key exchange groups to offer, best first: `X25519:P-256`. */
  curves: string | null = null;
  /** Whether to send a second key share with a post-quantum one. BoringSSL only. */
  secondKeyShare: Choice = Choice.Open;

  writeRecord(to: Writer): void {
    to.optionString(this.sni);
    to.u8(this.verify);
    to.optionString(this.alternativeCn);
    to.optionString(this.ca);
    to.optionString(this.clientCert);
    to.optionString(this.curves);
    to.bool(this.secondKeyShare != Choice.Open);
    to.bool(this.secondKeyShare == Choice.Yes);
    to.align(4);
  }
}

/** An HTTP proxy that opens a tunnel to the peer by CONNECT. */
@final
export class ConnectProxy {
  static readonly SIZE: i32 = 16;

  /** Added to the CONNECT request, for example `proxy-authorization`. */
  headers: Header[] = [];

  constructor(public address: string) {}

  writeRecord(to: Writer): void {
    to.string(this.address);
    Header.writeAll(to, this.headers);
  }
}

/** The local end of the connection. */
@final
export class BindTo {
  static readonly SIZE: i32 = 20;

  /** `ip` or `ip:port`. Null: any. */
  address: string | null = null;
  /** Null: the system's range. */
  portRange: PortRange | null = null;
  /** Whether to take a port outside the range when none in it is free. */
  fallback: bool = false;

  writeRecord(to: Writer): void {
    to.optionString(this.address);
    const ports = this.portRange;
    to.bool(ports !== null);
    to.u16(ports !== null ? ports.first : 0);
    to.u16(ports !== null ? ports.last : 0);
    to.bool(this.fallback);
    to.align(4);
  }
}

/** Both ends included. */
@final
export class PortRange {
  constructor(public first: u16, public last: u16) {}
}

/** In milliseconds, 1 to 86,400,000. `NONE`: the tenant's `upstream` defaults. */
@final
export class Timeouts {
  /** To establish the TCP connection, once more for a CONNECT proxy's answer, and once more for the TLS handshake. */
  connectMs: i64 = NONE;
  /** To establish the connection with all that belongs to it. */
  totalConnectMs: i64 = NONE;
  /** Between two reads of the response. */
  readMs: i64 = NONE;
  /** For one write of the request. */
  writeMs: i64 = NONE;
  /** How long the connection is kept for reuse. 0: not at all. */
  idleMs: i64 = NONE;

  writeRecord(to: Writer): void {
    to.optionU32(this.connectMs);
    to.optionU32(this.totalConnectMs);
    to.optionU32(this.readMs);
    to.optionU32(this.writeMs);
    to.optionU32(this.idleMs);
  }
}

/** TCP keepalive probes. */
@final
export class TcpKeepalive {
  static readonly SIZE: i32 = 16;

  constructor(
    /** Idle time before the first probe, in seconds. */
    public idleS: u32,
    /** Time between probes, in seconds. */
    public intervalS: u32,
    /** Unanswered probes after which the connection is given up. */
    public count: u32,
    /** How long sent data may stay unacknowledged, in milliseconds. 0: the system's default. */
    public userTimeoutMs: u32 = 0,
  ) {}

  writeRecord(to: Writer): void {
    to.u32(this.idleS);
    to.u32(this.intervalS);
    to.u32(this.count);
    to.u32(this.userTimeoutMs);
  }
}

/** The HTTP version to speak. `H2H1`: HTTP/2 if the upstream agrees; only with TLS. */
export enum Alpn { H1, H2, H2H1 }

/** Which HTTP/1.1 upgrades are forwarded. */
export enum Upgrade { Websocket, Any, Deny }

/** Departures from the HTTP standard for upstreams that need them; combine them with `|`. */
export enum Quirks {
  None = 0,
  KeepHopByHop = 1,
  KeepConnectionNominated = 2,
  AcceptMalformedConnection = 4,
  AcceptInvalidContentLength = 8,
}

@final
export class HttpOptions {
  alpn: Alpn = Alpn.H1;
  /** Concurrent streams on one HTTP/2 connection. */
  maxH2Streams: i64 = NONE;
  /** Time between HTTP/2 pings on a connection, in milliseconds. `NONE`: no pings. */
  h2PingIntervalMs: i64 = NONE;
  /** Initial HTTP/2 receive window of a stream, in bytes. */
  h2StreamWindow: i64 = NONE;
  /** Initial HTTP/2 receive window of the connection, in bytes. */
  h2ConnectionWindow: i64 = NONE;
  upgrade: Upgrade = Upgrade.Websocket;
  quirks: Quirks = Quirks.None;

  writeRecord(to: Writer): void {
    to.u8(this.alpn);
    to.optionU32(this.maxH2Streams);
    to.optionU32(this.h2PingIntervalMs);
    to.optionU32(this.h2StreamWindow);
    to.optionU32(this.h2ConnectionWindow);
    to.u8(this.upgrade);
    to.u8(this.quirks);
    to.align(4);
  }
}

@final
export class SocketOptions {
  /** Differentiated services code point, 0 to 63. */
  dscp: i64 = NONE;
  /** Size of the receive buffer, in bytes. */
  tcpRecvBuf: i64 = NONE;
  /** Send the first bytes with the SYN (RFC 7413). */
  tcpFastOpen: bool = false;

  writeRecord(to: Writer): void {
    to.optionU8(this.dscp);
    to.optionU32(this.tcpRecvBuf);
    to.bool(this.tcpFastOpen);
    to.align(4);
  }
}
