// The author's file and line for a place in the bundle, which is the one file that the engine knows.

/** At most this many places of a stack are named. */
const MOST = 10;

let table = { files: [], entries: [] };

/** Takes the JSON of what build/positions.mjs makes. Natively nobody calls this: Node names the files itself. */
export function setPositions(json) {
  table = json;
}

/** The author's lines that an error passed, the innermost first: `table.js:4`. */
export function places(error) {
  const found = [];
  let isMade = false;
  for (const line of String(error.stack).split('\n')) {
    // QuickJS writes `at name (bundle:1:2)`, StarlingMonkey `name@bundle:1:2`.
    const [, name, row, column] = /^(?: *at )?(.*?)(?: \(|@).*:(\d+):(\d+)\)?$/.exec(line) ?? [];
    // The constructor of a class of errors is where the error was made, not where it was thrown.
    isMade ||= row !== undefined && !constructs(error, name);
    const place = isMade && row && placeOf(Number(row), Number(column));
    if (place && place !== found.at(-1)) found.push(place);
  }
  return found.length > MOST ? [...found.slice(0, MOST), '...'] : found;
}

/** Whether a function of this name is the constructor of an error's class, or of one above. */
function constructs(error, name) {
  for (let kind = Object.getPrototypeOf(error); kind !== null; kind = Object.getPrototypeOf(kind)) {
    if (kind.constructor?.name === name) return true;
  }
  return false;
}

/** The author's line at a row and a column of the bundle, which begin with 1. Undefined for code of others. */
export function placeOf(row, column) {
  if (typeof table === 'string') table = JSON.parse(table);
  const { files, entries } = table;
  let at;
  for (let next = 0; next < entries.length; next += 4) {
    if (entries[next] > row || (entries[next] === row && entries[next + 1] > column - 1)) break;
    at = next;
  }
  // Before the first entry is the SDK.
  const file = at === undefined ? undefined : files[entries[at + 2]];
  return file && `${file}:${entries[at + 3] + row - entries[at]}`;
}
