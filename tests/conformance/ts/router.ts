// The routing job of tests/conformance, in TypeScript.

import {
  Peer, Response, Route, clock, config, hash, log, pass, random, shared, upstreams,
  type Answer, type Attempt, type Bytes, type Request,
} from 'pointsman';

import { route } from './peer.ts';
import { bad, bytesOf, integer, joined, orDash, split } from './values.ts';

const configured = { bytes: 0, calls: 0 };

/** Each line is a text, or a list of texts and bytes. */
type Line = string | Bytes[];

type Param = [name: string, value: string];

export function configure(): void {
  const text = config.json();
  if (text.includes('"refuse"')) throw new Error('refused as told');
  configured.bytes = bytesOf(text).length;
  configured.calls += 1;
}

export function selectPeer(request: Request): Answer {
  const part = request.path.split('/')[1] ?? '';
  const params = request.queryParams;
  const named = (wanted: string) => params.filter(([name]) => name === wanted).map(([, value]) => value);
  switch (part) {
    case 'peer': return route(request, params);
    case 'echo': return echo(request);
    case 'attempts': return plain(request.attempts.map(attempt));
    case 'failover': return failover(request);
    case 'canary': return canary(request);
    case 'hash': return plain(named('key').map(hashed));
    case 'config': return plain([config.json(), ...named('pointer').map(configuredAt)]);
    case 'shared': return plain(params.map(kept));
    case 'upstreams': return plain(params.flatMap(seen));
    case 'clock': return plain([clock.nowMs() === clock.nowMs() && clock.nowMs() > 1_600_000_000_000 ? 'ok' : 'wrong']);
    case 'random': return plain([random.bits() !== random.bits() ? 'ok' : 'wrong']);
    case 'log': return written(params);
    case 'respond': return respond(params);
    case 'pass': return pass;
    case 'error': throw new Error(named('text')[0] ?? '');
    case 'configured': return plain([`configured ${configured.bytes} ${configured.calls}`]);
    default: throw new Error(`unknown part ${part}`);
  }
}

function plain(lines: Line[], headers: [string, Bytes][] = []): Response {
  return new Response(200, {
    headers: [['content-type', 'text/plain; charset=utf-8'], ...headers],
    body: joined(lines.flatMap((line) => (typeof line === 'string' ? [line, '\n'] : [...line, '\n']))),
  });
}

function echo(request: Request): Response {
  const { tls } = request;
  const lines: Line[] = [
    `method ${request.method}`,
    `scheme ${request.scheme}`,
    `authority ${request.authority}`,
    `host ${request.host}`,
    `path ${request.path}`,
    ...request.pathSegments.map((segment) => `segment ${segment}`),
    `query ${orDash(request.query)}`,
    ...request.queryParams.map(([name, value]) => `param ${name}=${value}`),
    `client-ip ${request.clientIp}`,
    `listener ${request.listener}`,
    tls ? `tls ${orDash(tls.sni)} ${tls.version} ${tls.cipher} ${orDash(hex(tls.clientCertSha256))}` : 'tls -',
    ...request.headers.map(([name, value]): Line => [`header ${name}:`, value]),
    ...request.cookies.map(([name, value]) => `cookie ${name}=${value}`),
  ];
  const first = request.headerBytes('x-echo');
  return plain(lines, [
    ...request.headerValues('x-echo').map((value): [string, Bytes] => ['x-echoed', value]),
    ...(first ? [['x-first', first], ['x-text', request.header('x-echo') ?? '']] satisfies [string, Bytes][] : []),
  ]);
}

function hex(bytes: Uint8Array | undefined): string | undefined {
  return bytes && [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function attempt({ number, address, stage, failure, status, reusedConnection, requestSent, elapsedMs, detail }: Attempt) {
  const [reused, sent] = [reusedConnection ? 'reused' : 'new', requestSent ? 'sent' : 'unsent'];
  return `${number} ${address} ${stage} ${failure} ${orDash(status)} ${reused} ${sent} ${elapsedMs} ${detail}`;
}

function failover(request: Request): Answer {
  const failed = request.attempts;
  const last = failed.at(-1);
  if (last) log.warn(`${last.address} failed: ${last.failure}`);
  const upstream = config.texts('/upstreams')[failed.length];
  if (upstream !== undefined) return Route.to(Peer.http(upstream), { onStatus: [502, 503] });
  return new Response(503, {
    headers: { 'content-type': 'text/plain; charset=utf-8', 'retry-after': '30' },
    body: 'no upstream is left\n',
  });
}

function canary(request: Request): Route {
  const visitor = request.cookie('session') ?? request.clientIp;
  const isCanary = hash.percent(visitor) < config.number('/percent');
  const [note, pointer] = isCanary ? ['canary', '/upstreams/1'] as const : ['stable', '/upstreams/0'] as const;
  return Route.to(Peer.http(config.text(pointer)), { note });
}

function hashed(key: string): string {
  const permille = Math.floor(hash.percent(key) * 10);
  return `${hash.of(key).toString(16).padStart(16, '0')} ${permille} ${hash.rank(key, config.texts('/upstreams'))}`;
}

function configuredAt(pointer: string): string {
  const value = config.value(pointer);
  return `${orDash(config.get(pointer))} ${typeof value === 'string' ? config.text(pointer) : '-'}`;
}

const CALLS: Record<string, (...parts: [string, string, string]) => Line> = {
  add: (key, amount) => `add ${shared.add(key, integer(amount))}`,
  'add-ttl': (key, amount, ttl) => `add ${shared.add(key, integer(amount), { ttlMs: Number(ttl) })}`,
  counter: (key) => `counter ${orDash(shared.counter(key))}`,
  get: (key) => ['get ', shared.get(key) ?? '-'],
  set: (key, value) => (shared.set(key, value), 'set'),
  swap: (key, expected, value) => `swap ${shared.compareAndSet(key, expected === '' ? undefined : expected, value)}`,
  delete: (key) => (shared.delete(key), 'delete'),
};

function kept([name, value]: Param): Line {
  const call = CALLS[name];
  const parts = call === undefined ? [] : split(value, ':', call.length);
  if (call === undefined || parts.length < call.length) throw bad(name, value);
  try {
    return call(...(parts as [string, string, string]));
  } catch (error) {
    if (!(error instanceof shared.SharedError)) throw bad(name, value);
    return `error ${error.code}`;
  }
}

function seen([name, value]: Param): string[] {
  const line = ({ address, health, inFlight, latencyUs, failures }: upstreams.Upstream) =>
    `${address} ${health} ${inFlight} ${orDash(latencyUs)} ${failures}`;
  if (name === 'get') return [line(upstreams.get(value))];
  if (name !== 'group') return [];
  try {
    return upstreams.group(value).map(line);
  } catch {
    return [`no group ${value}`];
  }
}

function written(params: Param[]): Answer {
  const levels = ['trace', 'debug', 'info', 'warn', 'error'] as const;
  for (const [name, text] of params) {
    const level = levels.find((level) => level === name);
    if (level) log.write(level, text);
  }
  return pass;
}

function respond(params: Param[]): Response {
  const response = new Response(200);
  for (const [name, value] of params) {
    if (name === 'status') response.status = Number(integer(value));
    if (name === 'body') response.body = value;
    if (name === 'header') {
      const [header, text] = split(value, ':', 2);
      if (header === undefined || text === undefined) throw bad(name, value);
      response.headers.push([header, text]);
    }
  }
  return response;
}
