"""A router that fails in another file."""

from pointsman import Peer, Request
from table import find

def select_peer(request: Request) -> Peer:
    return Peer.http(find([], request.path))
