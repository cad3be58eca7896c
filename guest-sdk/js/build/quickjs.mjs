// Two corrections of what componentize-qjs 0.4.5 makes. Both change core modules within the component, and leave the
// component around them as it is.
//
// 1. The component model wants a borrowed handle dropped before the call returns. The generated glue drops it in the
//    call's post-return function, which is too late: the host ends the call with "borrow handles still remain". So
//    `select-peer` drops it as its last step, and the later drop does nothing.
// 2. 64-bit integers cross as doubles, so that those beyond 2^53 are rounded, and a BigInt traps. They cross as a pair
//    `[low, high]` of 32-bit integers instead, by means of the only tuple of the WIT, of which the engine uses nothing
//    but its length. host/module.js makes BigInts of them.
//
// A component of another shape is refused: a new version of the tool may need neither.

const GLUE = 'env.wit_dylib_push_tuple';

/** The component with both corrections. */
export function correct(component) {
  const done = { glue: 0, engine: 0 };
  const corrected = inComponent(component, done);
  if (done.glue !== 1 || done.engine !== 1) {
    throw new Error('this version of componentize-qjs is not known here: use 0.4.5');
  }
  return corrected;
}

function inComponent(bytes, done) {
  return edit(bytes, (id, content) => {
    if (id === 1) return inModule(content, done);
    if (id === 4) return inComponent(content, done);
    return content;
  });
}

function inModule(bytes, done) {
  const module = read(bytes);
  if (module.imports.some(({ name }) => name === GLUE)) {
    done.glue += 1;
    return dropInTime(bytes, module);
  }
  if (module.exports.has('wit_dylib_push_s64')) {
    done.engine += 1;
    return passPairs(bytes, module);
  }
  return bytes;
}

function dropInTime(bytes, { imports, exports, functions }) {
  const drops = imports.findIndex(({ name }) => name.endsWith('.[resource-drop]request'));
  const selectPeer = exports.get('select-peer');
  if (drops < 0 || selectPeer === undefined) throw new Error('the glue of componentize-qjs has changed');
  const nothing = imports.length + functions.length;
  const wrapper = nothing + 1;
  const types = [imports[drops].type, functions[selectPeer - imports.length]];
  const bodies = [
    body(),
    body(0x20, 0, 0x10, ...leb(selectPeer), 0x20, 0, 0x10, ...leb(drops)), // local.get 0, call, local.get 0, call
  ];
  const wrapped = (item) => (item.name === 'select-peer' ? renumber(item, wrapper) : item.bytes);
  return edit(bytes, (id, content) => {
    if (id === 3) return append(content, types.map(leb));
    if (id === 7) return mapItems(content, exportItem, wrapped);
    if (id === 9) return firstElement(content, drops, nothing);
    if (id === 10) return append(content, bodies);
    return content;
  });
}

function passPairs(bytes, { imports, exports }) {
  const call = (name) => {
    const index = exports.get(`wit_dylib_${name}`);
    if (index === undefined) throw new Error('the engine of componentize-qjs has changed');
    return [0x10, ...leb(index)];
  };
  const [cx, value] = [[0x20, 0], [0x20, 1]];
  const pair = [...cx, 0x41, 0]; // the WIT's first tuple
  const push = body(
    ...cx, ...value, 0xa7, ...call('push_s32'), // i32.wrap_i64
    ...cx, ...value, 0x42, 32, 0x87, 0xa7, ...call('push_s32'), // i64.const 32, i64.shr_s, i32.wrap_i64
    ...pair, ...call('push_tuple'),
  );
  const pop = body(
    ...pair, ...call('pop_tuple'),
    ...cx, ...call('pop_s32'), 0xad, // i64.extend_i32_u
    ...cx, ...call('pop_s32'), 0xac, 0x42, 32, 0x86, 0x84, // i64.extend_i32_s, i64.const 32, i64.shl, i64.or
  );
  const replaced = new Map();
  for (const name of ['push_s64', 'push_u64']) replaced.set(exports.get(`wit_dylib_${name}`) - imports.length, push);
  for (const name of ['pop_s64', 'pop_u64']) replaced.set(exports.get(`wit_dylib_${name}`) - imports.length, pop);
  return edit(bytes, (id, content) => {
    if (id !== 10) return content;
    return mapItems(content, bodyItem, (item, index) => replaced.get(index) ?? item.bytes);
  });
}

