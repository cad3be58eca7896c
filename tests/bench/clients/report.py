"""Tables of the results in Markdown."""

from harness import results


def percentile(values, share):
    """The value below which the fraction `share` of all values is; None if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def seconds(value):
    return "-" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def listed(counts):
    return "; ".join(f"{count:,} x {what}" for what, count in counts.items()) or "-"


def row(run):
    hostile, healthy, proxy = run["hostile"], run["healthy"], run["proxy"]
    errors = "; ".join(f"{count} x {what}" for what, count in healthy["errors"].items())
    return [
        run["kind"], run["target"],
        f"{hostile['most_connected']:,} of {run['count']:,}", f"{hostile['still']:,}",
        " / ".join(seconds(hostile[key]) for key in ("first_s", "half_s", "all_s")),
        listed(hostile["signals"]),
        f"{proxy['rss_before_kib'] / 1024:.0f} / {proxy['rss_most_kib'] / 1024:.0f} / {proxy['rss_after_kib'] / 1024:.0f}",
        f"{proxy['hwm_kib'] / 1024:.0f}",
        f"{proxy['descriptors_before']:,} / {proxy['descriptors_most']:,} / {proxy['descriptors_after']:,}",
        f"{proxy['cpu_s']:.1f}",
        f"{results.figure(healthy['p50_ms'])} / {results.figure(healthy['p99_ms'])}",
        f"{sum(healthy['errors'].values())} of {healthy['requests']:,}" + (f" ({errors})" if errors else "")
        + ("; **the proxy died**" if proxy["died"] else ""),
    ]


HEAD = ["clients", "proxy", "connected at most", "still connected", "gone, s: first / half / all", "signals",
        "RSS, MiB: before / most / after", "VmHWM, MiB", "descriptors: before / most / after", "CPU, s",
        "healthy p50 / p99, ms", "healthy errors"]


def table(runs):
    """One line for each kind and proxy, the proxies of a kind next to each other."""
    kinds = list(dict.fromkeys(run["kind"] for run in runs))
    ordered = sorted(runs, key=lambda run: kinds.index(run["kind"]))
    return results.table(HEAD, [row(run) for run in ordered], left=2)
