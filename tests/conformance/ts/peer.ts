// The part `peer`: each parameter sets a field of the record.

import { Peer, Route, type BindTo, type Request, type Tls } from 'pointsman';

import { bad, split } from './values.ts';

export function route(request: Request, params: [name: string, value: string][]): Route {
  const route = Route.to(Peer.http(''));
  for (const [name, value] of params) {
    const set = SETTERS.get(name);
    if (!set) throw new Error(`unknown parameter ${name}`);
    set(route, new Parameter(name, value), request);
  }
  return route;
}

class Parameter {
  readonly name: string;
  readonly text: string;

  constructor(name: string, value: string) {
    this.name = name;
    this.text = value;
  }

  bad(): Error {
    return bad(this.name, this.text);
  }

  whole(most: number, text = this.text): number {
    const number = /^[0-9]+$/.test(text) ? Number(text) : NaN;
    if (!(number <= most)) throw this.bad();
    return number;
  }

  get u8() {
    return this.whole(0xff);
  }

  get u16() {
    return this.whole(0xffff);
  }

  get u32() {
    return this.whole(0xffffffff);
  }

  get flag(): boolean {
    return this.oneOf('true', 'false') === 'true';
  }

  oneOf<Name extends string>(...names: Name[]): Name {
    const name = names.find((name) => name === this.text);
    if (name === undefined) throw this.bad();
    return name;
  }

  /** Two parts, at the first separator. */
  pair(separator: string): [string, string] {
    const [first, second] = split(this.text, separator, 2);
    if (first === undefined || second === undefined) throw this.bad();
    return [first, second];
  }
}

type Setter = (route: Route, value: Parameter, request: Request) => void;

const tls = ({ peer }: Route): Tls => (peer.tls ??= {});

function bindTo({ peer }: Route): BindTo {
  if (typeof peer.bindTo !== 'object') peer.bindTo = {};
  return peer.bindTo;
}

const SETTERS = new Map<string, Setter>(Object.entries<Setter>({
  address: ({ peer }, value) => { peer.address = value.text; },
  tls,
  sni: (route, value) => { tls(route).sni = value.text; },
  verify: (route, value) => { tls(route).verify = value.oneOf('full', 'chain-only', 'none'); },
  'alternative-cn': (route, value) => { tls(route).alternativeCn = value.text; },
  ca: (route, value) => { tls(route).ca = value.text; },
  'client-cert': (route, value) => { tls(route).clientCert = value.text; },
  curves: (route, value) => { tls(route).curves = value.text; },
  'second-key-share': (route, value) => { tls(route).secondKeyShare = value.flag; },
  'connect-proxy': ({ peer }, value) => { peer.connectProxy = { address: value.text }; },
  'proxy-header': ({ peer }, value) => {
    if (typeof peer.connectProxy !== 'object') throw value.bad();
    peer.connectProxy.headers = [...(peer.connectProxy.headers as [string, string][] ?? []), value.pair(':')];
  },
  'bind-address': (route, value) => { bindTo(route).address = value.text; },
  'bind-ports': (route, value) => {
    const [first, last] = value.pair('-');
    bindTo(route).portRange = [value.whole(0xffff, first), value.whole(0xffff, last)];
  },
  'bind-fallback': (route, value) => { bindTo(route).fallback = value.flag; },
  'connect-ms': ({ peer }, value) => { peer.timeouts.connectMs = value.u32; },
  'total-connect-ms': ({ peer }, value) => { peer.timeouts.totalConnectMs = value.u32; },
  'read-ms': ({ peer }, value) => { peer.timeouts.readMs = value.u32; },
  'write-ms': ({ peer }, value) => { peer.timeouts.writeMs = value.u32; },
  'idle-ms': ({ peer }, value) => { peer.timeouts.idleMs = value.u32; },
  keepalive: ({ peer }, value) => {
    const numbers = value.text.split(',').map((number) => value.whole(0xffffffff, number));
    if (numbers.length !== 4) throw value.bad();
    const [idleS, intervalS, count, userTimeoutMs] = numbers as [number, number, number, number];
    peer.tcpKeepalive = { idleS, intervalS, count, userTimeoutMs };
  },
  alpn: ({ peer }, value) => { peer.http.alpn = value.oneOf('h1', 'h2', 'h2h1'); },
  'max-h2-streams': ({ peer }, value) => { peer.http.maxH2Streams = value.u32; },
  'h2-ping-interval-ms': ({ peer }, value) => { peer.http.h2PingIntervalMs = value.u32; },
  'h2-stream-window': ({ peer }, value) => { peer.http.h2StreamWindow = value.u32; },
  'h2-connection-window': ({ peer }, value) => { peer.http.h2ConnectionWindow = value.u32; },
  upgrade: ({ peer }, value) => { peer.http.upgrade = value.oneOf('websocket', 'any', 'deny'); },
  quirk: ({ peer }, value) => {
    const quirk = value.oneOf(
      'keep-hop-by-hop', 'keep-connection-nominated', 'accept-malformed-connection', 'accept-invalid-content-length',
    );
    peer.http.quirks = [...(peer.http.quirks ?? []), quirk];
  },
  dscp: ({ peer }, value) => { peer.socket.dscp = value.u8; },
  'tcp-recv-buf': ({ peer }, value) => { peer.socket.tcpRecvBuf = value.u32; },
  'tcp-fast-open': ({ peer }, value) => { peer.socket.tcpFastOpen = value.flag; },
  isolation: ({ peer }, value) => { peer.isolation = value.text; },
  authority: (route, value) => { route.authority = value.text; },
  'path-and-query': (route, value) => { route.pathAndQuery = value.text; },
  remove: (route, value) => { route.removeHeaders.push(value.text); },
  set: (route, value) => { route.setHeaders.push(value.pair(':')); },
  add: (route, value) => { route.addHeaders.push(value.pair(':')); },
  copy: (route, value, request) => {
    const [from, to] = value.pair(':');
    const bytes = request.headerBytes(from);
    if (bytes) route.setHeaders.push([to, bytes]);
  },
  attempts: (route, value) => { route.attempts = value.u32; },
  'on-status': (route, value) => { route.onStatus.push(value.u16); },
  note: (route, value) => { route.note = value.text; },
}));