// --- The binary format: just what is needed here ---

/** Applies `change` to each section of a module or a component. */
function edit(bytes, change) {
  const parts = [bytes.subarray(0, 8)];
  for (let at = 8; at < bytes.length;) {
    const id = bytes[at];
    const size = number(bytes, at + 1);
    const content = bytes.subarray(size.end, size.end + size.value);
    const changed = change(id, content);
    parts.push(Uint8Array.of(id, ...leb(changed.length)), changed);
    at = size.end + size.value;
  }
  return join(parts);
}

/** Imported functions, functions' types, exported functions. */
function read(bytes) {
  const module = { imports: [], functions: [], exports: new Map() };
  edit(bytes, (id, content) => {
    if (id === 2) module.imports = items(content, importItem).filter(({ kind }) => kind === 0);
    if (id === 3) module.functions = items(content, number).map(({ value }) => value);
    if (id === 7) {
      const functions = items(content, exportItem).filter(({ kind }) => kind === 0);
      module.exports = new Map(functions.map(({ name, index }) => [name, index]));
    }
    return content;
  });
  return module;
}

/** What is in a vector. */
function items(content, readItem) {
  const found = [];
  mapItems(content, readItem, (item) => {
    found.push(item);
    return item.bytes;
  });
  return found;
}

/** A vector, each item of which is read and replaced. */
function mapItems(content, readItem, change) {
  const count = number(content, 0);
  const parts = [content.subarray(0, count.end)];
  for (let index = 0, at = count.end; index < count.value; index += 1) {
    const item = readItem(content, at);
    item.bytes = content.subarray(at, item.end);
    parts.push(Uint8Array.from(change(item, index)));
    at = item.end;
  }
  return join(parts);
}

function append(content, items) {
  const count = number(content, 0);
  const added = items.map((item) => Uint8Array.from(item));
  return join([Uint8Array.from(leb(count.value + items.length)), content.subarray(count.end), ...added]);
}

/** The only segment's first function is `from`, and no other is: it becomes `to`. */
function firstElement(content, from, to) {
  const head = [1, 2, 0, 0x23, 0, 0x0b, 0]; // one segment: of table 0, at global 0, function indices
  const count = number(content, head.length);
  const first = number(content, count.end);
  if (head.some((byte, at) => content[at] !== byte) || first.value !== from) {
    throw new Error('the glue of componentize-qjs has changed');
  }
  return join([content.subarray(0, count.end), Uint8Array.from(leb(to)), content.subarray(first.end)]);
}

function importItem(bytes, at) {
  const module = text(bytes, at);
  const name = text(bytes, module.end);
  const kind = bytes[name.end];
  const end = importEnd(bytes, name.end + 1, kind);
  return { name: `${module.value}.${name.value}`, kind, type: number(bytes, name.end + 1).value, end };
}

function importEnd(bytes, at, kind) {
  if (kind === 0) return number(bytes, at).end; // a function
  if (kind === 3) return at + 2; // a global
  const limits = kind === 1 ? at + 1 : at; // a table, after its type; a memory
  const least = number(bytes, limits + 1);
  return bytes[limits] & 1 ? number(bytes, least.end).end : least.end;
}

function exportItem(bytes, at) {
  const name = text(bytes, at);
  const index = number(bytes, name.end + 1);
  return { name: name.value, nameEnd: name.end - at, kind: bytes[name.end], index: index.value, end: index.end };
}

function renumber(item, index) {
  return [...item.bytes.subarray(0, item.nameEnd + 1), ...leb(index)];
}

function bodyItem(bytes, at) {
  const size = number(bytes, at);
  return { end: size.end + size.value };
}

function body(...instructions) {
  const content = [0, ...instructions, 0x0b]; // no locals; end
  return [...leb(content.length), ...content];
}

function text(bytes, at) {
  const length = number(bytes, at);
  const end = length.end + length.value;
  return { value: Buffer.from(bytes.subarray(length.end, end)).toString(), end };
}

/** An unsigned LEB128 number. */
function number(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7, at += 1) {
    value += (bytes[at] & 0x7f) * 2 ** shift;
    if (bytes[at] < 0x80) return { value, end: at + 1 };
  }
}

function leb(value) {
  const bytes = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push(value % 128 | 0x80);
  bytes.push(value);
  return bytes;
}

function join(parts) {
  return new Uint8Array(Buffer.concat(parts));
}
