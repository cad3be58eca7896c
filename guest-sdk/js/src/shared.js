import { shared } from '#host';
import { bytes as bytesOf, s64, text as textOf, u32 } from './check.js';
import { decode } from './utf8.js';

export class SharedError extends Error {
  constructor(code, key) {
    super(`shared: \`${key}\`: ${code}`);
    this.name = 'SharedError';
    this.code = code;
  }
}

export function add(key, amount, options) {
  return tried(key, (checked) => shared.add(checked, s64(BigInt(amount), 'amount'), ttl(options)));
}

export function counter(key) {
  return shared.counter(textOf(key, 'key'));
}

export function get(key) {
  return shared.get(textOf(key, 'key'));
}

export function getText(key) {
  const value = get(key);
  return value && decode(value);
}

export function set(key, value, options) {
  tried(key, (checked) => shared.set(checked, bytesOf(value, 'value'), ttl(options)));
}

export function compareAndSet(key, expected, value, options) {
  return tried(key, (checked) => {
    const before = expected === undefined ? undefined : bytesOf(expected, 'expected');
    return shared.compareAndSet(checked, before, bytesOf(value, 'value'), ttl(options));
  });
}

function remove(key) {
  shared.delete(textOf(key, 'key'));
}
export { remove as delete };

function ttl({ ttlMs, ...unknown } = {}) {
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw new TypeError(`shared: there is no option \`${name}\``);
  return ttlMs === undefined ? undefined : u32(ttlMs, 'ttlMs');
}

function tried(key, call) {
  const checked = textOf(key, 'key');
  try {
    return call(checked);
  } catch (error) {
    if (error instanceof TypeError) throw error;
    // The host's error: its name in the WIT, as each engine throws it.
    throw new SharedError(error?.payload ?? error?.message ?? error, checked);
  }
}
