// Requests, configuration and all else that a host offers, for tests with `node --test`. Documented in index.d.ts.

import { state, unknown } from '../host/testing.js';
import { decision } from '../src/answer.js';
import { pairs } from '../src/headers.js';
import { Request } from '../src/request.js';
import { bytes, decode } from '../src/utf8.js';

export { reset } from '../host/testing.js';

export function get(url, options) {
  return request('GET', url, options);
}

export function request(method, url, options) {
  return new Request(new Recorded(method, url, options));
}

export function decide(selectPeer, request) {
  return decision(selectPeer(request));
}

export function config(table) {
  if (table === null || typeof table !== 'object' || Array.isArray(table)) {
    throw new TypeError('testing.config: a module\'s configuration is an object');
  }
  // As the host gives it: JSON.
  state.config = JSON.parse(JSON.stringify(table));
}

export function logLines() {
  return state.lines.splice(0);
}

export function clock(ms) {
  state.now = BigInt(ms);
}

export function random(values) {
  state.random = [...values];
}

export function upstream(address, figures) {
  state.upstreams.set(address, { ...unknown(address), ...figures });
}

export function group(name, members) {
  const known = ({ address, ...figures }) => ({ ...unknown(address), ...figures });
  state.groups.set(name, members.map((member) => known(typeof member === 'string' ? { address: member } : member)));
}

export function refused(address) {
  return failed(address, { stage: 'connect', failure: 'refused' });
}

export function timedOut(address) {
  return failed(address, { stage: 'connect', failure: 'timeout' });
}

export function closed(address) {
  return failed(address, { stage: 'receive', failure: 'closed', requestSent: true });
}

export function status(address, code) {
  return failed(address, { stage: 'receive', failure: 'status', status: code, requestSent: true });
}

function failed(address, facts) {
  return {
    number: 1, address, status: undefined, reusedConnection: false, requestSent: false, elapsedMs: 1, detail: '', ...facts,
  };
}

/** The host's data. Its methods are those of the WIT's resource. */
class Recorded {
  #facts;

  constructor(method, url, { headers, clientIp = '192.0.2.1', listener = 'test', tls, attempts = [], ...unknown } = {}) {
    const [surplus] = Object.keys(unknown);
    if (surplus !== undefined) throw new TypeError(`testing: a request has no \`${surplus}\``);
    const [, scheme = 'http', authority = '', path, query] = /^(?:(https?):\/\/([^/?]*))?([^?]*)(?:\?(.*))?$/s.exec(url);
    this.#facts = {
      method,
      scheme,
      authority: authority.toLowerCase(),
      path: path || '/',
      query,
      headers: pairs(headers).map(([name, value]) => ({ name: name.toLowerCase(), value: bytes(value) })),
      clientIp,
      listener,
      tls: tls ?? (scheme === 'https' ? clientTls(authority) : undefined),
      attempts: attempts.map((attempt, index) => ({ ...attempt, number: index + 1 })),
    };
  }

  method() {
    return this.#facts.method;
  }

  scheme() {
    return this.#facts.scheme;
  }

  authority() {
    return this.#facts.authority;
  }

  path() {
    return this.#facts.path;
  }

  query() {
    return this.#facts.query;
  }

  header(name) {
    return this.headerValues(name)[0];
  }

  headerText(name) {
    const value = this.header(name);
    return value && decode(value);
  }

  headerValues(name) {
    return this.#facts.headers.filter((header) => header.name === name.toLowerCase()).map(({ value }) => value);
  }

  headers() {
    const names = new Set(this.#facts.headers.map(({ name }) => name));
    return [...names].flatMap((name) => this.#facts.headers.filter((header) => header.name === name));
  }

  clientIp() {
    return this.#facts.clientIp;
  }

  listener() {
    return this.#facts.listener;
  }

  tls() {
    return this.#facts.tls;
  }

  attempts() {
    return this.#facts.attempts;
  }
}

function clientTls(authority) {
  const sni = authority.toLowerCase().replace(/:[0-9]*$/, '');
  return { sni, version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', clientCertSha256: undefined };
}
