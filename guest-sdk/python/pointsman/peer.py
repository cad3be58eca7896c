"""An upstream, and how to connect to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto
from operator import attrgetter
from typing import TYPE_CHECKING, TypedDict, Unpack

from ._case import Case
from .header import Header, Headers, to_list


class Verify(Case):
    """How far the upstream's certificate is checked. Less than `FULL` needs a grant."""

    FULL = 0
    CHAIN_ONLY = 1
    NONE = 2


class Alpn(Case):
    """The HTTP version to speak. `H2H1`: HTTP/2 if the upstream agrees; only with TLS."""

    H1 = 0
    H2 = 1
    H2H1 = 2


class Upgrade(Case):
    """Which HTTP/1.1 upgrades are forwarded."""

    WEBSOCKET = 0
    ANY = 1
    DENY = 2


class Quirks(Flag):
    """Departures from the HTTP standard: `Quirks.KEEP_HOP_BY_HOP | Quirks.ACCEPT_INVALID_CONTENT_LENGTH`."""

    KEEP_HOP_BY_HOP = auto()
    KEEP_CONNECTION_NOMINATED = auto()
    ACCEPT_MALFORMED_CONNECTION = auto()
    ACCEPT_INVALID_CONTENT_LENGTH = auto()

    if not TYPE_CHECKING:
        value = property(attrgetter("_value_"))


NO_QUIRKS = Quirks(0)


@dataclass(slots=True)
class Tls:
    """TLS to the upstream. As it is made: the certificate is checked in full, for the name in the peer's address."""

    sni: str | None = None
    """The server name to send, and to find in the certificate. Not an IP address."""
    verify: Verify = Verify.FULL
    alternative_cn: str | None = None
    """A second name that the certificate may carry."""
    ca: str | None = None
    """The operator's CA bundle of this name, instead of the system's roots."""
    client_cert: str | None = None
    """The operator's client certificate of this name."""
    curves: str | None = None
    """Key exchange groups to offer, best first: `X25519:P-256`."""
    second_key_share: bool | None = None
    """Whether to send a second key share with a post-quantum one. BoringSSL only."""


@dataclass(slots=True, init=False)
class ConnectProxy:
    """An HTTP proxy that opens a tunnel to the peer by CONNECT."""

    address: str
    headers: list[Header]

    def __init__(self, address: str, headers: Headers = ()) -> None:
        """Its address in the forms of `Peer.address`, and headers such as `proxy-authorization`."""
        self.address = address
        self.headers = to_list(headers)


@dataclass(slots=True)
class BindTo:
    """The local end of the connection. Needs a grant, and an address or ports."""

    address: str | None = None
    """`ip` or `ip:port`."""
    port_range: tuple[int, int] | None = None
    """Local ports to choose from, first and last."""
    fallback: bool = False
    """Whether to take a port outside the range when none in it is free."""


@dataclass(slots=True)
class TcpKeepalive:
    """Probes of an idle connection."""

    idle_s: int
    """Idle time before the first probe, in seconds, 1 to 32,767."""
    interval_s: int
    """Time between probes, in seconds, 1 to 32,767."""
    count: int
    """Unanswered probes after which the connection is closed, 1 to 127."""
    user_timeout_ms: int = 0
    """How long sent data may stay unacknowledged, in milliseconds. 0: the system's default."""


class PeerOptions(TypedDict, total=False):
    """What `Peer.http` and `Peer.https` take by name: the fields of `Peer`."""

    connect_proxy: ConnectProxy | None
    bind_to: BindTo | None
    connect_ms: int | None
    total_connect_ms: int | None
    read_ms: int | None
    write_ms: int | None
    idle_ms: int | None
    tcp_keepalive: TcpKeepalive | None
    alpn: Alpn
    max_h2_streams: int | None
    h2_ping_interval_ms: int | None
    h2_stream_window: int | None
    h2_connection_window: int | None
    upgrade: Upgrade
    quirks: Quirks
    dscp: int | None
    tcp_recv_buf: int | None
    tcp_fast_open: bool
    isolation: str | None


@dataclass(slots=True)
class Peer:
    """An upstream and how to connect to it.

    `Peer.http("127.0.0.1:9101", connect_ms=300)` or
    `Peer.https("203.0.113.7:443", sni="shop.example", alpn=Alpn.H2H1)`. Every field may be set later, too.

    What is None is left to the tenant's configuration, or off. A wrong value is refused by the host, which names the
    field; it is never ignored.
    """

    address: str
    """`ip:port`, `[ipv6]:port`, `name:port` or `unix:/path`."""
    tls: Tls | None = None
    """None: plain HTTP."""
    connect_proxy: ConnectProxy | None = None
    bind_to: BindTo | None = None
    connect_ms: int | None = None
    """Time to establish the TCP connection, once more for a CONNECT proxy's answer, and once more for the TLS
    handshake. Timeouts are in milliseconds, 1 to 86,400,000."""
    total_connect_ms: int | None = None
    """Time to establish the connection with all that belongs to it: TCP, CONNECT, TLS."""
    read_ms: int | None = None
    """Time between two reads of the response."""
    write_ms: int | None = None
    """Time for one write of the request."""
    idle_ms: int | None = None
    """How long the connection is kept for reuse. 0: not at all."""
    tcp_keepalive: TcpKeepalive | None = None
    alpn: Alpn = Alpn.H1
    max_h2_streams: int | None = None
    """Concurrent streams on one HTTP/2 connection, 1 to 65,535."""
    h2_ping_interval_ms: int | None = None
    """Time between HTTP/2 pings on a connection, in milliseconds, 1,000 to 86,400,000."""
    h2_stream_window: int | None = None
    """Initial HTTP/2 receive window of a stream, in bytes, 65,535 to 2,147,483,647."""
    h2_connection_window: int | None = None
    """The same of the connection."""
    upgrade: Upgrade = Upgrade.WEBSOCKET
    quirks: Quirks = NO_QUIRKS
    dscp: int | None = None
    """Differentiated services code point, 0 to 63."""
    tcp_recv_buf: int | None = None
    """Size of the receive buffer, in bytes, 1,024 to 268,435,456."""
    tcp_fast_open: bool = False
    """Whether to send the first bytes with the SYN (RFC 7413)."""
    isolation: str | None = None
    """Keeps connections apart that are equal otherwise: they are shared only within one value."""

    @classmethod
    def http(cls, address: str, **options: Unpack[PeerOptions]) -> Peer:
        """Plain HTTP/1.1 to an address."""
        return cls(address, None, **options)

    @classmethod
    def https(
        cls,
        address: str,
        *,
        sni: str | None = None,
        verify: Verify = Verify.FULL,
        alternative_cn: str | None = None,
        ca: str | None = None,
        client_cert: str | None = None,
        curves: str | None = None,
        second_key_share: bool | None = None,
        **options: Unpack[PeerOptions],
    ) -> Peer:
        """HTTP/1.1 over TLS, the certificate checked in full. If the address is no DNS name, `sni` says which name
        to expect. The arguments before `options` are the fields of `Tls`."""
        tls = Tls(sni, verify, alternative_cn, ca, client_cert, curves, second_key_share)
        return cls(address, tls, **options)
