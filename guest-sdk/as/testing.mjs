// Runs a router in Node without a host: requests, configuration, log and all else that a host offers.
//
//     import { Router } from "./pointsman/testing.mjs";
//
//     const router = await Router.compile(".");
//     router.config = { stable: "127.0.0.1:9101", canary: "127.0.0.1:9102" };
//     const { connect } = router.decide({ url: "https://shop.example/cart?x=1", headers: [["x-canary", "1"]] });
//     assert.equal(connect.peer.address, "127.0.0.1:9102");
//
// A decision is `{ connect }`, `{ respond }`, `{ pass }` or `{ error }`, with the WIT's fields in camel case, and null for
// what is not there.

import { list, option, s64, string, bool, bytes, u32, variant } from "./testing/abi.mjs";
import { compile } from "./testing/compile.mjs";
import * as types from "./testing/types.mjs";

const INTERFACE = /^pointsman:router\/(.+)@0\.1\.0$/;

export class Router {
  /** The module's configuration. */
  config = {};
  /** The lines logged, as `[level, message]`. */
  log = [];
  /** What the clock shows, in milliseconds since 1970-01-01 00:00 UTC. */
  nowMs = Date.UTC(2026, 0, 1);
  /** What `random` gives next; after these, 0. */
  random = [];
  /** Counters (BigInt) and values (Uint8Array), without their TTL. */
  shared = new Map();
  /** The statistics of upstreams, by address; a missing field is unknown, or 0. */
  upstreams = {};
  /** The members of groups, by name. */
  groups = {};

  #module;

  /** The router of a folder. */
  static async compile(folder) {
    return new Router(await WebAssembly.compile(await compile(folder)));
  }

  constructor(module) {
    this.#module = module;
  }

