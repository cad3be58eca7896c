//! The request to be routed.

import { AREA, Argument, NONE, Reader } from "./abi";
import { Header } from "./header";
import * as host from "./host";
import { decodePercent, text } from "./text";

/** A query parameter or a cookie. */
@final
export class Pair {
  constructor(public name: string, public value: string) {}
}

/**
 * The request to be routed.
 *
 * Nothing is copied in advance: each method calls the host, which records the reads. So read only what the
 * decision needs, and read it once.
 */
@final
export class Request {
  constructor(private handle: i32) {}

  /** As sent, such as `GET`. */
  method(): string {
    host.requestMethod(this.handle, AREA);
    return new Reader(AREA).string();
  }

  /** `https` if the client's connection has TLS, else `http`. */
  scheme(): string {
    host.requestScheme(this.handle, AREA);
    return new Reader(AREA).string();
  }

  /** Host and, if the client named one, port, in lower case. Empty if the client sent none. */
  authority(): string {
    host.requestAuthority(this.handle, AREA);
    return new Reader(AREA).string();
  }

  /** The authority without its port: `shop.example`, `203.0.113.7` or `[2001:db8::1]`. */
  host(): string {
    const authority = this.authority();
    const colon = authority.lastIndexOf(":");
    // A colon within brackets belongs to an IPv6 address.
    return colon < 0 || authority.includes("]", colon) ? authority : authority.substring(0, colon);
  }

  /** The path as sent, percent-encoding untouched, without the query. */
  path(): string {
    host.requestPath(this.handle, AREA);
    return new Reader(AREA).string();
  }

  /** The path's segments, percent-decoded. Empty ones are left out; `.` and `..` are unchanged. */
  pathSegments(): string[] {
    const segments: string[] = [];
    const parts = this.path().split("/");
    for (let index = 0; index < parts.length; index++) {
      if (parts[index].length > 0) segments.push(decodePercent(parts[index], false));
    }
    return segments;
  }

  /** The part after the first `?`, as sent. */
  query(): string | null {
    host.requestQuery(this.handle, AREA);
    return new Reader(AREA).optionString();
  }

  /** The first query parameter of this name, percent-decoded, with `+` as a space. */
  queryParam(name: string): string | null {
    return first(this.queryParams(), name);
  }

  /** All query parameters, percent-decoded, with `+` as a space. */
  queryParams(): Pair[] {
    const params: Pair[] = [];
    const query = this.query();
    if (query === null) return params;
    const parts = query.split("&");
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index];
      if (part.length == 0) continue;
      const equals = part.indexOf("=");
      const name = equals < 0 ? part : part.substring(0, equals);
      const value = equals < 0 ? "" : part.substring(equals + 1);
      params.push(new Pair(decodePercent(name, true), decodePercent(value, true)));
    }
    return params;
  }

  /** The first value of a header, as text: invalid UTF-8 becomes U+FFFD. */
  header(name: string): string | null {
    const argument = Argument.of(name);
    host.requestHeaderText(this.handle, argument.pointer, argument.length, AREA);
    return new Reader(AREA).optionString();
  }

  /** The first value of a header, as sent. */
  headerBytes(name: string): Uint8Array | null {
    const argument = Argument.of(name);
    host.requestHeader(this.handle, argument.pointer, argument.length, AREA);
    return new Reader(AREA).optionBytes();
  }

  /** All values of a header, in order. */
  headerValues(name: string): Uint8Array[] {
    const argument = Argument.of(name);
    host.requestHeaderValues(this.handle, argument.pointer, argument.length, AREA);
    const items = new Reader(load<u32>(AREA));
    const count = load<i32>(AREA, 4);
    const values = new Array<Uint8Array>();
    for (let index = 0; index < count; index++) values.push(items.bytes());
    return values;
  }

  /** All headers, names in lower case. */
  headers(): Header[] {
    host.requestHeaders(this.handle, AREA);
    const items = new Reader(load<u32>(AREA));
    const count = load<i32>(AREA, 4);
    const headers = new Array<Header>();
    for (let index = 0; index < count; index++) headers.push(Header.read(items));
    return headers;
  }

  /** The first cookie of this name. */
  cookie(name: string): string | null {
    return first(this.cookies(), name);
  }

  /** All cookies, in order, their values as sent. */
  cookies(): Pair[] {
    const cookies: Pair[] = [];
    const values = this.headerValues("cookie");
    for (let value = 0; value < values.length; value++) {
      const parts = text(values[value]).split(";");
      for (let index = 0; index < parts.length; index++) {
        const part = parts[index];
        const equals = part.indexOf("=");
        if (equals < 0) continue;
        cookies.push(new Pair(part.substring(0, equals).trim(), part.substring(equals + 1).trim()));
      }
    }
    return cookies;
  }

  /** The peer address of the client's connection, without port: `203.0.113.7` or `2001:db8::1`. */
  clientIp(): string {
    host.requestClientIp(this.handle, AREA);
    return new Reader(AREA).string();
  }

  /** The name of the listener that took the connection. */
  listener(): string {
    host.requestListener(this.handle, AREA);
    return new Reader(AREA).string();
  }

  /** Facts about the client's TLS connection. Null without TLS. */
  tls(): ClientTls | null {
    host.requestTls(this.handle, AREA);
    return load<u8>(AREA) == 0 ? null : ClientTls.read(new Reader(AREA + 4));
  }

  /** The failed attempts of this request, oldest first. Empty on the first call. */
  attempts(): Attempt[] {
    host.requestAttempts(this.handle, AREA);
    const items = new Reader(load<u32>(AREA));
    const count = load<i32>(AREA, 4);
    const attempts = new Array<Attempt>();
    for (let index = 0; index < count; index++) attempts.push(Attempt.read(items));
    return attempts;
  }

  /** The host lends the request for the call; it wants it back before the call ends. */
  giveBack(): void {
    host.requestDrop(this.handle);
  }
}

