"""From a router's answer to the records that the host takes.

A value that a record cannot hold would end the decision in a trap, of which the log tells nothing. So everything is
checked here, and what is wrong is an error that names the field. What a field may mean is for the host to check.

A peer and a route are flat, the host's records are not: the same object stands for each of the records that it has the
fields of, and one object for all records in which nothing is set. So a decision makes few objects.

`componentize-py` requests each field with a newly created name. For most objects that name would end up in the
interpreter's cache of attributes, and each such entry costs a fresh instance two copied pages; in `super` objects it
looks past the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from .error import Error
from .header import Header
from .peer import NO_QUIRKS, Alpn, BindTo, ConnectProxy, Peer, Quirks, TcpKeepalive, Tls, Upgrade, Verify
from .request import Request
from .route import Pass, Response, Route

Answer: TypeAlias = Peer | Route | Response | Pass
Router: TypeAlias = Callable[[Request], Answer]


class _Case:
    __slots__ = ("value",)
    value: Any


class Connect(_Case):
    """The case `connect` of a decision."""

    __slots__ = ()


class Respond(_Case):
    """The case `respond` of a decision."""

    __slots__ = ()


class _RouteFields:
    __slots__ = ("peer", "rewrite", "retry", "note")
    peer: object
    rewrite: object
    retry: object
    note: str | None


class _HostRoute(_RouteFields):
    """The record `route`."""

    __slots__ = ()


class _PeerFields:
    __slots__ = (
        "address",
        "tls",
        "connect_proxy",
        "bind_to",
        "timeouts",
        "tcp_keepalive",
        "http",
        "socket",
        "isolation",
    )
    address: str
    tls: Tls | None
    connect_proxy: ConnectProxy | None
    bind_to: BindTo | None
    timeouts: object
    tcp_keepalive: TcpKeepalive | None
    http: object
    socket: object
    isolation: str | None


class _HostPeer(_PeerFields):
    """The record `peer`."""

    __slots__ = ()


class _NothingFields:
    connect_ms = total_connect_ms = read_ms = write_ms = idle_ms = None
    alpn = Alpn.H1
    max_h2_streams = h2_ping_interval_ms = h2_stream_window = h2_connection_window = None
    upgrade = Upgrade.WEBSOCKET
    quirks = NO_QUIRKS
    dscp = tcp_recv_buf = None
    tcp_fast_open = False
    authority = path_and_query = attempts = None
    remove_headers: list[str] = []
    set_headers: list[Header] = []
    add_headers: list[Header] = []
    on_status: list[int] = []


class _Nothing(_NothingFields):
    """The records below `peer` and `route` in which nothing is set."""


# They hold one answer at a time: the host reads it before the next decision begins.
_CONNECT = Connect()
_RESPOND = Respond()
_PASS = Pass()
_NOTHING = super(_Nothing, _Nothing())


def to_host(answer: Answer) -> Connect | Respond | Pass:
    """The decision as the host takes it. What is wrong is an `Error`."""
    if type(answer) is Peer:
        route = _HostRoute()
        route.peer = _peer(answer)
        route.rewrite = route.retry = _NOTHING
        route.note = None
        _CONNECT.value = super(_HostRoute, route)
        return _CONNECT
    if type(answer) is Route:
        _CONNECT.value = _route(answer)
        return _CONNECT
    if type(answer) is Response:
        _response(answer)
        _RESPOND.value = answer
        return _RESPOND
    if type(answer) is Pass:
        return _PASS
    raise Error(f"`select_peer` returned {_shown(answer)}, not a Peer, a Route, a Response or Pass()")


def _route(route: Route) -> object:
    if type(route.peer) is not Peer:
        raise _wrong("Route", "peer", route.peer, "a Peer")
    host = _HostRoute()
    host.peer = _peer(route.peer)
    host.note = note = route.note
    if note is not None:
        _text("Route", "note", note)
    host.rewrite = route if _changes(route) else _NOTHING
    host.retry = route if _retries(route) else _NOTHING
    return super(_HostRoute, host)


def _changes(route: Route) -> bool:
    """Whether anything of the request is changed. One by one, since a loop over names costs more than all of these."""
    changes = False
    if route.authority is not None:
        changes = True
        _text("Route", "authority", route.authority)
    if route.path_and_query is not None:
        changes = True
        _text("Route", "path_and_query", route.path_and_query)
    if route.remove_headers:
        changes = True
        for name in _list("Route", "remove_headers", route.remove_headers):
            _text("Route", "remove_headers", name)
    if route.set_headers:
        changes = True
        _headers("Route", "set_headers", route.set_headers)
    if route.add_headers:
        changes = True
        _headers("Route", "add_headers", route.add_headers)
    return changes


def _retries(route: Route) -> bool:
    """Whether anything is said of retries."""
    if route.attempts is None and not route.on_status:
        return False
    if route.attempts is not None:
        _number("Route", "attempts", route.attempts, 32)
    for status in _list("Route", "on_status", route.on_status):
        _number("Route", "on_status", status, 16)
    return True


def _response(response: Response) -> None:
    _number("Response", "status", response.status, 16)
    if response.headers:
        _headers("Response", "headers", response.headers)
    if type(response.body) is not bytes:
        raise _wrong("Response", "body", response.body, "bytes")


def _peer(peer: Peer) -> object:
    host = _HostPeer()
    host.address = peer.address
    _text("Peer", "address", peer.address)
    host.tls = tls = peer.tls
    if tls is not None:
        _tls(tls)
    host.connect_proxy = proxy = peer.connect_proxy
    if proxy is not None:
        _kind("Peer", "connect_proxy", proxy, ConnectProxy)
        _text("ConnectProxy", "address", proxy.address)
        _headers("ConnectProxy", "headers", proxy.headers)
    host.bind_to = bind_to = peer.bind_to
    if bind_to is not None:
        _bind_to(bind_to)
    host.tcp_keepalive = keepalive = peer.tcp_keepalive
    if keepalive is not None:
        _kind("Peer", "tcp_keepalive", keepalive, TcpKeepalive)
        for field in ("idle_s", "interval_s", "count", "user_timeout_ms"):
            _number("TcpKeepalive", field, getattr(keepalive, field), 32)
    host.isolation = isolation = peer.isolation
    if isolation is not None:
        _text("Peer", "isolation", isolation)
    host.timeouts = peer if _has_timeouts(peer) else _NOTHING
    host.http = peer if _has_http(peer) else _NOTHING
    host.socket = peer if _has_socket(peer) else _NOTHING
    return super(_HostPeer, host)


def _has_timeouts(peer: Peer) -> bool:
    connect, total_connect, read, write, idle = fields = (
        peer.connect_ms,
        peer.total_connect_ms,
        peer.read_ms,
        peer.write_ms,
        peer.idle_ms,
    )
    if connect is total_connect is read is write is idle is None:
        return False
    _numbers(("connect_ms", "total_connect_ms", "read_ms", "write_ms", "idle_ms"), fields)
    return True


def _has_http(peer: Peer) -> bool:
    streams, ping, stream_window, connection_window = fields = (
        peer.max_h2_streams,
        peer.h2_ping_interval_ms,
        peer.h2_stream_window,
        peer.h2_connection_window,
    )
    if (
        streams is ping is stream_window is connection_window is None
        and peer.alpn is Alpn.H1
        and peer.upgrade is Upgrade.WEBSOCKET
        and peer.quirks is NO_QUIRKS
    ):
        return False
    _kind("Peer", "alpn", peer.alpn, Alpn)
    _kind("Peer", "upgrade", peer.upgrade, Upgrade)
    _kind("Peer", "quirks", peer.quirks, Quirks)
    _numbers(("max_h2_streams", "h2_ping_interval_ms", "h2_stream_window", "h2_connection_window"), fields)
    return True


def _has_socket(peer: Peer) -> bool:
    if peer.dscp is peer.tcp_recv_buf is None and peer.tcp_fast_open is False:
        return False
    if peer.dscp is not None:
        _number("Peer", "dscp", peer.dscp, 8)
    _numbers(("tcp_recv_buf",), (peer.tcp_recv_buf,))
    return True


def _numbers(fields: tuple[str, ...], numbers: tuple[int | None, ...]) -> None:
    for field, number in zip(fields, numbers, strict=True):
        if number is not None:
            _number("Peer", field, number, 32)


def _tls(tls: Tls) -> None:
    _kind("Peer", "tls", tls, Tls)
    _kind("Tls", "verify", tls.verify, Verify)
    for field in ("sni", "alternative_cn", "ca", "client_cert", "curves"):
        text = getattr(tls, field)
        if text is not None:
            _text("Tls", field, text)


def _bind_to(bind_to: BindTo) -> None:
    _kind("Peer", "bind_to", bind_to, BindTo)
    if bind_to.address is not None:
        _text("BindTo", "address", bind_to.address)
    ports = bind_to.port_range
    if ports is not None:
        if type(ports) is not tuple or len(ports) != 2:
            raise _wrong("BindTo", "port_range", ports, "a tuple of two numbers")
        for port in ports:
            _number("BindTo", "port_range", port, 16)


def _headers(record: str, field: str, headers: list[Header]) -> None:
    for header in _list(record, field, headers):
        if type(header) is not Header or type(header.value) is not bytes:
            raise _wrong(record, field, header, "a Header of a text and bytes")
        _text(record, field, header.name)


def _list(record: str, field: str, items: Any) -> list[Any]:
    if type(items) is not list:
        raise _wrong(record, field, items, "a list")
    return items


def _text(record: str, field: str, text: Any) -> None:
    if not isinstance(text, str):
        raise _wrong(record, field, text, "a text")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _wrong(record, field, text, "a text that UTF-8 can hold") from None


def _number(record: str, field: str, number: Any, bits: int) -> None:
    if not isinstance(number, int) or number < 0 or number >> bits:
        raise _wrong(record, field, number, f"a whole number from 0 to {(1 << bits) - 1}")


def _kind(record: str, field: str, value: Any, kind: type) -> None:
    if type(value) is not kind:
        raise _wrong(record, field, value, f"of type {kind.__name__}")


def _wrong(record: str, field: str, value: Any, expected: str) -> Error:
    return Error(f"{record}: `{field}` is {_shown(value)}, not {expected}")


def _shown(value: object) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
