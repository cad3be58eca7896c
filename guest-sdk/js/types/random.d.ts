/**
 * Randomness: unpredictable numbers. For a choice that one visitor keeps, see `hash`.
 *
 * A decision that uses it depends on more than its request, and is never cached. `Math.random` asks for it too.
 */

/** 64 random bits. */
export function bits(): bigint;

/** A whole number from 0 to `end`, without `end` itself; 0 if that is 0. */
export function below(end: number): number;

/** One of them. Undefined if there is none. */
export function pick<T>(items: readonly T[]): T | undefined;

/** Two different ones, in random order. Undefined if there are fewer. */
export function pickTwo<T>(items: readonly T[]): [T, T] | undefined;
