"""The tenant's log. What `print` writes goes there as well, as level `info`.

In a test, `testing.log_lines` tells what was written.
"""

from __future__ import annotations

from . import _host
from ._case import Case
from ._text import clean


class Level(Case):
    """How much a line matters."""

    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4


def write(level: Level, message: object) -> None:
    """Writes a line: the `str` of anything. Beyond the tenant's `limits.log_bytes` a decision's lines are cut."""
    _host.host.log(level, clean(str(message)))


def trace(message: object) -> None:
    """Writes a line at level `trace`."""
    write(Level.TRACE, message)


def debug(message: object) -> None:
    """Writes a line at level `debug`."""
    write(Level.DEBUG, message)


def info(message: object) -> None:
    """Writes a line at level `info`."""
    write(Level.INFO, message)


def warn(message: object) -> None:
    """Writes a line at level `warn`."""
    write(Level.WARN, message)


def error(message: object) -> None:
    """Writes a line at level `error`."""
    write(Level.ERROR, message)
