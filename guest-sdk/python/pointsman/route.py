"""What a router answers, beside a peer: a route, a response, or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from .header import Header, Headers, to_list
from .peer import Peer


@dataclass(slots=True, init=False)
class Route:
    """Where the request goes, and what is changed on its way.

    `Route(Peer.http("127.0.0.1:9101"), path_and_query="/v2/cart", set_headers={"x-shop": "north"}, note="v2")`
    """

    peer: Peer
    authority: str | None
    """The authority (`host` header) to send: `host` or `host:port`. None: the client's."""
    path_and_query: str | None
    """The path and query to send: it starts with `/` and is percent-encoded. None: the client's."""
    remove_headers: list[str]
    """Headers whose values are all removed. The host removes before it sets and adds."""
    set_headers: list[Header]
    """Headers that replace all values of their name. A name may be set once."""
    add_headers: list[Header]
    """Headers that are added to those that are there."""
    attempts: int | None
    """Attempts for this request at most, this one and all before it included. 1: no retry."""
    on_status: list[int]
    """Statuses of the upstream, 500 to 599, that count as a failed attempt."""
    note: str | None
    """A remark for the access log, such as the name of the rule that matched. At most 256 bytes."""

    def __init__(
        self,
        peer: Peer,
        *,
        authority: str | None = None,
        path_and_query: str | None = None,
        remove_headers: Iterable[str] = (),
        set_headers: Headers = (),
        add_headers: Headers = (),
        attempts: int | None = None,
        on_status: Iterable[int] = (),
        note: str | None = None,
    ) -> None:
        """To a peer; without more, the request as the client sent it, and retries as the tenant's limits have it."""
        self.peer = peer
        self.authority = authority
        self.path_and_query = path_and_query
        self.remove_headers = [*remove_headers]
        self.set_headers = to_list(set_headers)
        self.add_headers = to_list(add_headers)
        self.attempts = attempts
        self.on_status = [*on_status]
        self.note = note


@dataclass(slots=True, init=False)
class Response:
    """An answer that the module itself gives, without an upstream."""

    status: int
    """200 to 599."""
    headers: list[Header]
    body: bytes

    def __init__(self, status: int, body: bytes | str = b"", headers: Headers = ()) -> None:
        """The type of the body is for the headers to say; `text` and `json` do."""
        self.status = status
        self.headers = to_list(headers)
        self.body = body.encode() if isinstance(body, str) else body

    @classmethod
    def text(cls, status: int, text: str, headers: Headers = ()) -> Response:
        """Plain text."""
        return cls(status, text, [Header("content-type", b"text/plain; charset=utf-8"), *to_list(headers)])

    @classmethod
    def json(cls, status: int, value: object, headers: Headers = ()) -> Response:
        """Anything that `json.dumps` takes."""
        return cls(status, json.dumps(value), [Header("content-type", b"application/json"), *to_list(headers)])


@dataclass(slots=True)
class Pass:
    """No opinion: the tenant's next module decides."""
