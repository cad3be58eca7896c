"""Makes a mistake, chosen by the request's path."""

import sys

from pointsman import Peer, Request, config, shared
from table import find


# Without `configure`, so that the module is compiled once for all configurations: that takes half a minute.
def select_peer(request: Request) -> Peer:
    table: list[tuple[str, str]] = []
    match request.path:
        case "/panic":
            raise ValueError("the table is empty")
        case "/assert":
            assert len(table) > 0, f"a table of {len(table)} entries"
        case "/index":
            return Peer.http(find(table, request.path))
        case "/null":
            return Peer.http(first(table)[1])
        case "/exit":
            sys.exit(3)
        case "/memory":
            return Peer.http(read(1 << 27))
        case "/loop":
            search(table)
        case "/recursion":
            return Peer.http(descend(request.path))
        case "/answer":
            return Peer.http("upstream.internal")
        case "/shared":
            shared.set("k" * 300, b"")
    return Peer.http(config.text("/stable"))


def first(table: list[tuple[str, str]]) -> tuple[str, str]:
    return next(iter(table), None)


def read(size: int) -> str:
    return "x" * size


def search(table: list[tuple[str, str]]) -> None:
    place = 0
    while place >= len(table):
        place = (place + 1) % 8


def descend(path: str) -> str:
    return descend(path) + "/"
