// A share of the visitors gets the canary, and each visitor always the same side. A header chooses outright.

import { Answer, Peer, Request, Route, config, hash } from "pointsman";

export function selectPeer(request: Request): Answer {
  const side = wantsCanary(request) ? "canary" : "stable";
  const address = config.text("/" + side);
  return Route.to(Peer.http(address)).withNote(side);
}

function wantsCanary(request: Request): bool {
  const choice = request.header("x-canary");
  if (choice !== null && choice == "always") return true;
  if (choice !== null && choice == "never") return false;
  return hash.percent(visitor(request)) < config.number("/percent");
}

// The session's cookie, or the client's address as long as there is none.
function visitor(request: Request): string {
  const cookie = request.cookie(config.textOr("/cookie", "session"));
  return cookie !== null ? cookie : request.clientIp();
}
