// The binary format of modules and components: just what is needed here.

/** The sections of a module or a component. */
export function sections(bytes) {
  const found = [];
  for (let at = 8; at < bytes.length;) {
    const id = bytes[at];
    const size = number(bytes, at + 1);
    const end = size.end + size.value;
    found.push({ id, content: bytes.subarray(size.end, end) });
    at = end;
  }
  return found;
}

/** A module or a component with the same head and these sections. */
export function assemble(bytes, sections) {
  const parts = sections.flatMap(({ id, content }) => [Uint8Array.of(id, ...leb(content.length)), content]);
  return join([bytes.subarray(0, 8), ...parts]);
}

/** Applies `change` to each section of a module or a component. */
export function edit(bytes, change) {
  return assemble(bytes, sections(bytes).map(({ id, content }) => ({ id, content: change(id, content) })));
}

/** What is in a vector. */
export function items(content, readItem) {
  const found = [];
  mapItems(content, readItem, (item) => {
    found.push(item);
    return item.bytes;
  });
  return found;
}

/** A vector, each item of which is read and replaced. */
export function mapItems(content, readItem, change) {
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

export function append(content, items) {
  const count = number(content, 0);
  const added = items.map((item) => Uint8Array.from(item));
  return join([Uint8Array.from(leb(count.value + items.length)), content.subarray(count.end), ...added]);
}

/** The body of a function without locals. */
export function body(...instructions) {
  const content = [0, ...instructions, 0x0b]; // no locals; end
  return [...leb(content.length), ...content];
}

export function importItem(bytes, at) {
  const module = text(bytes, at);
  const field = text(bytes, module.end);
  const kind = bytes[field.end];
  const end = importEnd(bytes, field.end + 1, kind);
  const type = number(bytes, field.end + 1).value;
  return { module: module.value, field: field.value, name: `${module.value}.${field.value}`, kind, type, end };
}

function importEnd(bytes, at, kind) {
  if (kind === 0) return number(bytes, at).end; // a function
  if (kind === 3) return at + 2; // a global
  const limits = kind === 1 ? at + 1 : at; // a table, after its type; a memory
  const least = number(bytes, limits + 1);
  return bytes[limits] & 1 ? number(bytes, least.end).end : least.end;
}

export function exportItem(bytes, at) {
  const name = text(bytes, at);
  const index = number(bytes, name.end + 1);
  return { name: name.value, nameEnd: name.end - at, kind: bytes[name.end], index: index.value, end: index.end };
}

export function bodyItem(bytes, at) {
  const size = number(bytes, at);
  return { end: size.end + size.value };
}

/** The type of a function, of numbers. */
export function typeItem(bytes, at) {
  const parameters = number(bytes, at + 1);
  const results = number(bytes, parameters.end + parameters.value);
  if (bytes[at] !== 0x60) throw new Error('a core module has a type that is not known here');
  return { end: results.end + results.value };
}

export function text(bytes, at) {
  const length = number(bytes, at);
  const end = length.end + length.value;
  return { value: Buffer.from(bytes.subarray(length.end, end)).toString(), end };
}

/** An unsigned LEB128 number. */
export function number(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7, at += 1) {
    value += (bytes[at] & 0x7f) * 2 ** shift;
    if (bytes[at] < 0x80) return { value, end: at + 1 };
  }
}

export function leb(value) {
  const bytes = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push(value % 128 | 0x80);
  bytes.push(value);
  return bytes;
}

export function utf8(value) {
  const bytes = Buffer.from(value);
  return [...leb(bytes.length), ...bytes];
}

export function join(parts) {
  return new Uint8Array(Buffer.concat(parts));
}
