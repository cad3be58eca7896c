"""What the standard library does in a component, where there is no system: `print` writes to the tenant's log, `time.time`
is the host's clock, and `random`, `secrets` and `uuid` draw from the host's randomness.

Without it the first two would end the decision in a trap, and `random` would give each instance the same numbers.
"""

from __future__ import annotations

import io
import os
import random
import sys
import time
from typing import TextIO, cast

from . import _host
from .log import Level, write


class _Log(io.TextIOBase):
    """A stream whose lines go to the log."""

    def __init__(self, level: Level) -> None:
        self._level = level
        self._line = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            write(self._level, line)
        return len(text)


def _time() -> float:
    return _host.host.clock_now_ms() / 1000


def _time_ns() -> int:
    return _host.host.clock_now_ms() * 1_000_000


def _urandom(size: int) -> bytes:
    draws = [_host.host.random_get_u64().to_bytes(8, "little") for _ in range(0, size, 8)]
    return b"".join(draws)[:size]


def bind() -> None:
    """Puts them in place, for all that is imported from now on."""
    sys.stdout = cast(TextIO, _Log(Level.INFO))
    sys.stderr = cast(TextIO, _Log(Level.WARN))
    time.time = time.monotonic = time.perf_counter = _time
    time.time_ns = time.monotonic_ns = time.perf_counter_ns = _time_ns
    os.urandom = _urandom
    setattr(random, "_urandom", _urandom)
    # The module's functions are methods of a generator that has its seed from the build.
    system = random.SystemRandom()
    for name in random.__all__:
        if name[0].islower():
            setattr(random, name, getattr(system, name))
