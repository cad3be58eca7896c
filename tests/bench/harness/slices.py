"""Alternating measurements: all proxies run, and short slices alternate between them, so that a slow phase of the
machine affects all."""

import statistics
import time

from . import load, places, process


def one_slice(server, seconds, core=places.PROXY_CORE, **requests):
    """Loads a proxy for some seconds and returns the resources that it used."""
    requests_of_wrk = dict(requests)
    cpu, busy, begin = server.cpu_us(), process.core_busy_us(core), time.monotonic()
    told = load.wrk(server.port, seconds, **requests_of_wrk)
    elapsed_us = (time.monotonic() - begin) * 1e6
    cpu, busy = server.cpu_us() - cpu, process.core_busy_us(core) - busy
    rss, pss, _ = server.memory_kib()
    return {
        "cpu_us": round(cpu / max(1, told["requests"]), 2),
        "per_second": round(told["requests"] / (told["duration_us"] / 1e6)),
        "p50_us": told["p50_us"],
        "p99_us": told["p99_us"],
        "errors": load.errors(told),
        # Shares of the proxy's core: its own, and that of everything else that ran there.
        "used": round(cpu / elapsed_us, 3),
        "others": round(max(0, busy - cpu) / elapsed_us, 3),
        "rss_kib": rss,
        "pss_kib": pss,
    }


def in_turn(names, round_number):
    """The order of a round, reversed every other time, so that no proxy is always the first after a pause."""
    return list(names) if round_number % 2 == 0 else list(names)[::-1]


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def quartiles(values):
    """The middle half of the values; of fewer than four, all."""
    values = sorted(values)
    if len(values) < 4:
        return values[0], values[-1]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def paired(slices, kind, name, other, key, combine):
    """`combine` of two proxies' figures of the same round, for every round that has both."""
    by_round = {one["round"]: one[key] for one in slices if one["name"] == other and one["kind"] == kind}
    return [combine(one[key], by_round[one["round"]]) for one in slices
            if one["name"] == name and one["kind"] == kind and one["round"] in by_round]
