// Fails as bugs do, by the request's path.

import { Answer, Peer, Request, SharedError, bytes, config, fail, shared } from "pointsman";

export function selectPeer(request: Request): Answer {
  const table: Peer[] = [];
  const path = request.path();
  if (path == "/assert") assert(table.length > 0, "the table is empty");
  if (path == "/throw") throw new Error("the table is empty");
  if (path == "/index") return table[request.attempts().length + 3];
  if (path == "/shared") {
    const error = shared.set("k".repeat(300), bytes(""));
    if (error != SharedError.None) return fail(shared.message(error));
  }
  return Peer.http(config.text("/stable"));
}
