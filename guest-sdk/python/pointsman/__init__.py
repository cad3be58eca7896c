"""Write a Pointsman routing module in Python.

A module is a file `router.py` with a function from a request to a peer, a route, a response, or `Pass()`:

    from pointsman import Peer, Request, config

    def select_peer(request: Request) -> Peer:
        side = "api" if request.path.startswith("/api/") else "web"
        return Peer.http(config.text(f"/{side}"))

The host calls it for every request, and again after each attempt that failed (`Request.attempts`). By default every call
starts in a fresh copy of the module as it was when it was built: nothing that a call writes to a global is seen by a
later one.

A function `configure(config: str) -> None`, if there is one, is called once when the module is loaded, with the
configuration as JSON. The globals that it leaves are there for every call.

Natively a router is an ordinary Python file: `pointsman.testing` makes requests, configuration and log for a test.
"""

from __future__ import annotations

from . import clock, config, hash, log, random, shared, upstreams
from .error import Error
from .header import Header, Headers
from .peer import Alpn, BindTo, ConnectProxy, Peer, Quirks, TcpKeepalive, Tls, Upgrade, Verify
from .request import Attempt, ClientTls, Failure, Request, Stage
from .route import Pass, Response, Route

__all__ = [
    "Alpn",
    "Attempt",
    "BindTo",
    "ClientTls",
    "ConnectProxy",
    "Error",
    "Failure",
    "Header",
    "Headers",
    "Pass",
    "Peer",
    "Quirks",
    "Request",
    "Response",
    "Route",
    "Stage",
    "TcpKeepalive",
    "Tls",
    "Upgrade",
    "Verify",
    "clock",
    "config",
    "hash",
    "log",
    "random",
    "shared",
    "upstreams",
]
