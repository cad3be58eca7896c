import { random } from '#host';

export function bits() {
  return random.getU64();
}

export function below(end) {
  // The upper half of a 128-bit product is below `end`.
  return Number(bits() * BigInt(end) >> 64n);
}

export function pick(items) {
  return items[below(items.length)];
}

export function pickTwo(items) {
  if (items.length < 2) return undefined;
  const first = below(items.length);
  const second = below(items.length - 1);
  return [items[first], items[second < first ? second : second + 1]];
}
