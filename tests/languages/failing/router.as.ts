// Makes a mistake, chosen by the request's path.

import { Answer, Peer, Request, SharedError, bytes, config, fail, shared } from "pointsman";

let stable: string = "";

export function configure(): void {
  stable = config.text("/stable");
}

export function selectPeer(request: Request): Answer {
  const table: Peer[] = [];
  const path = request.path();
  if (path == "/panic") throw new Error("the table is empty");
  if (path == "/assert") assert(table.length > 0, "the table is empty");
  if (path == "/index") return table[request.attempts().length + 3];
  if (path == "/null") return first(table)!;
  if (path == "/exit") unreachable();
  if (path == "/memory") return Peer.http(read(1 << 27));
  if (path == "/loop") search(table);
  if (path == "/recursion") return Peer.http(descend(path));
  if (path == "/answer") return Peer.http("upstream.internal");
  if (path == "/shared") {
    const error = shared.set("k".repeat(300), bytes(""));
    if (error != SharedError.None) return fail(shared.message(error));
  }
  return Peer.http(stable);
}

function first(table: Peer[]): Peer | null {
  return table.length > 0 ? table[0] : null;
}

function read(size: i32): string {
  return String.UTF8.decode(new ArrayBuffer(size));
}

function search(table: Peer[]): void {
  for (let place = 0; place >= table.length; ) place = (place + 1) % 8;
}

function descend(path: string): string {
  return descend(path) + "/";
}