  /** A core instance with what is set here: as fresh as the host's. */
  #instance(request) {
    const memory = new Memory();
    const imports = {};
    for (const { module, name } of WebAssembly.Module.imports(this.#module)) {
      const functions = hostFunctions(this, memory, request)[INTERFACE.exec(module)?.[1]];
      if (!functions?.[name]) throw new Error(`the contract has no ${module} ${name}`);
      (imports[module] ??= {})[name] = functions[name];
    }
    memory.exports = new WebAssembly.Instance(this.#module, imports).exports;
    if (memory.exports.configure) {
      const at = memory.allocate(4, 8);
      string.store(memory, at, JSON.stringify(this.config));
      const result = memory.exports.configure(u32.load(memory, at), u32.load(memory, at + 4));
      const [outcome, error] = types.configured.load(memory, result);
      if (outcome === "err") throw new Error(error);
    }
    return memory;
  }

  /** Asks the router in a fresh instance. Throws if it traps, or if its `configure` refuses the configuration. */
  decide(request) {
    return decisionOf(this.#instance(facts(request)), 1);
  }

  /** Asks the router the same several times in one instance. Gives the last decision, and the bytes of memory. */
  decideAgain(request, times) {
    const memory = this.#instance(facts(request));
    let decision;
    for (let time = 0; time < times; time++) decision = decisionOf(memory);
    return [decision, memory.size];
  }
}

/** A failed attempt: its address, `failure` and `stage` as the WIT has them, and other fields where they matter. */
export function failed(address, failure, stage = "connect", more = {}) {
  return {
    address,
    failure,
    stage,
    status: null,
    reusedConnection: false,
    requestSent: false,
    elapsedMs: 1,
    detail: "",
    ...more,
  };
}

class Memory {
  exports;

  get view() {
    return new DataView(this.exports.memory.buffer);
  }

  get size() {
    return this.exports.memory.buffer.byteLength;
  }

  allocate(align, size) {
    return this.exports.cabi_realloc(0, 0, align, size);
  }
}

function decisionOf(memory) {
  const [outcome, decision] = types.decided.load(memory, memory.exports["select-peer"](1));
  if (outcome === "err") return { error: decision };
  return { [decision[0]]: decision[1] ?? true };
}

/** A request with all that was left out. */
function facts({ url = "/", method = "GET", headers = [], clientIp = "192.0.2.1", listener = "test", attempts = [], tls }) {
  const [, scheme = "http", authority = "", path, query = null] = /^(?:(\w+):\/\/([^/?]*))?([^?]*)(?:\?(.*))?$/s.exec(url);
  const octets = (value) => (typeof value === "string" ? new TextEncoder().encode(value) : value);
  return {
    method,
    scheme,
    authority: authority.toLowerCase(),
    path: path || "/",
    query,
    headers: headers.map(([name, value]) => ({ name: name.toLowerCase(), value: octets(value) })),
    clientIp,
    listener,
    attempts: attempts.map((attempt, index) => ({ ...attempt, number: index + 1 })),
    tls: tls ?? null,
  };
}

/** The host's functions, by interface and name. */
function hostFunctions(router, memory, request) {
  const give = (area, type, value) => type.store(memory, area, value);
  const text = (pointer, length) =>
    new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets(pointer, length));
  const octets = (pointer, length) => new Uint8Array(memory.exports.memory.buffer, pointer, length).slice();
  const values = (name) => request.headers.filter((header) => header.name === name.toLowerCase()).map(({ value }) => value);
  const at = (pointer) => valueAt(router.config, pointer);
  const upstream = (known) => ({ health: "unknown", inFlight: 0, latencyUs: null, failures: 0, ...known });
  const counted = variant({ ok: s64, err: types.sharedError });
  const swapped = variant({ ok: bool, err: types.sharedError });
  const isCounter = (key) => typeof router.shared.get(key) === "bigint";
  const set = (key, value) => {
    if (isCounter(key)) return "other-kind";
    router.shared.set(key, value);
  };
  return {
    request: {
      "[method]request.method": (_, area) => give(area, string, request.method),
      "[method]request.scheme": (_, area) => give(area, string, request.scheme),
      "[method]request.authority": (_, area) => give(area, string, request.authority),
      "[method]request.path": (_, area) => give(area, string, request.path),
      "[method]request.query": (_, area) => give(area, option(string), request.query),
      "[method]request.header": (_, name, length, area) => give(area, option(bytes), values(text(name, length))[0] ?? null),
      "[method]request.header-text": (_, name, length, area) => {
        const [first] = values(text(name, length));
        give(area, option(string), first ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(first) : null);
      },
      "[method]request.header-values": (_, name, length, area) => give(area, list(bytes), values(text(name, length))),
      "[method]request.headers": (_, area) => give(area, list(types.header), request.headers),
      "[method]request.client-ip": (_, area) => give(area, string, request.clientIp),
      "[method]request.listener": (_, area) => give(area, string, request.listener),
      "[method]request.tls": (_, area) => give(area, option(types.clientTls), request.tls),
      "[method]request.attempts": (_, area) => give(area, list(types.attempt), request.attempts),
      "[resource-drop]request": () => {},
    },
    config: {
      json: (area) => give(area, string, JSON.stringify(router.config)),
      get: (pointer, length, area) => {
        const value = at(text(pointer, length));
        give(area, option(string), value === undefined ? null : JSON.stringify(value));
      },
      "get-text": (pointer, length, area) => {
        const value = at(text(pointer, length));
        give(area, option(string), typeof value === "string" ? value : null);
      },
    },
    log: {
      log: (level, pointer, length) =>
        router.log.push([["trace", "debug", "info", "warn", "error"][level], text(pointer, length)]),
    },
    clock: { "now-ms": () => BigInt(router.nowMs) },
    random: { "get-u64": () => BigInt(router.random.shift() ?? 0) },
    shared: {
      add: (pointer, length, amount, _hasTtl, _ttl, area) => {
        const key = text(pointer, length);
        const before = router.shared.get(key) ?? 0n;
        if (typeof before !== "bigint") return give(area, counted, ["err", "other-kind"]);
        const sum = before + amount;
        if (sum !== BigInt.asIntN(64, sum)) return give(area, counted, ["err", "overflow"]);
        router.shared.set(key, sum);
        give(area, counted, ["ok", sum]);
      },
      counter: (pointer, length, area) => {
        const key = text(pointer, length);
        give(area, option(s64), isCounter(key) ? router.shared.get(key) : null);
      },
      get: (pointer, length, area) => {
        const key = text(pointer, length);
        give(area, option(bytes), isCounter(key) ? null : (router.shared.get(key) ?? null));
      },
      set: (pointer, length, value, valueLength, _hasTtl, _ttl, area) => {
        const error = set(text(pointer, length), octets(value, valueLength));
        give(area, variant({ ok: null, err: types.sharedError }), error ? ["err", error] : ["ok"]);
      },
      "compare-and-set": (pointer, length, hasOld, old, oldLength, value, valueLength, _hasTtl, _ttl, area) => {
        const key = text(pointer, length);
        const there = router.shared.get(key);
        const expected = hasOld ? String(octets(old, oldLength)) : "undefined";
        if (!isCounter(key) && String(there) !== expected) return give(area, swapped, ["ok", false]);
        const error = set(key, octets(value, valueLength));
        give(area, swapped, error ? ["err", error] : ["ok", true]);
      },
      delete: (pointer, length) => router.shared.delete(text(pointer, length)),
    },
    upstreams: {
      get: (pointer, length, area) => {
        const address = text(pointer, length);
        give(area, types.upstream, upstream({ address, ...router.upstreams[address] }));
      },
      group: (pointer, length, area) => {
        const members = router.groups[text(pointer, length)];
        give(area, option(list(types.upstream)), members ? members.map(upstream) : null);
      },
    },
  };
}

/** RFC 6901. */
function valueAt(value, pointer) {
  if (pointer === "") return value;
  if (!pointer.startsWith("/")) return undefined;
  return pointer
    .slice(1)
    .split("/")
    .reduce((found, key) => {
      const name = key.replaceAll("~1", "/").replaceAll("~0", "~");
      if (Array.isArray(found) && !/^(0|[1-9]\d*)$/.test(name)) return undefined;
      return found !== null && typeof found === "object" && Object.hasOwn(found, name) ? found[name] : undefined;
    }, value);
}
