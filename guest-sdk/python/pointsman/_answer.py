"""From a router's answer to the records that the host takes.

A value that a record cannot hold would end the decision in a trap, of which the log tells nothing. So everything is
checked here, and what is wrong is an error that names the field. What a field may mean is for the host to check.

A peer and a route are flat, the host's records are not: the same object stands for each of the records that it has the
fields of, so that a decision makes few objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from .error import Error
from .header import Header
from .peer import Alpn, BindTo, ConnectProxy, Peer, Quirks, TcpKeepalive, Tls, Upgrade, Verify
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


class HostRoute:
    """The record `route`."""

    __slots__ = ("peer", "rewrite", "retry", "note")
    peer: HostPeer
    rewrite: Any
    retry: Any
    note: str | None


class NoRewrite:
    """The record `rewrite` and `retry-policy` of a route that is a peer alone."""

    authority = path_and_query = attempts = None
    remove_headers: list[str] = []
    set_headers: list[Header] = []
    add_headers: list[Header] = []
    on_status: list[int] = []


class HostPeer:
    """The record `peer`."""

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
    timeouts: Peer
    tcp_keepalive: TcpKeepalive | None
    http: Peer
    socket: Peer
    isolation: str | None


_PACKAGE = __file__.rpartition("/")[0]

# They hold one answer at a time: the host reads it before the next decision begins.
_CONNECT = Connect()
_RESPOND = Respond()
_PASS = Pass()
_NO_REWRITE = NoRewrite()


def to_host(answer: Answer) -> Connect | Respond | Pass:
    """The decision as the host takes it. What is wrong is an `Error`."""
    if type(answer) is Peer:
        route = HostRoute()
        route.peer = _peer(answer)
        route.rewrite = route.retry = _NO_REWRITE
        route.note = None
        _CONNECT.value = route
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


def _route(route: Route) -> HostRoute:
    if type(route.peer) is not Peer:
        raise _wrong("Route", "peer", route.peer, "a Peer")
    host = HostRoute()
    host.peer = _peer(route.peer)
    host.rewrite = host.retry = route
    host.note = note = route.note
    if note is not None:
        _text("Route", "note", note)
    if route.authority is not None:
        _text("Route", "authority", route.authority)
    if route.path_and_query is not None:
        _text("Route", "path_and_query", route.path_and_query)
    if route.attempts is not None:
        _number("Route", "attempts", route.attempts, 32)
    if route.remove_headers:
        for name in _list("Route", "remove_headers", route.remove_headers):
            _text("Route", "remove_headers", name)
    if route.set_headers:
        _headers("Route", "set_headers", route.set_headers)
    if route.add_headers:
        _headers("Route", "add_headers", route.add_headers)
    if route.on_status:
        for status in _list("Route", "on_status", route.on_status):
            _number("Route", "on_status", status, 16)
    return host


def _response(response: Response) -> None:
    _number("Response", "status", response.status, 16)
    if response.headers:
        _headers("Response", "headers", response.headers)
    if type(response.body) is not bytes:
        raise _wrong("Response", "body", response.body, "bytes")


def _peer(peer: Peer) -> HostPeer:
    host = HostPeer()
    host.timeouts = host.http = host.socket = peer
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
    if type(peer.alpn) is not Alpn or type(peer.upgrade) is not Upgrade or type(peer.quirks) is not Quirks:
        _kind("Peer", "alpn", peer.alpn, Alpn)
        _kind("Peer", "upgrade", peer.upgrade, Upgrade)
        _kind("Peer", "quirks", peer.quirks, Quirks)
    _peer_numbers(peer)
    return host


def _peer_numbers(peer: Peer) -> None:
    # One by one, since a loop over names costs more than all of these.
    if peer.connect_ms is not None:
        _number("Peer", "connect_ms", peer.connect_ms, 32)
    if peer.total_connect_ms is not None:
        _number("Peer", "total_connect_ms", peer.total_connect_ms, 32)
    if peer.read_ms is not None:
        _number("Peer", "read_ms", peer.read_ms, 32)
    if peer.write_ms is not None:
        _number("Peer", "write_ms", peer.write_ms, 32)
    if peer.idle_ms is not None:
        _number("Peer", "idle_ms", peer.idle_ms, 32)
    if peer.max_h2_streams is not None:
        _number("Peer", "max_h2_streams", peer.max_h2_streams, 32)
    if peer.h2_ping_interval_ms is not None:
        _number("Peer", "h2_ping_interval_ms", peer.h2_ping_interval_ms, 32)
    if peer.h2_stream_window is not None:
        _number("Peer", "h2_stream_window", peer.h2_stream_window, 32)
    if peer.h2_connection_window is not None:
        _number("Peer", "h2_connection_window", peer.h2_connection_window, 32)
    if peer.dscp is not None:
        _number("Peer", "dscp", peer.dscp, 8)
    if peer.tcp_recv_buf is not None:
        _number("Peer", "tcp_recv_buf", peer.tcp_recv_buf, 32)


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


def error_text(error: BaseException) -> str:
    """What the log says of an exception that ended a decision."""
    if isinstance(error, Error):
        return str(error).encode("utf-8", "replace").decode()
    # The last line of the author's own code tells more than one in this package.
    where = ""
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(_PACKAGE):
            where = f" ({file.rpartition('/')[2]}:{trace.tb_lineno})"
        trace = trace.tb_next
    return f"{type(error).__name__}: {error}{where}".encode("utf-8", "replace").decode()
