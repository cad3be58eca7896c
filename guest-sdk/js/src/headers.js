/** Headers as a list of pairs, from such a list or from an object. Anything else stays as it is, to be refused. */
export function pairs(headers = []) {
  if (headers === null || typeof headers !== 'object') return headers;
  return Symbol.iterator in headers ? [...headers] : Object.entries(headers);
}
