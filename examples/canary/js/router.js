// A share of the visitors gets the canary, and each visitor always the same side. A header chooses outright.

import { Peer, Route, config, hash } from 'pointsman';

export function selectPeer(request) {
  const side = wantsCanary(request) ? 'canary' : 'stable';
  const address = config.text(`/${side}`);
  return Route.to(Peer.http(address), { note: side });
}

function wantsCanary(request) {
  switch (request.header('x-canary')) {
    case 'always':
      return true;
    case 'never':
      return false;
    default:
      return hash.percent(visitor(request)) < config.number('/percent');
  }
}

/** The session's cookie, or the client's address as long as there is none. */
function visitor(request) {
  const cookie = config.text('/cookie', 'session');
  return request.cookie(cookie) ?? request.clientIp;
}
