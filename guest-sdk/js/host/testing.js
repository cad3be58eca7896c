// The host of a native test: what host/module.js offers, out of what pointsman/testing was told.

/** 2026-01-01 00:00 UTC. */
const NEW_YEAR = 1_767_225_600_000n;

const SMALLEST = -(2n ** 63n);

/** All that a test sets or a module keeps. */
export const state = fresh();

function fresh() {
  return {
    config: {}, lines: [], now: NEW_YEAR, random: [], entries: new Map(), upstreams: new Map(), groups: new Map(),
  };
}

export function reset() {
  Object.assign(state, fresh());
}

export const toU32 = (value) => value;
export const fromU32 = (value) => value;
export const toBytes = (value) => value;

export const log = {
  write: (level, message) => state.lines.push([level, message]),
};

export const config = {
  json: () => JSON.stringify(state.config),
  get(pointer) {
    const value = find(pointer);
    return value === undefined ? undefined : JSON.stringify(value);
  },
  getText(pointer) {
    const value = find(pointer);
    return typeof value === 'string' ? value : undefined;
  },
};

/** A JSON Pointer (RFC 6901). */
function find(pointer) {
  if (pointer !== '' && !pointer.startsWith('/')) return undefined;
  const names = pointer.split('/').slice(1).map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  return names.reduce(member, state.config);
}

function member(value, name) {
  if (Array.isArray(value)) return /^(0|[1-9][0-9]*)$/.test(name) ? value[name] : undefined;
  return value !== null && typeof value === 'object' && Object.hasOwn(value, name) ? value[name] : undefined;
}

export const clock = {
  nowMs: () => state.now,
};

export const random = {
  getU64: () => state.random.shift() ?? 0n,
};

/** All but the tenant's quota. */
export const shared = {
  add(key, amount, ttlMs) {
    const entry = kept(key) ?? { count: 0n, end: endOf(ttlMs) };
    if (entry.count === undefined) throw new Error('other-kind');
    const count = entry.count + amount;
    if (count < SMALLEST || count >= -SMALLEST) throw new Error('overflow');
    state.entries.set(withinLimits(key), { ...entry, count });
    return count;
  },
  counter: (key) => kept(key)?.count,
  get: (key) => kept(key)?.value,
  set(key, value, ttlMs) {
    if (kept(key)?.count !== undefined) throw new Error('other-kind');
    state.entries.set(withinLimits(key, value), { value, end: endOf(ttlMs) });
  },
  compareAndSet(key, expected, value, ttlMs) {
    const entry = kept(key);
    if (entry?.count !== undefined) throw new Error('other-kind');
    withinLimits(key, value);
    const before = entry?.value;
    const isExpected = before === undefined || expected === undefined
      ? before === expected
      : before.length === expected.length && before.every((byte, at) => byte === expected[at]);
    if (isExpected) shared.set(key, value, ttlMs);
    return isExpected;
  },
  delete: (key) => state.entries.delete(key),
};

function kept(key) {
  const entry = state.entries.get(key);
  return entry?.end === undefined || entry.end > state.now ? entry : undefined;
}

function endOf(ttlMs) {
  return ttlMs === undefined ? undefined : state.now + BigInt(ttlMs);
}

function withinLimits(key, value = '') {
  if (Buffer.byteLength(key) > 256 || value.length > 16_384) throw new Error('too-long');
  return key;
}

export const upstreams = {
  get: (address) => state.upstreams.get(address) ?? unknown(address),
  group: (name) => state.groups.get(name),
};

/** An upstream of which nothing is known. */
export function unknown(address) {
  return { address, health: 'unknown', inFlight: 0, latencyUs: undefined, failures: 0 };
}
