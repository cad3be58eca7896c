"""Runs, while the module is built, what most decisions run, so that the interpreter has adapted its instructions to it: each
instance starts with that. A router's own code is not run, and what is run keeps nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from . import _answer, config, hash
from .peer import Peer
from .request import Request, cookie_pairs
from .route import Pass, Response, Route

# Many times what the interpreter waits for.
_ROUNDS = 200
_KEYS = ("10.0.0.1", "visitor-1", "2001:db8::1:2:3:4", "0b0f6d7e-9d0b-4c55-8e0f-0a1b2c3d4e5f")
_PEER = Peer.http("127.0.0.1:1")


def select_peer(_: Request) -> Peer:
    """A router to warm with."""
    return _PEER


def warm(request: Request, decide: Callable[[Request], object]) -> None:
    """The request and all that the host is asked give None."""
    for _ in range(_ROUNDS):
        decide(request)
        for read in (request.method, request.path, request.client_ip, request.header("x"), request.query_param("x")):
            assert read is None
        list(cookie_pairs([b"theme=dark; session=1"]))
        for key in _KEYS:
            hash.percent(key)
        hash.rank("1", ("a:1", "b:2"))
        config.text("/x", "")
        config.number("/x", 0)
        for answer in (
            _PEER,
            Peer.http("127.0.0.1:1", connect_ms=500),
            Route(_PEER),
            Route(_PEER, note="x"),
            Route(_PEER, on_status=[502, 503]),
            Response.text(503, "x", {"retry-after": "30"}),
            Pass(),
        ):
            _answer.to_host(answer)
