/**
 * State that the tenant's modules keep between decisions: counters and small values.
 *
 * They live in the proxy's memory, belong to the tenant, and are lost when it restarts. A key is at most 256 bytes, a
 * value at most 16,384. Their size is bounded by the tenant's `quota.shared_bytes`: a {@link SharedError} is nothing
 * unusual, and a good module handles it.
 */

import type { Bytes } from './records.js';

export interface Options {
  /** The time after which the entry expires, in milliseconds, from its creation. Undefined: never. */
  ttlMs?: number | undefined;
}

/** Why a call failed. */
export declare class SharedError extends Error {
  private constructor();

  /**
   * `full`: the quota has no room. `too-long`: the key or the value is. `other-kind`: the entry is a counter and was to
   * be a value, or the other way round. `overflow`: the counter would leave the range of 64 bits.
   */
  readonly code: 'full' | 'too-long' | 'other-kind' | 'overflow' | 'other';
}

/**
 * Adds to a counter, which is created with 0 if it is absent, and returns the sum.
 *
 * The TTL applies to a new counter: so it counts the events within that time. A number has to be a safe integer.
 */
export function add(key: string, amount: bigint | number, options?: Options): bigint;

/** A counter. Undefined if there is none. */
export function counter(key: string): bigint | undefined;

/** A value. Undefined if there is none. */
export function get(key: string): Uint8Array | undefined;

/** The same as text: invalid UTF-8 is replaced by U+FFFD. */
export function getText(key: string): string | undefined;

/** Creates or replaces a value. */
export function set(key: string, value: Bytes, options?: Options): void;

/** Creates or replaces a value if it is as expected until then; undefined: if it is not there. Tells whether it was. */
export function compareAndSet(key: string, expected: Bytes | undefined, value: Bytes, options?: Options): boolean;

declare function remove(key: string): void;
/** Removes a counter or a value. */
export { remove as delete };
