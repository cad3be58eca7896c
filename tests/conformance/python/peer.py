"""The part `peer`: each parameter sets a field of the record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from parts import bad, number

from pointsman import (
    Alpn,
    BindTo,
    ConnectProxy,
    Error,
    Header,
    Peer,
    Quirks,
    Request,
    Route,
    TcpKeepalive,
    Tls,
    Upgrade,
    Verify,
)

C = TypeVar("C", bound=Enum)


def route(request: Request, params: list[tuple[str, str]]) -> Route:
    route = Route(Peer.http(""))
    for name, value in params:
        Parameter(name, value).set(route, request)
    return route


@dataclass
class Parameter:
    name: str
    value: str

    def set(self, route: Route, request: Request) -> None:
        name, value, peer = self.name, self.value, route.peer
        match name:
            case "address" | "isolation":
                setattr(peer, name, value)
            case "tls":
                tls(peer)
            case "sni" | "ca" | "curves" | "alternative-cn" | "client-cert":
                setattr(tls(peer), name.replace("-", "_"), value)
            case "verify":
                tls(peer).verify = self.case(Verify)
            case "second-key-share":
                tls(peer).second_key_share = self.flag()
            case "connect-proxy":
                peer.connect_proxy = ConnectProxy(value)
            case "proxy-header":
                if peer.connect_proxy is None:
                    raise self.bad()
                peer.connect_proxy.headers.append(self.header())
            case "bind-address":
                bind_to(peer).address = value
            case "bind-ports":
                first, last = self.split("-")
                bind_to(peer).port_range = (self.number(first, 16), self.number(last, 16))
            case "bind-fallback":
                bind_to(peer).fallback = self.flag()
            case "connect-ms" | "total-connect-ms" | "read-ms" | "write-ms" | "idle-ms":
                setattr(peer, name.replace("-", "_"), self.number(value, 32))
            case "keepalive":
                numbers = [self.number(text, 32) for text in value.split(",")]
                if len(numbers) != 4:
                    raise self.bad()
                peer.tcp_keepalive = TcpKeepalive(*numbers)
            case "alpn":
                peer.alpn = self.case(Alpn)
            case "max-h2-streams" | "h2-ping-interval-ms" | "h2-stream-window" | "h2-connection-window":
                setattr(peer, name.replace("-", "_"), self.number(value, 32))
            case "upgrade":
                peer.upgrade = self.case(Upgrade)
            case "quirk":
                peer.quirks |= self.case(Quirks)
            case "dscp":
                peer.dscp = self.number(value, 8)
            case "tcp-recv-buf":
                peer.tcp_recv_buf = self.number(value, 32)
            case "tcp-fast-open":
                peer.tcp_fast_open = self.flag()
            case "authority":
                route.authority = value
            case "path-and-query":
                route.path_and_query = value
            case "remove":
                route.remove_headers.append(value)
            case "set":
                route.set_headers.append(self.header())
            case "add":
                route.add_headers.append(self.header())
            case "copy":
                source, target = self.split(":")
                copied = request.header_bytes(source)
                if copied is not None:
                    route.set_headers.append(Header(target, copied))
            case "attempts":
                route.attempts = self.number(value, 32)
            case "on-status":
                route.on_status.append(self.number(value, 16))
            case "note":
                route.note = value
            case _:
                raise Error(f"unknown parameter {name}")

    def bad(self) -> Error:
        return bad(self.name, self.value)

    def number(self, text: str, bits: int) -> int:
        return number(self.name, self.value, text, bits)

    def flag(self) -> bool:
        if self.value not in ("true", "false"):
            raise self.bad()
        return self.value == "true"

    def case(self, cases: type[C]) -> C:
        for case in cases:
            if case.name.lower().replace("_", "-") == self.value:
                return case
        raise self.bad()

    def split(self, at: str) -> tuple[str, str]:
        left, separator, right = self.value.partition(at)
        if not separator:
            raise self.bad()
        return left, right

    def header(self) -> Header:
        name, value = self.split(":")
        return Header(name, value.encode())


def tls(peer: Peer) -> Tls:
    if peer.tls is None:
        peer.tls = Tls()
    return peer.tls


def bind_to(peer: Peer) -> BindTo:
    if peer.bind_to is None:
        peer.bind_to = BindTo()
    return peer.bind_to
