// Where each line of a bundle comes from: what src/positions.js needs of esbuild's source map to name an author's line.

import path from 'node:path';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** For code that is not the author's: the SDK, and packages of npm. */
const OTHERS = -1;

/**
 * The author's files, and a flat list of entries `line, column, file, source line` of the bundle, in order. An entry
 * holds until the next one; on each further line of the bundle the source line is one more. All but columns and files
 * begin with 1.
 *
 * `folder` is the router's. Sources in `sdk` and in a `node_modules` are not the author's.
 */
export function positions({ sources, mappings }, folder, sdk) {
  const isOthers = (file) => file.startsWith('<') || `${path.resolve(folder, file)}/`.startsWith(`${sdk}/`)
    || file.split('/').includes('node_modules');
  const authors = sources.filter((file) => !isOthers(file));
  const entries = [];
  let last = { line: 0, file: OTHERS, source: 0 };
  for (const { line, segments } of decoded(mappings)) {
    segments.forEach(([start, of, source], index) => {
      const file = authors.indexOf(sources[of]);
      const expected = last.line === line ? last.source : last.source + line - last.line;
      if (file === last.file && (file === OTHERS || source === expected)) return;
      last = { line, file, source };
      entries.push(line, index === 0 ? 0 : start, file, file === OTHERS ? 0 : source);
    });
  }
  return { files: authors, entries };
}

/** Each line of the bundle with its segments: start column, index of the source, line there. */
function* decoded(mappings) {
  let [of, source] = [0, 1];
  for (const [index, text] of mappings.split(';').entries()) {
    let start = 0;
    const segments = text.split(',').filter(Boolean).map((segment) => {
      const [columns, sources, lines] = numbers(segment);
      start += columns;
      of += sources ?? 0;
      source += lines ?? 0;
      return [start, of, source];
    });
    yield { line: index + 1, segments };
  }
}

/** The numbers of a segment: base 64 with the sign in the lowest bit (VLQ). */
function numbers(segment) {
  const found = [];
  let [value, shift] = [0, 0];
  for (const letter of segment) {
    const digit = DIGITS.indexOf(letter);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit < 32) {
      found.push(value & 1 ? -(value >> 1) : value >> 1);
      [value, shift] = [0, 0];
    }
  }
  return found;
}
