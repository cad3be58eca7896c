"""Requests, configuration, log and all else that a host offers, for a plain `python -m unittest`, without Wasm and
without a host.

    import unittest

    from pointsman import Peer, testing
    from router import select_peer

    class Api(unittest.TestCase):
        def setUp(self) -> None:
            testing.reset()
            testing.config({"api": "127.0.0.1:9102", "web": "127.0.0.1:9101"})

        def test_it_has_its_own_upstream(self) -> None:
            request = testing.get("https://shop.example/api/carts", headers={"accept": "text/html"})
            self.assertEqual(select_peer(request), Peer.http("127.0.0.1:9102"))

All that a test sets, and all that a module keeps in `pointsman.shared`, stays until `reset`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from . import _answer, _host
from .header import Header, Headers, to_list
from .log import Level
from .request import Attempt, ClientTls, Failure, Request, Stage
from .shared import Error as SharedError
from .shared import Reason
from .upstreams import Upstream

NEW_YEAR_MS = 1_767_225_600_000
"""2026-01-01 00:00 UTC, where the clock stands until a test sets it."""


def reset() -> None:
    """Forgets all that was set, kept and logged."""
    _host.host = _TestHost()


def config(table: Mapping[str, Any] | str) -> None:
    """Sets the content of `pointsman.config`: a dictionary, or its JSON. `{}` until then."""
    value = json.loads(table) if isinstance(table, str) else json.loads(json.dumps(table))
    if not isinstance(value, dict):
        raise ValueError(f"testing.config: a module's configuration is a JSON object, not `{table}`")
    _test_host().table = value


def config_json() -> str:
    """The configuration as `configure` gets it."""
    return _test_host().config_json()


def log_lines() -> list[tuple[Level, str]]:
    """The lines logged since the last call."""
    host = _test_host()
    lines, host.lines = host.lines, []
    return lines


def clock(ms: int) -> None:
    """Sets the time, in milliseconds since 1970-01-01 00:00 UTC; `NEW_YEAR_MS` until then."""
    _test_host().now_ms = ms


def random(values: Iterable[int]) -> None:
    """Sets the 64-bit numbers that `pointsman.random` gives next; after these, it gives 0."""
    _test_host().draws = list(values)


def upstream(upstream: Upstream) -> None:
    """Sets the statistics of an upstream."""
    _test_host().upstreams[upstream.address] = upstream


def group(name: str, members: Iterable[Upstream]) -> None:
    """Sets the members of a group."""
    _test_host().groups[name] = list(members)


def check(answer: _answer.Answer) -> None:
    """Fails with the error that the log would tell if the host could not take this answer: a text where a number
    belongs, and the like. Whether the host honours what it can take is seen with `pointsman decide`."""
    _answer.to_host(answer)


def get(url: str, **facts: Any) -> Request:
    """A GET request; see `request`."""
    return request("GET", url, **facts)


def request(
    method: str,
    url: str,
    *,
    headers: Headers = (),
    client_ip: str = "192.0.2.1",
    listener: str = "test",
    tls: ClientTls | None = None,
    attempts: Iterable[Attempt] = (),
) -> Request:
    """A request for a URL, such as `https://shop.example/cart?x=1`, or for a path alone. Attempts, such as `refused`
    makes, are numbered here. A URL with `https` has facts about TLS, if none are given."""
    return _TestRequest(method, url, to_list(headers), client_ip, listener, tls, list(attempts))


def refused(address: str) -> Attempt:
    """An attempt that failed because nothing listened on the address."""
    return Attempt(1, address, Stage.CONNECT, Failure.REFUSED, None, False, False, 1, "")


def timed_out(address: str) -> Attempt:
    """An attempt that failed because the connection timed out."""
    return Attempt(1, address, Stage.CONNECT, Failure.TIMEOUT, None, False, False, 1, "")


def closed(address: str) -> Attempt:
    """An attempt that failed since the upstream closed the connection instead of answering."""
    return Attempt(1, address, Stage.RECEIVE, Failure.CLOSED, None, False, True, 1, "")


def status(address: str, status: int) -> Attempt:
    """An attempt that failed since the upstream answered with this status."""
    return Attempt(1, address, Stage.RECEIVE, Failure.STATUS, status, False, True, 1, "")


class _TestRequest(Request):
    def __init__(
        self,
        method: str,
        url: str,
        headers: list[Header],
        client_ip: str,
        listener: str,
        tls: ClientTls | None,
        attempts: list[Attempt],
    ) -> None:
        scheme, separator, rest = url.partition("://")
        if not separator:
            scheme, rest = "http", url
        end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
        path, question, query = rest[end:].partition("?")
        self._method = method
        self._scheme = scheme.lower()
        self._authority = rest[:end].lower()
        self._path = path or "/"
        self._query = query if question else None
        self._headers = [Header(name.lower(), value) for name, value in headers]
        self._client_ip = client_ip
        self._listener = listener
        self._tls = tls
        if tls is None and self._scheme == "https":
            self._tls = ClientTls(self.host, "TLSv1.3", "TLS_AES_256_GCM_SHA384", None)
        self._attempts = [replace(attempt, number=at) for at, attempt in enumerate(attempts, 1)]

    @property
    def method(self) -> str:
        return self._method

    @property
    def scheme(self) -> str:
        return self._scheme

    @property
    def authority(self) -> str:
        return self._authority

    @property
    def path(self) -> str:
        return self._path

    @property
    def query(self) -> str | None:
        return self._query

    @property
    def client_ip(self) -> str:
        return self._client_ip

    @property
    def listener(self) -> str:
        return self._listener

    @property
    def tls(self) -> ClientTls | None:
        return self._tls

    @property
    def attempts(self) -> list[Attempt]:
        return list(self._attempts)

    @property
    def headers(self) -> list[Header]:
        names = list(dict.fromkeys(header.name for header in self._headers))
        return sorted(self._headers, key=lambda header: names.index(header.name))

    def header(self, name: str) -> str | None:
        value = self.header_bytes(name)
        return None if value is None else value.decode("utf-8", "replace")

    def header_bytes(self, name: str) -> bytes | None:
        return next(iter(self.header_values(name)), None)

    def header_values(self, name: str) -> list[bytes]:
        return [header.value for header in self._headers if header.name == name.lower()]


class _TestHost:
    """Answers as the host would, from what a test has set."""

    def __init__(self) -> None:
        self.table: dict[str, Any] = {}
        self.lines: list[tuple[Level, str]] = []
        self.now_ms = NEW_YEAR_MS
        self.draws: list[int] = []
        self.upstreams: dict[str, Upstream] = {}
        self.groups: dict[str, list[Upstream]] = {}
        # A counter is a number, a value is bytes; beside it the time at which it is gone.
        self.entries: dict[str, tuple[int | bytes, int | None]] = {}

    def log(self, level: Level, message: str, /) -> None:
        self.lines.append((level, message))

    def config_json(self) -> str:
        return _json(self.table)

    def config_get(self, pointer: str, /) -> str | None:
        found, value = self._find(pointer)
        return _json(value) if found else None

    def config_get_text(self, pointer: str, /) -> str | None:
        _, value = self._find(pointer)
        return value if isinstance(value, str) else None

    def _find(self, pointer: str) -> tuple[bool, Any]:
        value: Any = self.table
        first, *tokens = pointer.split("/")
        if first:
            return False, None
        for token in tokens:
            token = token.replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and token in value:
                value = value[token]
            elif isinstance(value, list) and token.isdecimal() and int(token) < len(value):
                value = value[int(token)]
            else:
                return False, None
        return True, value

    def shared_add(self, key: str, amount: int, ttl_ms: int | None, /) -> int:
        before, end = self._entry(key) or (0, self._end(ttl_ms))
        if isinstance(before, bytes):
            raise SharedError(Reason.OTHER_KIND)
        if not -(1 << 63) <= before + amount < 1 << 63:
            raise SharedError(Reason.OVERFLOW)
        self._keep(key, before + amount, end)
        return before + amount

    def shared_counter(self, key: str, /) -> int | None:
        content, _ = self._entry(key) or (None, None)
        return content if isinstance(content, int) else None

    def shared_get(self, key: str, /) -> bytes | None:
        content, _ = self._entry(key) or (None, None)
        return content if isinstance(content, bytes) else None

    def shared_set(self, key: str, value: bytes, ttl_ms: int | None, /) -> None:
        if self.shared_counter(key) is not None:
            raise SharedError(Reason.OTHER_KIND)
        self._keep(key, value, self._end(ttl_ms))

    def shared_compare_and_set(self, key: str, expected: bytes | None, value: bytes, ttl_ms: int | None, /) -> bool:
        if self.shared_counter(key) is not None:
            raise SharedError(Reason.OTHER_KIND)
        if self.shared_get(key) != expected:
            return False
        self._keep(key, value, self._end(ttl_ms))
        return True

    def shared_delete(self, key: str, /) -> None:
        self.entries.pop(key, None)

    def _entry(self, key: str) -> tuple[int | bytes, int | None] | None:
        entry = self.entries.get(key)
        if entry is None or entry[1] is None or entry[1] > self.now_ms:
            return entry
        del self.entries[key]
        return None

    def _keep(self, key: str, content: int | bytes, end: int | None) -> None:
        if len(key.encode()) > 256 or (isinstance(content, bytes) and len(content) > 16_384):
            raise SharedError(Reason.TOO_LONG)
        self.entries[key] = content, end

    def _end(self, ttl_ms: int | None) -> int | None:
        return None if ttl_ms is None else self.now_ms + ttl_ms

    def upstreams_get(self, address: str, /) -> Upstream:
        return self.upstreams.get(address) or Upstream(address)

    def upstreams_group(self, name: str, /) -> list[Upstream] | None:
        return self.groups.get(name)

    def clock_now_ms(self) -> int:
        return self.now_ms

    def random_get_u64(self) -> int:
        return self.draws.pop(0) if self.draws else 0


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _test_host() -> _TestHost:
    host = _host.host
    assert isinstance(host, _TestHost), "outside of a component, the host is a test's"
    return host


reset()
