/**
 * Hashes that stay: the same key gives the same result in every version of this package, on every machine, and in the
 * SDKs of other languages. They spread keys evenly; they keep no secret.
 *
 * A text is hashed as UTF-8.
 */

import type { Bytes } from './records.js';

/** A hash of a key, of 64 bits: XXH64 with seed 0. */
export function of(key: Bytes): bigint;

/**
 * Where a key lies from 0 (included) to 100 (excluded). `percent(key) < 10` holds for a tenth of all keys, and for these
 * still when 10 becomes 20.
 *
 * Two experiments that share keys should not share their tenth: put the experiment's name in the key.
 */
export function percent(key: Bytes): number;

/**
 * The node that a key belongs to. Undefined without nodes.
 *
 * A consistent hash: when a node is removed, only its keys move; a new one takes its share and no other key
 * moves. The order of the nodes does not matter.
 */
export function pick<N extends Bytes>(key: Bytes, nodes: readonly N[]): N | undefined;

/** All nodes in a key's own order, the first of them {@link pick}'s: where the key goes if the ones before fail. */
export function rank<N extends Bytes>(key: Bytes, nodes: readonly N[]): N[];
