// Upstreams in order of preference: the next one when one fails, and a polite answer when none is left.

import { Peer, Response, Route, config, log } from 'pointsman';

export function selectPeer(request) {
  const upstreams = config.texts('/upstreams');
  const failed = request.attempts;
  const last = failed.at(-1);
  if (last) {
    log.warn(`${last.address} failed: ${last.failure}`);
  }
  const upstream = upstreams[failed.length];
  return upstream === undefined ? sorry() : to(upstream);
}

function to(upstream) {
  // The next upstream is at hand, so this one need not be waited for.
  const peer = Peer.http(upstream, { timeouts: { connectMs: 500 } });
  return Route.to(peer, { onStatus: [502, 503] });
}

function sorry() {
  return Response.text(503, 'We are being repaired. Please try again in half a minute.\n', { 'retry-after': '30' });
}
