// The part `peer`: each parameter sets a field of the record.

import {
  Alpn, Answer, BindTo, Choice, ConnectProxy, Header, Pair, Peer, PortRange, Quirks, Request, Route, TcpKeepalive, Tls,
  Upgrade, Verify, bytes, fail, hasFailed,
} from "pointsman";
import { bad, number, split } from "./values";

export function route(request: Request, params: Pair[]): Answer {
  const route = Route.to(Peer.http(""));
  for (let index = 0; index < params.length && !hasFailed(); index++) {
    const param = params[index];
    const isKnown = setConnection(route.peer, param) || setOptions(route.peer, param) || setRoute(route, request, param);
    if (!isKnown) fail("unknown parameter " + param.name);
  }
  return route;
}

// Each of these returns whether it knows the parameter.
function setConnection(peer: Peer, param: Pair): bool {
  const name = param.name;
  const value = param.value;
  if (name == "address") peer.address = value;
  else if (name == "tls") tls(peer);
  else if (name == "sni") tls(peer).sni = value;
  else if (name == "verify") tls(peer).verify = oneOf(param, ["full", "chain-only", "none"]) as Verify;
  else if (name == "alternative-cn") tls(peer).alternativeCn = value;
  else if (name == "ca") tls(peer).ca = value;
  else if (name == "client-cert") tls(peer).clientCert = value;
  else if (name == "curves") tls(peer).curves = value;
  else if (name == "second-key-share") tls(peer).secondKeyShare = flag(param) ? Choice.Yes : Choice.No;
  else if (name == "connect-proxy") peer.connectProxy = new ConnectProxy(value);
  else if (name == "proxy-header") {
    const proxy = peer.connectProxy;
    if (proxy !== null) proxy.headers.push(header(param));
    else bad(param);
  } else if (name == "bind-address") bindTo(peer).address = value;
  else if (name == "bind-ports") {
    const ports = split(param, "-");
    const first = u16(number(param, ports[0], u16.MAX_VALUE));
    bindTo(peer).portRange = new PortRange(first, u16(number(param, ports[1], u16.MAX_VALUE)));
  } else if (name == "bind-fallback") bindTo(peer).fallback = flag(param);
  else if (name == "isolation") peer.isolation = value;
  else return false;
  return true;
}

function setOptions(peer: Peer, param: Pair): bool {
  const name = param.name;
  if (name == "connect-ms") peer.timeouts.connectMs = u32Of(param);
  else if (name == "total-connect-ms") peer.timeouts.totalConnectMs = u32Of(param);
  else if (name == "read-ms") peer.timeouts.readMs = u32Of(param);
  else if (name == "write-ms") peer.timeouts.writeMs = u32Of(param);
  else if (name == "idle-ms") peer.timeouts.idleMs = u32Of(param);
  else if (name == "keepalive") {
    const parts = param.value.split(",");
    if (parts.length != 4) bad(param);
    else peer.tcpKeepalive = new TcpKeepalive(
      u32(number(param, parts[0], u32.MAX_VALUE)), u32(number(param, parts[1], u32.MAX_VALUE)),
      u32(number(param, parts[2], u32.MAX_VALUE)), u32(number(param, parts[3], u32.MAX_VALUE)),
    );
  } else if (name == "alpn") peer.http.alpn = oneOf(param, ["h1", "h2", "h2h1"]) as Alpn;
  else if (name == "max-h2-streams") peer.http.maxH2Streams = u32Of(param);
  else if (name == "h2-ping-interval-ms") peer.http.h2PingIntervalMs = u32Of(param);
  else if (name == "h2-stream-window") peer.http.h2StreamWindow = u32Of(param);
  else if (name == "h2-connection-window") peer.http.h2ConnectionWindow = u32Of(param);
  else if (name == "upgrade") peer.http.upgrade = oneOf(param, ["websocket", "any", "deny"]) as Upgrade;
  else if (name == "quirk") {
    const quirk = oneOf(param, [
      "keep-hop-by-hop", "keep-connection-nominated", "accept-malformed-connection", "accept-invalid-content-length",
    ]);
    peer.http.quirks |= (1 << quirk) as Quirks;
  } else if (name == "dscp") peer.socket.dscp = i64(number(param, param.value, u8.MAX_VALUE));
  else if (name == "tcp-recv-buf") peer.socket.tcpRecvBuf = u32Of(param);
  else if (name == "tcp-fast-open") peer.socket.tcpFastOpen = flag(param);
  else return false;
  return true;
}

function setRoute(route: Route, request: Request, param: Pair): bool {
  const name = param.name;
  const value = param.value;
  if (name == "authority") route.rewrite.authority = value;
  else if (name == "path-and-query") route.rewrite.pathAndQuery = value;
  else if (name == "remove") route.removeHeader(value);
  else if (name == "set") route.rewrite.setHeaders.push(header(param));
  else if (name == "add") route.rewrite.addHeaders.push(header(param));
  else if (name == "copy") {
    const names = split(param, ":");
    const copied = request.headerBytes(names[0]);
    if (copied !== null) route.rewrite.setHeaders.push(new Header(names[1], copied));
  } else if (name == "attempts") route.retry.attempts = u32Of(param);
  else if (name == "on-status") route.retry.onStatus.push(u16(number(param, value, u16.MAX_VALUE)));
  else if (name == "note") route.note = value;
  else return false;
  return true;
}

function tls(peer: Peer): Tls {
  if (peer.tls === null) peer.tls = new Tls();
  return peer.tls!;
}

function bindTo(peer: Peer): BindTo {
  if (peer.bindTo === null) peer.bindTo = new BindTo();
  return peer.bindTo!;
}

function header(param: Pair): Header {
  const parts = split(param, ":");
  return new Header(parts[0], bytes(parts[1]));
}

function u32Of(param: Pair): i64 {
  return i64(number(param, param.value, u32.MAX_VALUE));
}

function flag(param: Pair): bool {
  return oneOf(param, ["false", "true"]) == 1;
}

// Which of the names the value is.
function oneOf(param: Pair, names: StaticArray<string>): i32 {
  const index = names.indexOf(param.value);
  if (index < 0) bad(param);
  return max(index, 0);
}
