// Takes the engine out of the component that componentize-qjs 0.4.5 makes: it is one of two components in another one.
// The other one has the functions that load scripts, which the engine called when the router's source was compiled and
// calls no more. A host that makes snapshots, or rewinds instances, wants the core modules in the component itself.
//
// The engine's component imports WASI too, which no router needs. What is imported from elsewhere than the contract is
// taken out, and a core function that traps is in the place of each of its functions, as with the tool's own option
// that stubs WASI out (which would put another component around all of this).
//
// Items are numbered by kind, in the order of their definitions. So what is taken out leaves an empty type or instance
// in its place; only functions are numbered again.

import {
  append, assemble, body, edit, importItem, items, join, leb, number, sections, text, typeItem, utf8,
} from './binary.mjs';

const CONTRACT = 'pointsman:router/';

/** The component, with the engine's core modules in it and without imports other than the contract's. */
export function flatten(component) {
  const inner = sections(component).filter(({ id }) => id === SECTION.component).map(({ content }) => content);
  const engines = inner.filter((bytes) => sections(bytes).some(({ id }) => id === SECTION.import));
  if (engines.length !== 1) throw unknownVersion();
  return new Engine(engines[0]).alone();
}

const SECTION = {
  custom: 0, module: 1, coreInstance: 2, component: 4, instance: 5, alias: 6, type: 7, canon: 8, import: 10, export: 11,
};

const EMPTY_INSTANCE = { id: SECTION.instance, content: Uint8Array.of(1, 0x01, 0) };
const EMPTY_TYPE = { id: SECTION.type, content: Uint8Array.of(1, 0x42, 0) }; // of an instance

/** The error for a component of another shape. */
export const unknownVersion = () => new Error('this version of componentize-qjs is not known here: use 0.4.5');

class Engine {
  constructor(bytes) {
    this.bytes = bytes;
    this.modules = [];
    this.coreInstances = [];
    this.sections = [];
    // Items that are taken out, by their number.
    this.gone = { types: new Set(), instances: new Set(), functions: new Set() };
    this.count = { types: 0, instances: 0, functions: 0, coreFunctions: 0 };
    // Core functions that are to trap, by their number.
    this.stubs = [];
  }

  alone() {
    const change = {
      [SECTION.module]: (content) => this.module(content),
      [SECTION.coreInstance]: (content) => this.coreInstance(content),
      [SECTION.alias]: (content) => this.alias(content),
      [SECTION.type]: (content) => this.type(content),
      [SECTION.canon]: (content) => this.canon(content),
      [SECTION.import]: (content) => this.import(content),
      [SECTION.export]: (content) => this.export(content),
      [SECTION.custom]: () => {}, // names of items that have other numbers now
    };
    for (const { id, content } of sections(this.bytes)) {
      if (change[id] === undefined) throw unknownVersion();
      change[id](content);
    }
    const [shim] = this.coreInstances;
    if (shim?.module === undefined) throw unknownVersion();
    const stubs = this.stubs.map((stub) => ({ name: stubName(stub), type: this.usedAs(stub) }));
    const at = this.sections.findIndex(({ module }) => module === shim.module);
    this.sections[at] = { id: SECTION.module, content: withStubs(this.modules[shim.module], stubs) };
    return assemble(this.bytes, this.sections);
  }

  module(content) {
    this.sections.push({ id: SECTION.module, content, module: this.modules.length });
    this.modules.push(content);
  }

  coreInstance(content) {
    this.coreInstances.push(...items(content, coreInstanceItem));
    this.sections.push({ id: SECTION.coreInstance, content });
  }

