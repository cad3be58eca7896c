// The host's imports, as both engines know them, in one form: `undefined` for none, BigInt for 64 bits.
//
// QuickJS gives null for none, takes 32 bits as signed, and passes 64 as a pair of 32-bit integers (build/quickjs.mjs
// says why). `QUICKJS` is set by the build.

import * as clocks from 'pointsman:router/clock@0.1.0';
import * as configuration from 'pointsman:router/config@0.1.0';
import * as logging from 'pointsman:router/log@0.1.0';
import * as randomness from 'pointsman:router/random@0.1.0';
import * as store from 'pointsman:router/shared@0.1.0';
import * as imported from 'pointsman:router/upstreams@0.1.0';

const fromSigned = QUICKJS ? ([low, high]) => BigInt(high) << 32n | BigInt(low >>> 0) : (value) => value;
const fromUnsigned = QUICKJS ? (pair) => BigInt.asUintN(64, fromSigned(pair)) : (value) => value;
const toSigned = QUICKJS ? (value) => [Number(BigInt.asIntN(32, value)), Number(value >> 32n)] : (value) => value;

export const toU32 = QUICKJS ? (value) => value | 0 : (value) => value;
export const fromU32 = (value) => value >>> 0;

/** StarlingMonkey gives some lists of bytes as something else. */
export const toBytes = (value) => (value instanceof Uint8Array ? value : new Uint8Array(value));

export const log = {
  write: (level, message) => logging.log(level, message),
};

export const config = {
  json: () => configuration.json(),
  get: (pointer) => configuration.get(pointer) ?? undefined,
  getText: (pointer) => configuration.getText(pointer) ?? undefined,
};

export const clock = {
  nowMs: () => fromUnsigned(clocks.nowMs()),
};

export const random = {
  getU64: () => fromUnsigned(randomness.getU64()),
};

export const shared = {
  add: (key, amount, ttlMs) => fromSigned(store.add(key, toSigned(amount), ttlMs)),
  counter: (key) => {
    const count = store.counter(key) ?? undefined;
    return count === undefined ? undefined : fromSigned(count);
  },
  get(key) {
    const value = store.get(key) ?? undefined;
    return value && toBytes(value);
  },
  set: (key, value, ttlMs) => store.set(key, value, ttlMs),
  compareAndSet: (key, expected, value, ttlMs) => store.compareAndSet(key, expected, value, ttlMs),
  delete: (key) => store.delete(key),
};

export const upstreams = {
  get: (address) => imported.get(address),
  group: (name) => imported.group(name) ?? undefined,
};