function first(pairs: Pair[], name: string): string | null {
  for (let index = 0; index < pairs.length; index++) {
    if (pairs[index].name == name) return pairs[index].value;
  }
  return null;
}

/** Facts about the client's TLS connection. */
@final
export class ClientTls {
  /** The server name that the client sent, in lower case. */
  sni: string | null = null;
  /** Such as `TLSv1.3`. */
  version: string = "";
  /** Such as `TLS_AES_256_GCM_SHA384`. */
  cipher: string = "";
  /** SHA-256 of the client's certificate (DER), 32 bytes. Null if it sent none. */
  clientCertSha256: Uint8Array | null = null;

  static read(from: Reader): ClientTls {
    const tls = new ClientTls();
    tls.sni = from.optionString();
    tls.version = from.string();
    tls.cipher = from.string();
    tls.clientCertSha256 = from.optionBytes();
    return tls;
  }
}

/** How far an attempt got. */
export enum Stage { Resolve, Connect, ConnectProxy, Tls, Send, Receive, Other }

/** The failure of an attempt. */
export enum Failure { Timeout, Refused, Unreachable, Closed, Certificate, Protocol, ProxyRefused, Status, Other }

/** An attempt of this request that failed. */
@final
export class Attempt {
  /** The first is 1. */
  number: u32 = 0;
  /** The address that the module named. */
  address: string = "";
  stage: Stage = Stage.Other;
  failure: Failure = Failure.Other;
  /** The upstream's status if that was what failed the attempt, or the CONNECT proxy's if it refused; else `NONE`. */
  status: i64 = NONE;
  /** Whether a pooled connection was used. */
  reusedConnection: bool = false;
  /** Whether bytes of the request may have reached the upstream. */
  requestSent: bool = false;
  /** From the decision to the failure. */
  elapsedMs: u32 = 0;
  /** For logs, not for decisions: its text may change. */
  detail: string = "";

  static read(from: Reader): Attempt {
    const attempt = new Attempt();
    attempt.number = from.u32();
    attempt.address = from.string();
    attempt.stage = from.u8();
    attempt.failure = from.u8();
    attempt.status = from.optionU16();
    attempt.reusedConnection = from.bool();
    attempt.requestSent = from.bool();
    attempt.elapsedMs = from.u32();
    attempt.detail = from.string();
    return attempt;
  }

  /** The stage as in the WIT, such as `connect-proxy`. */
  get stageName(): string {
    return STAGES[this.stage];
  }

  /** The failure as in the WIT, such as `proxy-refused`. */
  get failureName(): string {
    return FAILURES[this.failure];
  }
}

const STAGES: StaticArray<string> = ["resolve", "connect", "connect-proxy", "tls", "send", "receive", "other"];

const FAILURES: StaticArray<string> = [
  "timeout", "refused", "unreachable", "closed", "certificate", "protocol", "proxy-refused", "status", "other",
];
