//! Time and randomness.

import * as host from "./host";

/** The time at which the decision began. It does not advance while the decision runs. */
export namespace clock {
  /** Milliseconds since 1970-01-01 00:00 UTC. */
  export function nowMs(): u64 {
    return host.clockNowMs();
  }
}

/** Unpredictable numbers. For a choice that one visitor keeps, see `hash`. */
export namespace random {
  /** 64 random bits. */
  export function bits(): u64 {
    return host.randomGetU64();
  }

  /** A number from 0 to `end`, without `end` itself; 0 if that is not positive. */
  export function below(end: i32): i32 {
    // The upper 32 bits, scaled: the upper half of a 64-bit product is below `end`.
    return end <= 0 ? 0 : i32(((bits() >> 32) * u64(end)) >> 32);
  }

  /** Two different ones, in random order. Empty if there are fewer. */
  export function pickTwo<T>(items: T[]): T[] {
    if (items.length < 2) return [];
    const first = below(items.length);
    const second = below(items.length - 1);
    return [items[first], items[second < first ? second : second + 1]];
  }
}