  /** Each import of an instance follows its type, which is in a section of its own. */
  import(content) {
    for (const item of items(content, componentImportItem)) {
      if (item.sort === SORT.instance) {
        if (item.name.startsWith(CONTRACT)) {
          this.sections.push({ id: SECTION.import, content: one(item.bytes) });
        } else {
          const type = this.sections.at(-1);
          const isAlone = type.id === SECTION.type && type.first === item.type && this.count.types === item.type + 1;
          if (!isAlone) throw unknownVersion();
          this.sections[this.sections.length - 1] = EMPTY_TYPE;
          this.sections.push(EMPTY_INSTANCE);
          this.gone.instances.add(this.count.instances);
        }
        this.count.instances += 1;
      } else if (item.sort === SORT.type) {
        this.sections.push({ id: SECTION.import, content: one(item.bytes) });
        this.count.types += 1;
      } else {
        throw unknownVersion();
      }
    }
  }

  type(content) {
    this.sections.push({ id: SECTION.type, content, first: this.count.types });
    this.count.types += number(content, 0).value;
  }

  alias(content) {
    for (const item of items(content, aliasItem)) {
      const isGone = item.instance !== undefined && this.gone.instances.has(item.instance);
      if (item.sort === SORT.core) {
        if (item.kind === 0) this.count.coreFunctions += 1;
      } else if (item.sort === SORT.type) {
        if (isGone) this.gone.types.add(this.count.types);
        this.count.types += 1;
      } else if (item.sort === SORT.function) {
        if (isGone) this.gone.functions.add(this.count.functions);
        this.count.functions += 1;
      } else {
        throw unknownVersion();
      }
      if (!isGone) this.sections.push({ id: SECTION.alias, content: one(item.bytes) });
      else if (item.sort === SORT.type) this.sections.push(EMPTY_TYPE);
    }
  }

  canon(content) {
    for (const item of items(content, canonItem)) {
      if (item.kind === CANON.lift) {
        this.sections.push({ id: SECTION.canon, content: one(item.bytes) });
        this.count.functions += 1;
        continue;
      }
      const gone = item.kind === CANON.lower ? this.gone.functions : this.gone.types;
      if (gone.has(item.index)) {
        // In its place, a function of the first core instance.
        const name = utf8(stubName(this.count.coreFunctions));
        this.sections.push({ id: SECTION.alias, content: one([SORT.core, 0, 0x01, 0, ...name]) });
        this.stubs.push(this.count.coreFunctions);
      } else if (item.kind === CANON.lower) {
        const lowered = [...item.bytes.subarray(0, 2), ...leb(this.renumbered(item.index)), ...item.options];
        this.sections.push({ id: SECTION.canon, content: one(lowered) });
      } else {
        this.sections.push({ id: SECTION.canon, content: one(item.bytes) });
      }
      this.count.coreFunctions += 1;
    }
  }

  export(content) {
    for (const item of items(content, componentExportItem)) {
      if (item.sort !== SORT.function) throw unknownVersion();
      const { bytes, nameEnd, rest } = item;
      const exported = [...bytes.subarray(0, nameEnd + 1), ...leb(this.renumbered(item.index)), ...rest];
      this.sections.push({ id: SECTION.export, content: one(exported) });
      this.count.functions += 1;
    }
  }

  renumbered(index) {
    return index - [...this.gone.functions].filter((gone) => gone < index).length;
  }

  /** The type of a core function, as the core module wants it that imports it. */
  usedAs(coreFunction) {
    for (const [number, { exports }] of this.coreInstances.entries()) {
      const found = exports?.find(({ kind, index }) => kind === 0 && index === coreFunction);
      if (found === undefined) continue;
      for (const { module, with: argument } of this.coreInstances) {
        const name = argument?.find(({ instance }) => instance === number)?.name;
        const type = name === undefined ? undefined : importedAs(this.modules[module], name, found.name);
        if (type !== undefined) return type;
      }
    }
    throw unknownVersion();
  }
}

const stubName = (coreFunction) => `stub-${coreFunction}`;

function importedAs(module, name, field) {
  const of = Object.fromEntries(sections(module).map(({ id, content }) => [id, content]));
  const isIt = (item) => item.kind === 0 && item.module === name && item.field === field;
  const imported = items(of[2], importItem).find(isIt);
  return imported === undefined ? undefined : items(of[1], typeItem)[imported.type].bytes;
}

