"""Helpers that several parts of the job need."""

from __future__ import annotations

from collections.abc import Iterable

from pointsman import Error, Headers, Response


def plain(lines: Iterable[str | bytes], headers: Headers = ()) -> Response:
    """A plain answer, as the job has it."""
    body = b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)
    response = Response.text(200, "", headers)
    response.body = body
    return response


def or_dash(value: object) -> str:
    return "-" if value is None else str(value)


def bad(name: str, value: str) -> Error:
    return Error(f"bad value for {name}: {value}")


def number(name: str, value: str, text: str, bits: int) -> int:
    """A number that fits: with 64 bits a signed one, otherwise one without a sign."""
    digits = text.removeprefix("-") if bits == 64 else text
    if not (digits.isascii() and digits.isdigit()):
        raise bad(name, value)
    result = int(text)
    if not (-(1 << 63) <= result < 1 << 63 if bits == 64 else result < 1 << bits):
        raise bad(name, value)
    return result
