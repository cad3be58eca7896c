"""State that the tenant's modules keep between decisions: counters and small values.

They live in the proxy's memory, belong to the tenant, and are lost when it restarts. A key has at most 256 bytes, a
value at most 16,384; their size is bounded by the tenant's `quota.shared_bytes`. So an error is not unusual, and a good
module handles it.

A TTL is the time after which an entry expires, in milliseconds, from its creation; None: never. A counter keeps the
TTL of its creation, so one with a TTL counts the events within that time.

In a test, `testing.reset` empties it, and `testing.clock` sets the time.
"""

from __future__ import annotations

from . import _host, error
from ._case import Case
from ._text import clean


class Reason(Case):
    """What stood in the way. Its text is the contract's name for it: `too-long`."""

    FULL = 0
    """The tenant's quota has no space for another entry, or for a larger one."""
    TOO_LONG = 1
    """The key or the value is too long."""
    OTHER_KIND = 2
    """The entry is a counter, and the call is for a value, or the other way round."""
    OVERFLOW = 3
    """The counter would leave the range of a signed 64-bit number."""
    OTHER = 4


class Error(error.Error):
    """An entry could not be made or changed."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"shared: {reason}")
        self.reason = reason


def add(key: str, amount: int, ttl_ms: int | None = None) -> int:
    """Adds to a counter, which is created with 0 if it is absent, and returns the sum."""
    if not -(1 << 63) <= amount < 1 << 63:
        raise ValueError(f"shared: {amount} is no signed 64-bit number")
    return _host.host.shared_add(clean(key), amount, _checked(ttl_ms))


def counter(key: str) -> int | None:
    """A counter. None if there is none."""
    return _host.host.shared_counter(clean(key))


def get(key: str) -> bytes | None:
    """A value. None if there is none."""
    return _host.host.shared_get(clean(key))


def set(key: str, value: bytes | str, ttl_ms: int | None = None) -> None:
    """Creates or replaces a value."""
    _host.host.shared_set(clean(key), _bytes(value), _checked(ttl_ms))


def compare_and_set(key: str, expected: bytes | str | None, value: bytes | str, ttl_ms: int | None = None) -> bool:
    """The same, if the value is as expected until then; None: if it is not there. Tells whether it was."""
    before = None if expected is None else _bytes(expected)
    return _host.host.shared_compare_and_set(clean(key), before, _bytes(value), _checked(ttl_ms))


def delete(key: str) -> None:
    """Removes a counter or a value."""
    _host.host.shared_delete(clean(key))


def _bytes(value: bytes | str) -> bytes:
    return value.encode("utf-8", "replace") if isinstance(value, str) else bytes(value)


def _checked(ttl_ms: int | None) -> int | None:
    if ttl_ms is not None and not 0 <= ttl_ms < 1 << 32:
        raise ValueError(f"shared: a TTL of {ttl_ms} ms is not within 0 to 4294967295")
    return ttl_ms
