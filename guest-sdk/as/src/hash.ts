//! Hashes that stay: the same key gives the same result in every version of this SDK, on every machine.
//!
//! They spread keys evenly; they keep no secret. Everything builds on XXH64 with seed 0 over the key's UTF-8, so another
//! program, or a module in another language, gets the same results.

import { bytes } from "./text";

export namespace hash {
  /** A hash of a key: XXH64 with seed 0. */
  export function xxh64(key: string): u64 {
    return digest(bytes(key), 0);
  }

  /**
   * Where a key lies from 0 (included) to 100 (excluded). `percent(key) < 10` holds for a tenth of all keys, and for
   * these still when 10 becomes 20.
   *
   * Two experiments that share keys should not share their tenth: put the experiment's name in the key.
   */
  export function percent(key: string): f64 {
    // The upper 53 bits: an f64 holds them exactly.
    const position = f64(xxh64(key) >> 11) / f64(u64(1) << 53);
    return position * 100;
  }

  /**
   * The node that a key belongs to. Null without nodes.
   *
   * A consistent hash: when a node is removed, only its keys move; a new one takes its share and no other key
   * moves. The order of the nodes does not matter.
   */
  export function pick(key: string, nodes: string[]): string | null {
    return nodes.length == 0 ? null : rank(key, nodes)[0];
  }

  /** All nodes in a key's own order, the first of them `pick`'s: where the key goes if the ones before fail. */
  export function rank(key: string, nodes: string[]): string[] {
    const keyHash = xxh64(key);
    const weighed: Weighed[] = [];
    for (let index = 0; index < nodes.length; index++) weighed.push(new Weighed(nodes[index], keyHash));
    weighed.sort(byWeight);
    const ranked: string[] = [];
    for (let index = 0; index < weighed.length; index++) ranked.push(weighed[index].node);
    return ranked;
  }
}

/** Rendezvous hashing: each node draws a number for the key, XXH64 of its name with the key's hash as the seed. */
@final
class Weighed {
  readonly bytes: Uint8Array;
  readonly weight: u64;

  constructor(readonly node: string, keyHash: u64) {
    this.bytes = bytes(node);
    this.weight = digest(this.bytes, keyHash);
  }
}

/** The highest number first. The name itself decides between equal numbers, byte by byte. */
function byWeight(one: Weighed, other: Weighed): i32 {
  if (one.weight != other.weight) return one.weight > other.weight ? -1 : 1;
  const length = min(one.bytes.length, other.bytes.length);
  const order = memory.compare(other.bytes.dataStart, one.bytes.dataStart, length);
  return order != 0 ? order : other.bytes.length - one.bytes.length;
}

const PRIME_1: u64 = 0x9e3779b185ebca87;
const PRIME_2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME_3: u64 = 0x165667b19e3779f9;
const PRIME_4: u64 = 0x85ebca77c2b2ae63;
const PRIME_5: u64 = 0x27d4eb2f165667c5;

/** XXH64, as specified. */
function digest(key: Uint8Array, seed: u64): u64 {
  let at = key.dataStart;
  const end = at + key.byteLength;
  let sum = seed + PRIME_5;
  if (key.byteLength >= 32) {
    let one = seed + PRIME_1 + PRIME_2;
    let two = seed + PRIME_2;
    let three = seed;
    let four = seed - PRIME_1;
    for (; at + 32 <= end; at += 32) {
      one = round(one, load<u64>(at));
      two = round(two, load<u64>(at, 8));
      three = round(three, load<u64>(at, 16));
      four = round(four, load<u64>(at, 24));
    }
    sum = rotl(one, 1) + rotl(two, 7) + rotl(three, 12) + rotl(four, 18);
    sum = merge(merge(merge(merge(sum, one), two), three), four);
  }
  sum += key.byteLength;
  for (; at + 8 <= end; at += 8) sum = rotl(sum ^ round(0, load<u64>(at)), 27) * PRIME_1 + PRIME_4;
  if (at + 4 <= end) {
    sum = rotl(sum ^ (u64(load<u32>(at)) * PRIME_1), 23) * PRIME_2 + PRIME_3;
    at += 4;
  }
  for (; at < end; at++) sum = rotl(sum ^ (u64(load<u8>(at)) * PRIME_5), 11) * PRIME_1;
  sum = (sum ^ (sum >> 33)) * PRIME_2;
  sum = (sum ^ (sum >> 29)) * PRIME_3;
  return sum ^ (sum >> 32);
}

function round(sum: u64, lane: u64): u64 {
  return rotl(sum + lane * PRIME_2, 31) * PRIME_1;
}

function merge(sum: u64, lane: u64): u64 {
  return (sum ^ round(0, lane)) * PRIME_1 + PRIME_4;
}
