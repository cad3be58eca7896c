/**
 * The time at which the decision began. It stands still while the decision runs.
 *
 * A decision that asks for it depends on more than its request, and is never remembered. `Date` asks for it too.
 */

/** Milliseconds since 1970-01-01 00:00 UTC. */
export function nowMs(): number;
