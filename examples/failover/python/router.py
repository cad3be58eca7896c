"""Upstreams in order of preference: the next one when one fails, and a polite answer when none is left."""

from pointsman import Peer, Request, Response, Route, config, log


def select_peer(request: Request) -> Route | Response:
    upstreams = config.texts("/upstreams")
    failed = request.attempts
    if failed:
        log.warn(f"{failed[-1].address} failed: {failed[-1].failure}")
    if len(failed) < len(upstreams):
        return to(upstreams[len(failed)])
    return sorry()


def to(upstream: str) -> Route:
    # The next upstream is at hand, so this one need not be waited for.
    return Route(Peer.http(upstream, connect_ms=500), on_status=[502, 503])


def sorry() -> Response:
    text = "We are being repaired. Please try again in half a minute.\n"
    return Response(503, text, {"retry-after": "30", "content-type": "text/plain; charset=utf-8"})
