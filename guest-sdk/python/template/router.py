"""Sends requests with the header `x-canary` to the canary, and all others to the stable side."""

from pointsman import Peer, Request, Route, config


def select_peer(request: Request) -> Route:
    side = "stable" if request.header("x-canary") is None else "canary"
    return Route(Peer.http(config.text(f"/{side}")), note=side)
