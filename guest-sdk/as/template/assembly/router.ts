// {{name}}: requests with the header `x-canary` go to the canary, all others to the stable side.

import { Answer, Peer, Request, Route, config } from "pointsman";

export function selectPeer(request: Request): Answer {
  const side = request.header("x-canary") === null ? "stable" : "canary";
  const address = config.text("/" + side);
  return Route.to(Peer.http(address)).withNote(side);
}
