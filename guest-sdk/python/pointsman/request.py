"""The request to be routed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ._case import Case
from ._decode import decode, decode_form
from .header import Header


class Stage(Case):
    """How far an attempt got. Its text is the contract's name for it: `connect-proxy`."""

    RESOLVE = 0
    CONNECT = 1
    CONNECT_PROXY = 2
    TLS = 3
    SEND = 4
    RECEIVE = 5
    OTHER = 6


class Failure(Case):
    """The failure of an attempt. Its text is the contract's name for it: `proxy-refused`."""

    TIMEOUT = 0
    REFUSED = 1
    UNREACHABLE = 2
    CLOSED = 3
    CERTIFICATE = 4
    PROTOCOL = 5
    PROXY_REFUSED = 6
    STATUS = 7
    OTHER = 8


@dataclass(slots=True)
class Attempt:
    """An attempt of this request that failed."""

    number: int
    """The first is 1."""
    address: str
    """The address that the module named."""
    stage: Stage
    failure: Failure
    status: int | None
    """The upstream's status if that is why the attempt failed, or the CONNECT proxy's if it refused."""
    reused_connection: bool
    request_sent: bool
    """Whether bytes of the request may have reached the upstream."""
    elapsed_ms: int
    """From the decision to the failure, in milliseconds."""
    detail: str
    """For logs, not for decisions: its text may change."""


@dataclass(slots=True)
class ClientTls:
    """Facts about the client's TLS connection."""

    sni: str | None
    """The server name that the client sent, in lower case."""
    version: str
    """Such as `TLSv1.3`."""
    cipher: str
    """Such as `TLS_AES_256_GCM_SHA384`."""
    client_cert_sha256: bytes | None
    """SHA-256 of the client's certificate (DER). None if it sent none."""


class Request:
    """The request to be routed.

    Nothing is copied in advance: each of these calls the host, which records the reads. So read only what the
    decision needs, and read it once.
    """

    __slots__ = ()

    @property
    def method(self) -> str:
        """As sent, such as `GET`."""
        raise NotImplementedError

    @property
    def scheme(self) -> str:
        """`https` if the client's connection has TLS, else `http`."""
        raise NotImplementedError

    @property
    def authority(self) -> str:
        """Host and, if the client named one, port, in lower case. Empty if the client sent none."""
        raise NotImplementedError

    @property
    def path(self) -> str:
        """The path as sent, percent-encoding untouched, without the query."""
        raise NotImplementedError

    @property
    def query(self) -> str | None:
        """The part after the first `?`, as sent."""
        raise NotImplementedError

    @property
    def client_ip(self) -> str:
        """The peer address of the client's connection: `203.0.113.7` or `2001:db8::1`."""
        raise NotImplementedError

    @property
    def listener(self) -> str:
        """The name of the listener that took the connection."""
        raise NotImplementedError

    @property
    def tls(self) -> ClientTls | None:
        """Facts about the client's TLS connection. None without TLS."""
        raise NotImplementedError

    @property
    def attempts(self) -> list[Attempt]:
        """The failed attempts of this request, oldest first. Empty on the first call."""
        raise NotImplementedError

    @property
    def headers(self) -> list[Header]:
        """All headers, names in lower case, in the order of their names' first appearance."""
        raise NotImplementedError

    def header(self, name: str) -> str | None:
        """The first value of a header, as text: invalid UTF-8 is replaced by U+FFFD."""
        raise NotImplementedError

    def header_bytes(self, name: str) -> bytes | None:
        """The first value of a header, as sent."""
        raise NotImplementedError

    def header_values(self, name: str) -> list[bytes]:
        """All values of a header, in order."""
        raise NotImplementedError

    @property
    def host(self) -> str:
        """The authority without its port: `shop.example`, `203.0.113.7` or `[2001:db8::1]`."""
        authority = self.authority
        host, colon, port = authority.rpartition(":")
        # A colon within brackets belongs to an IPv6 address.
        return host if colon and "]" not in port else authority

    @property
    def path_segments(self) -> list[str]:
        """The path's segments, percent-decoded: `/cart/caf%C3%A9/` has `cart` and `café`. Empty ones are left out; `.`
        and `..` are unchanged."""
        return [decode(segment) for segment in self.path.split("/") if segment]

    @property
    def query_params(self) -> list[tuple[str, str]]:
        """All query parameters in order, percent-decoded, with `+` as a space."""
        return list(self._query_params())

    def query_param(self, name: str) -> str | None:
        """The first query parameter of this name, percent-decoded, with `+` as a space."""
        for key, value in self._query_params():
            if key == name:
                return value
        return None

    def _query_params(self) -> Iterator[tuple[str, str]]:
        for pair in (self.query or "").split("&"):
            if pair:
                name, _, value = pair.partition("=")
                yield decode_form(name), decode_form(value)

    @property
    def cookies(self) -> list[tuple[str, str]]:
        """All cookies in order, their values as sent."""
        return list(cookie_pairs(self.header_values("cookie")))

    def cookie(self, name: str) -> str | None:
        """The first cookie of this name."""
        for key, value in cookie_pairs(self.header_values("cookie")):
            if key == name:
                return value
        return None


def cookie_pairs(headers: list[bytes]) -> Iterator[tuple[str, str]]:
    """The cookies in the headers of that name."""
    for header in headers:
        for pair in header.decode("utf-8", "replace").split(";"):
            name, equals, value = pair.partition("=")
            if equals:
                yield name.strip(), value.strip()
