"""Randomness: unpredictable numbers. For a choice that one visitor keeps, see `pointsman.hash`.

The standard library's `random`, `secrets` and `uuid` draw from the same source. In a test, `testing.random` says what
comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from . import _host

T = TypeVar("T")


def bits() -> int:
    """64 random bits."""
    return _host.host.random_get_u64()


def below(end: int) -> int:
    """A number from 0 to `end`, without `end` itself; 0 if that is 0. One is as likely as another, but for one part in
    2**64 / `end`."""
    # The upper half of a 128-bit product is below `end`.
    return bits() * end >> 64


def pick(items: Sequence[T]) -> T | None:
    """One of them. None if there is none."""
    return items[below(len(items))] if items else None


def pick_two(items: Sequence[T]) -> tuple[T, T] | None:
    """Two different ones, in random order. None if there are fewer."""
    if len(items) < 2:
        return None
    first = below(len(items))
    second = below(len(items) - 1)
    return items[first], items[second if second < first else second + 1]
