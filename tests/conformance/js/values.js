// Texts and numbers, as the job has them.

export function bad(name, value) {
  return new Error(`bad value for ${name}: ${value}`);
}

export function orDash(value) {
  return value ?? '-';
}

export function bytesOf(value) {
  return typeof value === 'string' ? new TextEncoder().encode(value) : value;
}

/** Concatenates texts and bytes. */
export function joined(pieces) {
  const parts = pieces.map(bytesOf);
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Splits at the first separators into at most this number of parts. */
export function split(text, separator, many) {
  const parts = text.split(separator);
  const rest = parts.splice(many - 1);
  return rest.length === 0 ? parts : [...parts, rest.join(separator)];
}

/** A whole number. Throws if the text is not one. */
export function integer(text) {
  if (!/^[+-]?[0-9]+$/.test(text)) throw new Error('no number');
  return BigInt(text.replace('+', ''));
}
