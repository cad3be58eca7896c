"""The cost of a request as something grows: tenants, modules, routes, the request's head, worker threads."""

import dataclasses

from harness import places
from pointsman import PLAIN


@dataclasses.dataclass
class Curve:
    title: str
    axis: str
    # Points: the series' name, the figure on the axis, the proxy.
    points: list
    seconds_to_start: int = 60
    cores: str = places.PROXY_CORE
    rate: int = None
    # Whether its series are measured one after the other: together they need more connections than the upstream
    # accepts.
    apart: bool = False
    about: str = "microseconds, as fast as answers come, one worker thread"


TENANTS = (1, 10, 100, 1_000, 10_000)


def tenants(sites, largest):
    # Connections to one port of the upstream would not go beyond the local ports that there are.
    spread = {"sessions": 8}
    points = [(series, count, sites.proxy(f"tenants-{series}-{count}", sites.one_module(count, tail), hosts=count, **spread))
              for series, tail in sites.cache_series().items()
              for count in TENANTS if count <= largest]
    # Among the tenants of one proxy, some have the same module.
    points += [("cached, 1,000 modules", count,
                sites.proxy(f"tenants-modules-{count}", sites.own_modules(count, modules=1_000), hosts=count, **spread))
               for count in TENANTS if 1_000 <= count <= largest]
    # Tenants share no connections: the cost of using so many is not part of the decision.
    points += [("native Pingora, a pool for each host", count, sites.native_by_host(count)) for count in TENANTS if count <= largest]
    return Curve("CPU time a request, by the number of tenants", "tenants, in rotation by host", points, 300, apart=True)


def modules(sites, largest):
    points = [(series, count, sites.proxy(f"modules-{series}-{count}", sites.own_modules(count, tail), hosts=count))
              for series, tail in sites.cache_series().items()
              for count in (1, 10, 100, 1_000) if count <= largest]
    return Curve("CPU time a request, by the number of distinct modules", "modules, each of a tenant of its own, in rotation",
                 points, 900)


def routes(sites, largest):
    points = [(series, count, sites.proxy(f"routes-{series}-{count}", sites.table(count, tail), hosts=1, routes=min(count, 1000)))
              for series, tail in sites.cache_series().items()
              for count in (10, 100, 1_000, 10_000, 100_000) if count <= largest]
    return Curve("CPU time a request, by the size of the routing table", "routes of the example table; up to 1,000 of them in rotation",
                 points, 120)


def head(sites, _largest):
    points = []
    for size in (200, 1_000, 4_000, 16_000):
        for series, tail in sites.cache_series().items():
            points.append((series, size, sites.proxy(f"head-{series}-{size}", sites.one_module(1, tail), hosts=1, head=size)))
        points.append(("native Pingora", size, sites.native_pingora(head=size)))
    return Curve("CPU time a request, by the size of its head", "bytes of the request's head, in headers of 100 bytes", points)


def threads(sites, _largest):
    points = []
    for series, tail in sites.cache_series().items():
        for count in (1, 2):
            more = PLAIN.replace("threads = 1", f"threads = {count}")
            points.append((series, count, sites.proxy(f"threads-{series}-{count}", sites.one_module(1, tail), more, hosts=1)))
    return Curve("CPU time a request, by worker threads", "worker threads", points, cores="0,1", rate=3000,
                 about="microseconds at 3,000 requests a second; proxy, load and upstream share both cores")


CURVES = {"tenants": tenants, "modules": modules, "routes": routes, "head": head, "threads": threads}
