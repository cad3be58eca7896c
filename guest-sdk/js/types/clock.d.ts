/**
 * The time at which the decision began. It does not advance while the decision runs.
 *
 * A decision that uses it depends on more than its request, and is never cached. `Date` asks for it too.
 */

/** Milliseconds since 1970-01-01 00:00 UTC. */
export function nowMs(): number;
