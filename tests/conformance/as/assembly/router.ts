// The routing job of `tests/conformance`, in AssemblyScript.

import {
  Answer, Health, Level, NONE, Pair, Peer, Request, Response, Route, SharedError, Upstream, bytes, clock, config, fail,
  hasFailed, hash, log, pass, random, shared, upstreams,
} from "pointsman";
import { route } from "./peer";
import { Lines, bad, number, signedNumber, split } from "./values";

let configuredBytes: i32 = 0;
let configuredCalls: i32 = 0;

export function configure(): void {
  const json = config.json();
  if (json.includes('"refuse"')) fail("refused as told");
  configuredBytes = bytes(json).length;
  configuredCalls++;
}

export function selectPeer(request: Request): Answer {
  const segments = request.path().split("/");
  const part = segments.length > 1 ? segments[1] : "";
  const params = request.queryParams();
  if (part == "peer") return route(request, params);
  if (part == "echo") return echo(request);
  if (part == "attempts") return attempts(request);
  if (part == "failover") return failover(request);
  if (part == "canary") return canary(request);
  if (part == "hash") return hashes(params);
  if (part == "config") return configuration(params);
  if (part == "shared") return keep(params);
  if (part == "upstreams") return seen(params);
  if (part == "clock") return ok(clock.nowMs() == clock.nowMs() && clock.nowMs() > 1_600_000_000_000);
  if (part == "random") return ok(random.bits() != random.bits());
  if (part == "log") return writeLog(params);
  if (part == "respond") return respond(params);
  if (part == "pass") return pass();
  if (part == "error") return fail(firstOf(params, "text"));
  if (part == "configured") return plain(`configured ${configuredBytes} ${configuredCalls}\n`);
  return fail("unknown part " + part);
}

function plain(lines: string): Response {
  return new Response(200).text(lines);
}

function ok(isOk: bool): Response {
  return plain(isOk ? "ok\n" : "wrong\n");
}

function orDash(number: i64): string {
  return number == NONE ? "-" : number.toString();
}

function textOrDash(text: string | null): string {
  return text !== null ? text : "-";
}

function firstOf(params: Pair[], name: string): string {
  for (let index = 0; index < params.length; index++) {
    if (params[index].name == name) return params[index].value;
  }
  return "";
}

function echo(request: Request): Response {
  const lines = new Lines();
  lines.add(`method ${request.method()}\nscheme ${request.scheme()}\n`);
  lines.add(`authority ${request.authority()}\nhost ${request.host()}\npath ${request.path()}\n`);
  const segments = request.pathSegments();
  for (let index = 0; index < segments.length; index++) lines.add(`segment ${segments[index]}\n`);
  lines.add(`query ${textOrDash(request.query())}\n`);
  const params = request.queryParams();
  for (let index = 0; index < params.length; index++) lines.add(`param ${params[index].name}=${params[index].value}\n`);
  lines.add(`client-ip ${request.clientIp()}\nlistener ${request.listener()}\n`);
  const tls = request.tls();
  if (tls !== null) {
    lines.add(`tls ${textOrDash(tls.sni)} ${tls.version} ${tls.cipher} ${hex(tls.clientCertSha256)}\n`);
  } else lines.add("tls -\n");
  const headers = request.headers();
  for (let index = 0; index < headers.length; index++) {
    lines.add(`header ${headers[index].name}:`).addBytes(headers[index].value).add("\n");
  }
  const cookies = request.cookies();
  for (let index = 0; index < cookies.length; index++) {
    lines.add(`cookie ${cookies[index].name}=${cookies[index].value}\n`);
  }

  const response = plain("");
  response.body = lines.bytes();
  const values = request.headerValues("x-echo");
  for (let index = 0; index < values.length; index++) response.headerBytes("x-echoed", values[index]);
  const first = request.headerBytes("x-echo");
  if (first !== null) response.headerBytes("x-first", first);
  const text = request.header("x-echo");
  if (text !== null) response.header("x-text", text);
  return response;
}

function hex(digest: Uint8Array | null): string {
  if (digest === null) return "-";
  let digits = "";
  for (let index = 0; index < digest.length; index++) digits += digest[index].toString(16).padStart(2, "0");
  return digits;
}

function attempts(request: Request): Response {
  const attempts = request.attempts();
  let lines = "";
  for (let index = 0; index < attempts.length; index++) {
    const attempt = attempts[index];
    const reused = attempt.reusedConnection ? "reused" : "new";
    const sent = attempt.requestSent ? "sent" : "unsent";
    lines += `${attempt.number} ${attempt.address} ${attempt.stageName} ${attempt.failureName} `;
    lines += `${orDash(attempt.status)} ${reused} ${sent} ${attempt.elapsedMs} ${attempt.detail}\n`;
  }
  return plain(lines);
}

function failover(request: Request): Answer {
  const failed = request.attempts();
  if (failed.length > 0) {
    const last = failed[failed.length - 1];
    log.warn(`${last.address} failed: ${last.failureName}`);
  }
  const nodes = config.texts("/upstreams");
  if (failed.length < nodes.length) return Route.to(Peer.http(nodes[failed.length])).onStatus([502, 503]);
  return new Response(503).text("no upstream is left\n").header("retry-after", "30");
}

