//! State that the tenant's modules keep between decisions: counters and small values.
//!
//! They live in the proxy's memory, belong to the tenant, and are lost when it restarts. Their size is bounded by the
//! tenant's `quota.shared_bytes`: an error is not unusual, and a good module handles it. A key is at
//! most 256 bytes, a value at most 16,384.
//!
//! `ttlMs` is the time after which an entry expires, from its creation; `NONE`: never.

import { AREA, Argument, NONE, Reader } from "./abi";
import * as host from "./host";

/** What can go wrong with an entry. `None`: nothing did. */
export enum SharedError { None = -1, Full, TooLong, OtherKind, Overflow, Other }

/** A counter after it was added to, or the error. */
@final
export class Sum {
  constructor(public value: i64, public error: SharedError) {}
}

/** A counter that is there. */
@final
export class Counter {
  constructor(public value: i64) {}
}

/** Whether a value was replaced, or the error. */
@final
export class Swap {
  constructor(public done: bool, public error: SharedError) {}
}

export namespace shared {
  /**
   * Adds to a counter, which is created with 0 if it is absent, and returns the sum. A counter keeps the TTL that it
   * was created with, so one with a TTL counts the events within that time.
   */
  export function add(key: string, amount: i64, ttlMs: i64 = NONE): Sum {
    const name = Argument.of(key);
    host.sharedAdd(name.pointer, name.length, amount, i32(ttlMs != NONE), ttl(ttlMs), AREA);
    return load<u8>(AREA) == 0 ? new Sum(load<i64>(AREA, 8), SharedError.None) : new Sum(0, load<u8>(AREA, 8));
  }

  /** A counter. Null if there is none. */
  export function counter(key: string): Counter | null {
    const name = Argument.of(key);
    host.sharedCounter(name.pointer, name.length, AREA);
    return load<u8>(AREA) == 0 ? null : new Counter(load<i64>(AREA, 8));
  }

  /** A value. Null if there is none. */
  export function get(key: string): Uint8Array | null {
    const name = Argument.of(key);
    host.sharedGet(name.pointer, name.length, AREA);
    return new Reader(AREA).optionBytes();
  }

  /** Creates or replaces a value. */
  export function set(key: string, value: Uint8Array, ttlMs: i64 = NONE): SharedError {
    const name = Argument.of(key);
    const bytes = new Argument(value);
    const hasTtl = i32(ttlMs != NONE);
    host.sharedSet(name.pointer, name.length, bytes.pointer, bytes.length, hasTtl, ttl(ttlMs), AREA);
    return load<u8>(AREA) == 0 ? SharedError.None : load<u8>(AREA, 1);
  }

  /** Creates or replaces a value if the current one is as expected; null: if it is absent. */
  export function compareAndSet(key: string, expected: Uint8Array | null, value: Uint8Array, ttlMs: i64 = NONE): Swap {
    const name = Argument.of(key);
    const old = new Argument(expected !== null ? expected : new Uint8Array(0));
    const bytes = new Argument(value);
    host.sharedCompareAndSet(
      name.pointer, name.length, i32(expected !== null), old.pointer, old.length, bytes.pointer, bytes.length,
      i32(ttlMs != NONE), ttl(ttlMs), AREA,
    );
    const second = load<u8>(AREA, 1);
    return load<u8>(AREA) == 0 ? new Swap(second != 0, SharedError.None) : new Swap(false, second);
  }

  /** The text for the log, with the contract's name for the error: `shared: too-long`. */
  export function message(error: SharedError): string {
    switch (error) {
      case SharedError.Full: return "shared: full";
      case SharedError.TooLong: return "shared: too-long";
      case SharedError.OtherKind: return "shared: other-kind";
      case SharedError.Overflow: return "shared: overflow";
      case SharedError.None: return "shared: no error";
      default: return "shared: other";
    }
  }

  /** Removes a counter or a value. */
  export function remove(key: string): void {
    const name = Argument.of(key);
    host.sharedDelete(name.pointer, name.length);
  }
}

/** At most 49 days, the maximum of the contract. */
function ttl(ms: i64): u32 {
  return u32(max<i64>(0, min<i64>(ms, u32.MAX_VALUE)));
}
