import { fromU32, toBytes } from '#host';

import { decode, percentDecode } from './utf8.js';

export class Request {
  #source;

  /** What has the methods of the WIT's resource. */
  constructor(source) {
    this.#source = source;
  }

  get method() {
    return this.#source.method();
  }

  get scheme() {
    return this.#source.scheme();
  }

  get authority() {
    return this.#source.authority();
  }

  get host() {
    const authority = this.authority;
    const colon = authority.lastIndexOf(':');
    // A colon within brackets belongs to an IPv6 address.
    return colon < 0 || authority.includes(']', colon) ? authority : authority.slice(0, colon);
  }

  get path() {
    return this.#source.path();
  }

  get pathSegments() {
    return this.path.split('/').filter((segment) => segment !== '').map(percentDecode);
  }

  get query() {
    return this.#source.query() ?? undefined;
  }

  queryParam(name) {
    return valueOf(name, this.queryParams);
  }

  get queryParams() {
    const query = this.query ?? '';
    return query.split('&').filter((pair) => pair !== '').map((pair) => {
      const [name, value] = splitOnce(pair.replaceAll('+', ' '), '=') ?? [pair.replaceAll('+', ' '), ''];
      return [percentDecode(name), percentDecode(value)];
    });
  }

  header(name) {
    return this.#source.headerText(name) ?? undefined;
  }

  headerBytes(name) {
    const value = this.#source.header(name) ?? undefined;
    return value && toBytes(value);
  }

  headerValues(name) {
    return this.#source.headerValues(name).map(toBytes);
  }

  get headers() {
    return this.#source.headers().map(({ name, value }) => [name, toBytes(value)]);
  }

  cookie(name) {
    return valueOf(name, this.cookies);
  }

  get cookies() {
    const pairs = this.headerValues('cookie').flatMap((header) => decode(header).split(';'));
    return pairs.map((pair) => splitOnce(pair, '=')?.map((half) => half.trim())).filter((pair) => pair !== undefined);
  }

  get clientIp() {
    return this.#source.clientIp();
  }

  get listener() {
    return this.#source.listener();
  }

  get tls() {
    const tls = this.#source.tls() ?? undefined;
    if (tls === undefined) return undefined;
    const digest = tls.clientCertSha256 ?? undefined;
    return { ...tls, sni: tls.sni ?? undefined, clientCertSha256: digest && toBytes(digest) };
  }

  get attempts() {
    return this.#source.attempts().map((attempt) => ({
      ...attempt, status: attempt.status ?? undefined, elapsedMs: fromU32(attempt.elapsedMs),
    }));
  }
}

function splitOnce(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? undefined : [text.slice(0, at), text.slice(at + 1)];
}

function valueOf(name, pairs) {
  return pairs.find(([key]) => key === name)?.[1];
}
