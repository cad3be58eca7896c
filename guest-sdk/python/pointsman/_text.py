"""Text that the host can take."""

from __future__ import annotations


def clean(text: str) -> str:
    """The text, with `?` for lone surrogates: Python's strings may hold them, the host's may not, and one that got there
    would end the decision in a trap."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
