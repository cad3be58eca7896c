//! The host's functions, as the canonical ABI has those of `wit/0.1`. Where one returns more than a number, its last
//! argument is where that goes.

// @ts-nocheck: decorators
@external("pointsman:router/request@0.1.0", "[method]request.method")
export declare function requestMethod(request: i32, area: usize): void;
@external("pointsman:router/request@0.1.0", "[method]request.scheme")
export declare function requestScheme(request: i32, area: usize): void;
@external("pointsman:router/request@0.1.0", "[method]request.authority")
export declare function requestAuthority(request: i32, area: usize): void;
@external("pointsman:router/request@0.1.0", "[method]request.path")
export declare function requestPath(request: i32, area: usize): void;
@external("pointsman:router/request@0.1.0", "[method]request.query")
export declare function requestQuery(request: i32, area: usize): void;
@external("pointsman:router/request@0.1.0", "[method]request.header")
export declare function requestHeader(request: i32, name: usize, nameLength: i32, area: usize): void;
@external("pointsman:router/request@0.1.0", "[method]request.header-text")
export declare function requestHeaderText(request: i32, name: usize, nameLength: i32, area: usize): void;
@external("pointsman:router/request@0.1.0", "[method]request.header-values")
export declare function requestHeaderValues(request: i32, name: usize, nameLength: i32, area: usize): void;
@external("pointsman:router/request@0.1.0", "[method]request.headers")
export declare function requestHeaders(request: i32, area: usize): void;
@external("pointsman:router/request@0.1.0", "[method]request.client-ip")
export declare function requestClientIp(request: i32, area: usize): void;
@external("pointsman:router/request@0.1.0", "[method]request.listener")
export declare function requestListener(request: i32, area: usize): void;
@external("pointsman:router/request@0.1.0", "[method]request.tls")
export declare function requestTls(request: i32, area: usize): void;
@external("pointsman:router/request@0.1.0", "[method]request.attempts")
export declare function requestAttempts(request: i32, area: usize): void;
@external("pointsman:router/request@0.1.0", "[resource-drop]request")
export declare function requestDrop(request: i32): void;

@external("pointsman:router/config@0.1.0", "json")
export declare function configJson(area: usize): void;
@external("pointsman:router/config@0.1.0", "get")
export declare function configGet(pointer: usize, pointerLength: i32, area: usize): void;
@external("pointsman:router/config@0.1.0", "get-text")
export declare function configGetText(pointer: usize, pointerLength: i32, area: usize): void;

@external("pointsman:router/log@0.1.0", "log")
export declare function log(level: i32, message: usize, messageLength: i32): void;

@external("pointsman:router/clock@0.1.0", "now-ms")
export declare function clockNowMs(): u64;

@external("pointsman:router/random@0.1.0", "get-u64")
export declare function randomGetU64(): u64;

@external("pointsman:router/shared@0.1.0", "add")
export declare function sharedAdd(
  key: usize, keyLength: i32, amount: i64, hasTtl: i32, ttlMs: u32, area: usize,
): void;
@external("pointsman:router/shared@0.1.0", "counter")
export declare function sharedCounter(key: usize, keyLength: i32, area: usize): void;
@external("pointsman:router/shared@0.1.0", "get")
export declare function sharedGet(key: usize, keyLength: i32, area: usize): void;
@external("pointsman:router/shared@0.1.0", "set")
export declare function sharedSet(
  key: usize, keyLength: i32, value: usize, valueLength: i32, hasTtl: i32, ttlMs: u32, area: usize,
): void;
@external("pointsman:router/shared@0.1.0", "compare-and-set")
export declare function sharedCompareAndSet(
  key: usize, keyLength: i32, hasExpected: i32, expected: usize, expectedLength: i32, value: usize, valueLength: i32,
  hasTtl: i32, ttlMs: u32, area: usize,
): void;
@external("pointsman:router/shared@0.1.0", "delete")
export declare function sharedDelete(key: usize, keyLength: i32): void;

@external("pointsman:router/upstreams@0.1.0", "get")
export declare function upstreamsGet(address: usize, addressLength: i32, area: usize): void;
@external("pointsman:router/upstreams@0.1.0", "group")
export declare function upstreamsGroup(name: usize, nameLength: i32, area: usize): void;
