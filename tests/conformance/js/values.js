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

/** So many parts, at the first separators; fewer, if there are not so many. */
export function split(text, separator, many) {
  if (many === undefined) return undefined;
  const parts = text.split(separator);
  return [...parts.slice(0, many - 1), ...(parts.length < many ? parts.slice(many - 1) : [parts.slice(many - 1).join(separator)])];
}

/** A whole number. Throws if the text is none. */
export function integer(text) {
  if (!/^[+-]?[0-9]+$/.test(text)) throw new Error('no number');
  return BigInt(text.replace('+', ''));
}
