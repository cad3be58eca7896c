"""What the standard library does in a component, where there is no system: `print` writes to the tenant's log, `time.time`
is the host's clock, and `random`, `secrets` and `uuid` draw from the host's randomness.

Without it the first two would end the decision in a trap, and `random` would give each instance the same numbers. While
the module is built, there is a system and no host, and all of them do what they always do.
"""

from __future__ import annotations

import builtins
import io
import os
import random
import sys
import time
from importlib.machinery import BuiltinImporter, FrozenImporter
from typing import NoReturn, TextIO, cast

from . import _host
from .log import Level, write

_is_built = False


class _Log(io.TextIOBase):
    """A stream whose lines go to the log."""

    def __init__(self, level: Level, while_built: TextIO) -> None:
        self._level = level
        self._while_built = while_built
        self._line = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not _is_built:
            return self._while_built.write(text)
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            write(self._level, line)
        return len(text)

    def flush(self) -> None:
        if not _is_built:
            self._while_built.flush()


class _NoFiles:
    """What looks for modules that are not there yet: it finds none, and says why."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> NoReturn:
        raise ModuleNotFoundError(f"`{name}` is not in the component: import it at the top of a file", name=name)


def _open(file: object, *_: object, **__: object) -> NoReturn:
    raise FileNotFoundError(f"there are no files in a component, and so no {file!r}")


_system_time = time.time_ns
_system_urandom = os.urandom


def _time_ns() -> int:
    return _host.host.clock_now_ms() * 1_000_000 if _is_built else _system_time()


def _time() -> float:
    return _time_ns() / 1_000_000_000


def _urandom(size: int) -> bytes:
    if not _is_built:
        return _system_urandom(size)
    draws = [_host.host.random_get_u64().to_bytes(8, "little") for _ in range(0, size, 8)]
    return b"".join(draws)[:size]


def bind() -> None:
    """Puts them in place, for all that is imported from now on."""
    sys.stdout = cast(TextIO, _Log(Level.INFO, sys.stdout))
    sys.stderr = cast(TextIO, _Log(Level.WARN, sys.stderr))
    time.time = time.monotonic = time.perf_counter = _time
    time.time_ns = time.monotonic_ns = time.perf_counter_ns = _time_ns
    os.urandom = _urandom
    setattr(random, "_urandom", _urandom)
    # The module's functions are methods of a generator that has its seed from the build.
    system = random.SystemRandom()
    for name in random.__all__:
        if name[0].islower():
            setattr(random, name, getattr(system, name))


def end_of_build() -> None:
    """From now on there is a host, and no files: neither modules nor data."""
    global _is_built
    _is_built = True
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, _NoFiles()]
    setattr(builtins, "open", _open)
    setattr(io, "open", _open)
