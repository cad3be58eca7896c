"""A share of the visitors gets the canary, and each visitor always the same side. A header chooses outright."""

from pointsman import Peer, Request, Route, config, hash


def select_peer(request: Request) -> Route:
    side = "canary" if wants_canary(request) else "stable"
    return Route(Peer.http(config.text(f"/{side}")), note=side)


def wants_canary(request: Request) -> bool:
    match request.header("x-canary"):
        case "always":
            return True
        case "never":
            return False
        case _:
            return hash.percent(visitor(request)) < config.number("/percent")


def visitor(request: Request) -> str:
    """The session's cookie, or the client's address as long as there is none."""
    session = request.cookie(config.text("/cookie", "session"))
    return request.client_ip if session is None else session
