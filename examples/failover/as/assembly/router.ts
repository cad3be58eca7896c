// Upstreams in order of preference: the next one when one fails, and a polite answer when none is left.

import { Answer, Peer, Request, Response, Route, config, log } from "pointsman";

export function selectPeer(request: Request): Answer {
  const upstreams = config.texts("/upstreams");
  const failed = request.attempts();
  if (failed.length > 0) {
    const last = failed[failed.length - 1];
    log.warn(last.address + " failed: " + last.failureName);
  }
  if (failed.length < upstreams.length) return to(upstreams[failed.length]);
  return sorry();
}

function to(upstream: string): Route {
  const peer = Peer.http(upstream);
  // The next upstream is at hand, so this one need not be waited for.
  peer.timeouts.connectMs = 500;
  return Route.to(peer).onStatus([502, 503]);
}

function sorry(): Response {
  return new Response(503)
    .header("retry-after", "30")
    .text("We are being repaired. Please try again in half a minute.\n");
}
