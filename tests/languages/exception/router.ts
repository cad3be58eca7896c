// A router that fails in another file.

import { Peer, type Request } from 'pointsman';
import { find } from './table.ts';

export function selectPeer(request: Request): Peer {
  return Peer.http(find([], request.path));
}
