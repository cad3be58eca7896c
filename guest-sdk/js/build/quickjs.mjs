// Two corrections of what componentize-qjs 0.4.5 makes. Both change core modules in the component, and leave the
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

import { append, body, bodyItem, edit, exportItem, importItem, items, join, leb, mapItems, number } from './binary.mjs';
import { unknownVersion } from './flatten.mjs';

const GLUE = 'env.wit_dylib_push_tuple';

/** The component with both corrections. */
export function correct(component) {
  const done = { glue: 0, engine: 0 };
  const corrected = edit(component, (id, content) => (id === 1 ? inModule(content, done) : content));
  if (done.glue !== 1 || done.engine !== 1) {
    throw unknownVersion();
  }
  return corrected;
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

function renumber(item, index) {
  return [...item.bytes.subarray(0, item.nameEnd + 1), ...leb(index)];
}
