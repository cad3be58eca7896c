"""Statistics of upstreams from the tenant's own requests, and the results of health checks.

In a test, `testing.upstream` and `testing.group` set them.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import _host
from ._case import Case
from ._text import clean
from .error import Error


class Health(Case):
    """What the last health check found; `UNKNOWN` before the first one, and where there is none."""

    UNKNOWN = 0
    HEALTHY = 1
    UNHEALTHY = 2


@dataclass(slots=True)
class Upstream:
    """An upstream, as the proxy knows it."""

    address: str
    health: Health = Health.UNKNOWN
    in_flight: int = 0
    """Attempts in flight, in this proxy."""
    latency_us: int | None = None
    """Time from the start of an attempt to the head of its response, in microseconds: an average in which every response
    counts for an eighth. None before the first one."""
    failures: int = 0
    """Consecutive failed attempts, if the last was within the past 30 seconds; else 0."""


def get(address: str) -> Upstream:
    """The statistics of an address, in a group or not."""
    return _host.host.upstreams_get(clean(address))


def group(name: str) -> list[Upstream]:
    """The members of a group that the operator defined, in its order. That there is none is an error."""
    members = _host.host.upstreams_group(clean(name))
    if members is None:
        raise Error(f"there is no group `{name}`; the operator defines it")
    return members
