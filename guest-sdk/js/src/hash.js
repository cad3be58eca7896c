import { bytes } from './utf8.js';

const MASK = (1n << 64n) - 1n;
const [P1, P2, P3, P4, P5] = [
  0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n, 0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n,
];

export function of(key) {
  return xxh64(bytes(key), 0n);
}

export function percent(key) {
  // The upper 53 bits: a number holds them exactly.
  return Number(of(key) >> 11n) / 2 ** 53 * 100;
}

export function pick(key, nodes) {
  return rank(key, nodes)[0];
}

export function rank(key, nodes) {
  const seed = of(key);
  const weighed = nodes.map((node) => ({ node, weight: xxh64(bytes(node), seed) }));
  weighed.sort((a, b) => (a.weight === b.weight ? byName(b.node, a.node) : a.weight < b.weight ? 1 : -1));
  return weighed.map(({ node }) => node);
}

/** The name decides between equal weights, byte by byte. */
function byName(one, other) {
  const [a, b] = [bytes(one), bytes(other)];
  const at = a.findIndex((byte, index) => byte !== b[index]);
  return at < 0 ? a.length - b.length : a[at] - (b[at] ?? -1);
}

/** XXH64. */
function xxh64(input, seed) {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const length = input.length;
  let at = 0;
  let hash;
  if (length >= 32) {
    const lanes = [seed + P1 + P2, seed + P2, seed, seed - P1];
    for (; at + 32 <= length; at += 32) {
      for (let lane = 0; lane < 4; lane += 1) {
        lanes[lane] = round(lanes[lane], view.getBigUint64(at + lane * 8, true));
      }
    }
    const [a, b, c, d] = lanes.map((lane) => lane & MASK);
    hash = rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n) & MASK;
    for (const lane of lanes) hash = (hash ^ round(0n, lane)) * P1 + P4 & MASK;
  } else {
    hash = seed + P5;
  }
  hash = hash + BigInt(length) & MASK;
  for (; at + 8 <= length; at += 8) {
    hash = rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4 & MASK;
  }
  if (at + 4 <= length) {
    hash = rotate(hash ^ BigInt(view.getUint32(at, true)) * P1 & MASK, 23n) * P2 + P3 & MASK;
    at += 4;
  }
  for (; at < length; at += 1) {
    hash = rotate(hash ^ BigInt(input[at]) * P5 & MASK, 11n) * P1 & MASK;
  }
  hash = (hash ^ hash >> 33n) * P2 & MASK;
  hash = (hash ^ hash >> 29n) * P3 & MASK;
  return hash ^ hash >> 32n;
}

function round(lane, input) {
  return rotate(lane + input * P2 & MASK, 31n) * P1 & MASK;
}

/** To the left; of 64 bits. */
function rotate(value, bits) {
  return (value << bits | value >> 64n - bits) & MASK;
}