function canary(request: Request): Route {
  const cookie = request.cookie("session");
  const visitor = cookie !== null ? cookie : request.clientIp();
  const isCanary = hash.percent(visitor) < config.number("/percent");
  const address = config.text(isCanary ? "/upstreams/1" : "/upstreams/0");
  return Route.to(Peer.http(address)).withNote(isCanary ? "canary" : "stable");
}

function hashes(params: Pair[]): Response {
  const nodes = config.texts("/upstreams");
  let lines = "";
  for (let index = 0; index < params.length; index++) {
    if (params[index].name != "key") continue;
    const key = params[index].value;
    const permille = u32(hash.percent(key) * 10);
    lines += `${hash.xxh64(key).toString(16).padStart(16, "0")} ${permille} ${hash.rank(key, nodes).join(",")}\n`;
  }
  return plain(lines);
}

function configuration(params: Pair[]): Response {
  let lines = config.json() + "\n";
  for (let index = 0; index < params.length; index++) {
    if (params[index].name != "pointer") continue;
    const pointer = params[index].value;
    lines += `${textOrDash(config.get(pointer))} ${textOrDash(config.getText(pointer))}\n`;
  }
  return plain(lines);
}

function keep(params: Pair[]): Answer {
  const lines = new Lines();
  for (let index = 0; index < params.length && !hasFailed(); index++) {
    call(lines, params[index]);
    lines.add("\n");
  }
  const response = plain("");
  response.body = lines.bytes();
  return response;
}

function call(lines: Lines, param: Pair): void {
  const parts = param.value.split(":");
  const key = parts[0];
  const rest = param.value.substring(key.length + 1);
  if (param.name == "add" || param.name == "add-ttl") {
    const hasTtl = param.name == "add-ttl";
    if (parts.length != (hasTtl ? 3 : 2)) return bad(param);
    const amount = signedNumber(param, parts[1]);
    const ttlMs = hasTtl ? i64(number(param, parts[2], u32.MAX_VALUE)) : NONE;
    if (hasFailed()) return;
    const sum = shared.add(key, amount, ttlMs);
    lines.add(sum.error == SharedError.None ? `add ${sum.value}` : errorLine(sum.error));
  } else if (param.name == "counter") {
    const counter = shared.counter(param.value);
    lines.add("counter " + (counter !== null ? counter.value.toString() : "-"));
  } else if (param.name == "get") {
    const value = shared.get(param.value);
    lines.add("get ").addBytes(value !== null ? value : bytes("-"));
  } else if (param.name == "set") {
    if (parts.length < 2) return bad(param);
    const error = shared.set(key, bytes(rest));
    lines.add(error == SharedError.None ? "set" : errorLine(error));
  } else if (param.name == "swap") {
    if (parts.length < 3) return bad(param);
    const expected = parts[1].length > 0 ? bytes(parts[1]) : null;
    const swap = shared.compareAndSet(key, expected, bytes(rest.substring(parts[1].length + 1)));
    lines.add(swap.error == SharedError.None ? `swap ${swap.done}` : errorLine(swap.error));
  } else if (param.name == "delete") {
    shared.remove(param.value);
    lines.add("delete");
  } else bad(param);
}

function errorLine(error: SharedError): string {
  if (error == SharedError.Full) return "error full";
  if (error == SharedError.TooLong) return "error too-long";
  if (error == SharedError.OtherKind) return "error other-kind";
  return error == SharedError.Overflow ? "error overflow" : "error other";
}

function seen(params: Pair[]): Response {
  let lines = "";
  for (let index = 0; index < params.length; index++) {
    const value = params[index].value;
    if (params[index].name == "get") lines += upstreamLine(upstreams.get(value));
    if (params[index].name != "group") continue;
    const members = upstreams.group(value);
    if (members === null) lines += `no group ${value}\n`;
    else for (let member = 0; member < members.length; member++) lines += upstreamLine(members[member]);
  }
  return plain(lines);
}

function upstreamLine(upstream: Upstream): string {
  let health = "unknown";
  if (upstream.health == Health.Healthy) health = "healthy";
  if (upstream.health == Health.Unhealthy) health = "unhealthy";
  const latency = orDash(upstream.latencyUs);
  return `${upstream.address} ${health} ${upstream.inFlight} ${latency} ${upstream.failures}\n`;
}

function writeLog(params: Pair[]): Answer {
  const levels: StaticArray<string> = ["trace", "debug", "info", "warn", "error"];
  for (let index = 0; index < params.length; index++) {
    const level = levels.indexOf(params[index].name);
    if (level >= 0) log.write(level as Level, params[index].value);
  }
  return pass();
}

function respond(params: Pair[]): Response {
  const response = new Response(200);
  for (let index = 0; index < params.length; index++) {
    const param = params[index];
    if (param.name == "status") response.status = u16(number(param, param.value, u16.MAX_VALUE));
    else if (param.name == "body") response.body = bytes(param.value);
    else if (param.name == "header") {
      const header = split(param, ":");
      response.header(header[0], header[1]);
    }
  }
  return response;
}
