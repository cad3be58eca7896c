"""Headers, and how they are said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias


class Header(NamedTuple):
    """One header: `for name, value in request.headers` takes it apart."""

    name: str
    value: bytes

    @property
    def text(self) -> str:
        """The value as text. Invalid UTF-8 is replaced by U+FFFD."""
        return self.value.decode("utf-8", "replace")


Headers: TypeAlias = Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]]
"""Headers as they may be said: a dictionary, or pairs where a name comes more than once. Text is sent as UTF-8."""


def to_list(headers: Headers) -> list[Header]:
    """Headers as the host takes them."""
    if not headers:
        return []
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [Header(name, value.encode() if isinstance(value, str) else value) for name, value in pairs]
