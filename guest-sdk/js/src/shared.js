import { shared } from '#host';

import { bytes, named, optional, record, s64, text, u32 } from './check.js';
import { decode } from './utf8.js';

export class SharedError extends Error {
  constructor(code) {
    super(`shared: ${code}`);
    this.name = 'SharedError';
    this.code = code;
  }
}

export function add(key, amount, options) {
  const call = [named('key', text, key), named('amount', s64, amount), ttl(options)];
  return tried(() => shared.add(...call));
}

export function counter(key) {
  return shared.counter(named('key', text, key));
}

export function get(key) {
  return shared.get(named('key', text, key));
}

export function getText(key) {
  const value = get(key);
  return value && decode(value);
}

export function set(key, value, options) {
  const call = [named('key', text, key), named('value', bytes, value), ttl(options)];
  tried(() => shared.set(...call));
}

export function compareAndSet(key, expected, value, options) {
  const before = expected === undefined ? undefined : named('expected', bytes, expected);
  const call = [named('key', text, key), before, named('value', bytes, value), ttl(options)];
  return tried(() => shared.compareAndSet(...call));
}

function remove(key) {
  shared.delete(named('key', text, key));
}
export { remove as delete };

const ttlOptions = record({ ttlMs: optional(u32) });

function ttl(options = {}) {
  return named('options', ttlOptions, options).ttlMs;
}

function tried(call) {
  try {
    return call();
  } catch (error) {
    // The name that the WIT has for it, as each engine throws it.
    throw new SharedError(error?.payload ?? error?.message ?? error);
  }
}
