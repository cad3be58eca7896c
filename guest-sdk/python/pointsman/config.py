"""The module's configuration: its `config` table.

A value is named by a JSON Pointer (RFC 6901): `/percent`, `/upstreams/0/address`. A value of the wrong type is always an
error, never treated as a missing one. Errors name the value.

In a test, `testing.config` sets it.
"""

from __future__ import annotations

import json as _json
from typing import Any, Final, TypeVar

from . import _host
from ._text import clean
from .error import Error

T = TypeVar("T")


class _Required:
    """Stands for a default that there is not."""


_REQUIRED: Final = _Required()


def json() -> str:
    """The whole table as a JSON object."""
    return _host.host.config_json()


def parse() -> dict[str, Any]:
    """The whole table as a dictionary."""
    table: dict[str, Any] = _json.loads(json())
    return table


def get(pointer: str) -> str | None:
    """One value, as JSON. None if it is absent."""
    return _host.host.config_get(clean(pointer))


def text(pointer: str, default: str | _Required = _REQUIRED) -> str:
    """A text. If the operator gave none, the default, without which that is an error."""
    value = _host.host.config_get_text(clean(pointer))
    if value is not None:
        return value
    _no_other(pointer, "a text")
    return _or_missing(pointer, default)


def texts(pointer: str) -> list[str]:
    """A list of texts."""
    items = get(pointer)
    if items is None:
        raise _missing(pointer)
    values = _json.loads(items)
    if not isinstance(values, list):
        raise _wrong(pointer, items, "a list")
    for index, value in enumerate(values):
        if not isinstance(value, str):
            raise _wrong(f"{pointer}/{index}", get(f"{pointer}/{index}"), "a text")
    return values


def number(pointer: str, default: float | _Required = _REQUIRED) -> float:
    """A number. If the operator gave none, the default, without which that is an error."""
    value = get(pointer)
    if value is None:
        return _or_missing(pointer, default)
    # What JSON has beside numbers begins with one of these.
    if value[0] in '"[{tfn':
        raise _wrong(pointer, value, "a number")
    return float(value)


def integer(pointer: str, default: int | _Required = _REQUIRED) -> int:
    """A whole number. If the operator gave none, the default, without which that is an error."""
    value = get(pointer)
    if value is None:
        return _or_missing(pointer, default)
    try:
        return int(value)
    except ValueError:
        raise _wrong(pointer, value, "a whole number") from None


def flag(pointer: str) -> bool:
    """`true` or `false`, the latter also if the operator gave neither."""
    value = get(pointer)
    if value not in ("true", "false", None):
        raise _wrong(pointer, value, "true or false")
    return value == "true"


def _no_other(pointer: str, expected: str) -> None:
    other = get(pointer)
    if other is not None:
        raise _wrong(pointer, other, expected)


def _or_missing(pointer: str, default: T | _Required) -> T:
    if isinstance(default, _Required):
        raise _missing(pointer)
    return default


def _missing(pointer: str) -> Error:
    return Error(f"config: `{pointer}` is missing")


def _wrong(pointer: str, value: str | None, expected: str) -> Error:
    return Error(f"config: `{pointer}` is `{value}`, not {expected}")
