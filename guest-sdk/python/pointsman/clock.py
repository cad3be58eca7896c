"""The time at which the decision began. It does not advance while the decision runs.

`time.time` tells the same. In a test, `testing.clock` sets it.
"""

from __future__ import annotations

from . import _host


def now_ms() -> int:
    """Milliseconds since 1970-01-01 00:00 UTC."""
    return _host.host.clock_now_ms()
