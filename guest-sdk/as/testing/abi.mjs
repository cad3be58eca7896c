// The canonical ABI, from the host's side: values are written into a module's memory and read from it. Types are data,
// so that this is a second account of the contract, beside the SDK's own.

const scalar = (size, get, set) => ({
  size,
  align: size,
  load: (memory, at) => memory.view[get](at, true),
  store: (memory, at, value) => memory.view[set](at, value, true),
});

export const u8 = scalar(1, "getUint8", "setUint8");
export const u16 = scalar(2, "getUint16", "setUint16");
export const u32 = scalar(4, "getUint32", "setUint32");
export const s64 = scalar(8, "getBigInt64", "setBigInt64");

export const bool = {
  size: 1,
  align: 1,
  load: (memory, at) => u8.load(memory, at) !== 0,
  store: (memory, at, value) => u8.store(memory, at, value ? 1 : 0),
};

export const list = (item) => ({
  size: 8,
  align: 4,
  load(memory, at) {
    const [pointer, length] = [u32.load(memory, at), u32.load(memory, at + 4)];
    if (pointer % item.align !== 0) throw new RangeError(`a list at ${pointer} is not aligned`);
    if (pointer + length * item.size > memory.size) throw new RangeError(`a list at ${pointer} leaves the memory`);
    return Array.from({ length }, (_, index) => item.load(memory, pointer + index * item.size));
  },
  store(memory, at, value) {
    const pointer = memory.allocate(item.align, value.length * item.size);
    Array.from(value).forEach((one, index) => item.store(memory, pointer + index * item.size, one));
    u32.store(memory, at, pointer);
    u32.store(memory, at + 4, value.length);
  },
});

const octets = list(u8);

export const bytes = { ...octets, load: (memory, at) => Uint8Array.from(octets.load(memory, at)) };

export const string = {
  ...octets,
  // A host refuses what is not UTF-8.
  load: (memory, at) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.load(memory, at)),
  store: (memory, at, value) => octets.store(memory, at, new TextEncoder().encode(value)),
};

const up = (at, align) => Math.ceil(at / align) * align;

export function record(fields) {
  let end = 0;
  const places = Object.entries(fields).map(([name, type]) => {
    const at = up(end, type.align);
    end = at + type.size;
    return [name, type, at];
  });
  const align = Math.max(...places.map(([, type]) => type.align));
  return {
    size: up(end, align),
    align,
    load: (memory, at) => Object.fromEntries(places.map(([name, type, to]) => [name, type.load(memory, at + to)])),
    store: (memory, at, value) => places.forEach(([name, type, to]) => type.store(memory, at + to, value[name])),
  };
}

/** Cases by name; null for one without a value. A value is `[name, value]`. */
export function variant(cases) {
  const names = Object.keys(cases);
  const types = Object.values(cases).filter((type) => type !== null);
  const align = Math.max(1, ...types.map((type) => type.align));
  const payload = up(1, align);
  return {
    size: up(payload + Math.max(0, ...types.map((type) => type.size)), align),
    align,
    load(memory, at) {
      const name = names[u8.load(memory, at)];
      return [name, cases[name]?.load(memory, at + payload)];
    },
    store(memory, at, [name, value]) {
      u8.store(memory, at, names.indexOf(name));
      cases[name]?.store(memory, at + payload, value);
    },
  };
}

/** Null stands for none. */
export function option(type) {
  const inner = variant({ none: null, some: type });
  return {
    ...inner,
    load: (memory, at) => inner.load(memory, at)[1] ?? null,
    store: (memory, at, value) => inner.store(memory, at, value === null ? ["none"] : ["some", value]),
  };
}

export function enumeration(...names) {
  return {
    size: 1,
    align: 1,
    load: (memory, at) => names[u8.load(memory, at)],
    store: (memory, at, value) => u8.store(memory, at, names.indexOf(value)),
  };
}

export function flags(...names) {
  return {
    size: 1,
    align: 1,
    load: (memory, at) => names.filter((_, bit) => (u8.load(memory, at) >> bit) & 1),
  };
}