/** A core module that also exports functions of these types that trap. It has all of the sections that this takes. */
function withStubs(module, stubs) {
  const of = Object.fromEntries(sections(module).map(({ id, content }) => [id, content]));
  const types = number(of[1], 0).value;
  const imported = of[2] === undefined ? 0 : items(of[2], importItem).filter(({ kind }) => kind === 0).length;
  const functions = imported + number(of[3], 0).value;
  return edit(module, (id, content) => {
    if (id === 1) return append(content, stubs.map(({ type }) => type));
    if (id === 3) return append(content, stubs.map((_, index) => leb(types + index)));
    if (id === 7) return append(content, stubs.map(({ name }, index) => [...utf8(name), 0, ...leb(functions + index)]));
    if (id === 10) return append(content, stubs.map(() => body(0x00))); // unreachable
    return content;
  });
}

const one = (item) => join([Uint8Array.of(1), Uint8Array.from(item)]);

// --- Items of components ---

const SORT = { core: 0, function: 1, type: 3, instance: 5 };
const CANON = { lift: 0, lower: 1, drop: 3 };

/** `(instantiate MODULE (with NAME (instance I)) ...)`, or `(export NAME ITEM) ...`. */
function coreInstanceItem(bytes, at) {
  const isInstantiated = bytes[at] === 0;
  const module = number(bytes, at + 1);
  let { value: count, end } = isInstantiated ? number(bytes, module.end) : module;
  const found = [];
  for (; count > 0; count -= 1) {
    const name = text(bytes, end);
    const index = number(bytes, name.end + 1);
    found.push({ name: name.value, kind: bytes[name.end], index: index.value, instance: index.value });
    end = index.end;
  }
  return isInstantiated ? { module: module.value, with: found, end } : { exports: found, end };
}

function componentImportItem(bytes, at) {
  const name = text(bytes, at + 1);
  const sort = bytes[name.end];
  if (sort === SORT.type) {
    if (bytes[name.end + 1] !== 0) throw unknownVersion(); // a bound other than `eq`
    return { name: name.value, sort, end: number(bytes, name.end + 2).end };
  }
  const type = number(bytes, name.end + 1);
  return { name: name.value, sort, type: type.value, end: type.end };
}

function aliasItem(bytes, at) {
  const sort = bytes[at];
  const isCore = sort === SORT.core;
  const target = at + (isCore ? 2 : 1);
  const index = number(bytes, target + 1);
  if (bytes[target] !== (isCore ? 1 : 0)) throw unknownVersion(); // neither of a core instance nor of an instance
  const { end } = text(bytes, index.end);
  return isCore ? { sort, kind: bytes[at + 1], end } : { sort, instance: index.value, end };
}

function canonItem(bytes, at) {
  const kind = bytes[at];
  if (kind === CANON.drop) {
    const type = number(bytes, at + 1);
    return { kind, index: type.value, end: type.end };
  }
  if (kind !== CANON.lift && kind !== CANON.lower) throw unknownVersion();
  const index = number(bytes, at + 2);
  const options = number(bytes, index.end);
  let { end } = options;
  for (let { value: count } = options; count > 0; count -= 1) {
    end = bytes[end] >= 3 ? number(bytes, end + 1).end : end + 1; // of a memory or a function, or an encoding
  }
  const all = bytes.subarray(index.end, end);
  return { kind, index: index.value, options: all, end: kind === CANON.lift ? number(bytes, end).end : end };
}

function componentExportItem(bytes, at) {
  const name = text(bytes, at + 1);
  const index = number(bytes, name.end + 1);
  if (bytes[index.end] !== 0) throw unknownVersion(); // a type of its own
  const [rest, end] = [bytes.subarray(index.end, index.end + 1), index.end + 1];
  return { sort: bytes[name.end], index: index.value, nameEnd: name.end - at, rest, end };
}
