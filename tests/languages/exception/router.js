// A router that fails in another file.

import { Peer } from 'pointsman';
import { find } from './table.js';

export function selectPeer(request) {
  return Peer.http(find([], request.path));
}
