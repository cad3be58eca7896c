"""Percent-encoding (RFC 3986, section 2.1) and what the query adds to it."""

from __future__ import annotations

_DIGITS = "0123456789ABCDEFabcdef"
_BYTES = {(high + low).encode(): bytes.fromhex(high + low) for high in _DIGITS for low in _DIGITS}


def decode(text: str) -> str:
    """`%XX` is the byte XX where both are hexadecimal digits, otherwise `%` stands for itself. Bytes that are not
    UTF-8 become U+FFFD."""
    if "%" not in text:
        return text
    first, *rest = text.encode("utf-8", "replace").split(b"%")
    parts = [first]
    for part in rest:
        byte = _BYTES.get(part[:2])
        parts += (b"%", part) if byte is None else (byte, part[2:])
    return b"".join(parts).decode("utf-8", "replace")


def decode_form(text: str) -> str:
    """The same, after each `+` became a space."""
    return decode(text.replace("+", " "))
