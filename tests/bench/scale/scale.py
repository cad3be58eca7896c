#!/usr/bin/env python3
"""The cost of a request, and memory, as Pointsman grows. See docs/performance.md.

    tests/bench/scale/scale.py                          all curves and memory: some 30 minutes, the first time longer
    tests/bench/scale/scale.py --only tenants,memory    some: tenants, modules, routes, head, threads, memory
    tests/bench/scale/scale.py --quick                  small figures and few rounds, to see that all works
    tests/bench/scale/scale.py --from FILE              tables and plots from saved results, without measuring
"""

import itertools
import os
import resource
import sys

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [BENCH, os.path.join(BENCH, "proxies")]

from harness import arguments as common, load, machine, places, process, results, slices, svg  # noqa: E402
from harness.results import figure  # noqa: E402
from harness.slices import median, quartiles  # noqa: E402
import curves  # noqa: E402
import memory  # noqa: E402
import sites  # noqa: E402

# Long enough for ten thousand tenants to have had a request each, and a connection.
SECONDS_TO_WARM_UP = 5


def say(text):
    print(f"scale: {text}", file=sys.stderr, flush=True)


def arguments():
    parser = common.parser(__doc__, rounds=8)
    parser.add_argument("--largest", type=int, default=100_000, help="leave out points beyond this")
    options = parser.parse_args()
    options.parts = options.only.split(",") if options.only else [*curves.CURVES, "memory"]
    unknown = set(options.parts) - {*curves.CURVES, "memory"}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if options.quick:
        options.rounds, options.seconds, options.largest = 2, 1, min(options.largest, 1_000)
    return options


def measure_curve(curve, options):
    groups = [curve.points]
    if curve.apart:
        groups = [list(points) for _, points in itertools.groupby(curve.points, key=lambda point: point[0])]
    return [taken for points in groups for taken in measure_points(curve, points, options)]


def measure_points(curve, points, options):
    """All points are up at the same time, and their slices go round."""
    servers, measured = [], []
    try:
        for series, at, proxy in points:
            server = proxy.start(curve.cores, patience=curve.seconds_to_start)
            servers.append((series, at, proxy, server))
            say(f"{proxy.name}: up after {server.seconds_to_start:.1f} s")
            slices.one_slice(server, SECONDS_TO_WARM_UP, **proxy.requests)
        for number in range(options.rounds):
            for series, at, proxy, server in slices.in_turn(servers, number):
                taken = slices.one_slice(server, options.seconds, rate=curve.rate, **proxy.requests)
                measured.append({"round": number, "series": series, "at": at, **taken})
    finally:
        for *_, server in servers:
            server.stop()
    return measured


def measure(options):
    made = sites.Sites(options.pointsman, not options.no_cache_key)
    load.upstream()
    for part in options.parts:
        say(part)
        if part == "memory":
            found = memory.measure(made, say, options.quick)
            results.save("memory", found, options.results)
        else:
            curve = curves.CURVES[part](made, options.largest)
            found = {"title": curve.title, "axis": curve.axis, "about": curve.about, "slices": measure_curve(curve, options)}
            results.save(f"scale-{part}", found, options.results)


def curve_rows(curve):
    """Series, point, and the middle and its spread; the ratio is to the series' first point."""
    points = {}
    for one in curve["slices"]:
        points.setdefault(one["series"], {}).setdefault(one["at"], []).append(one)
    for series, by_figure in points.items():
        first = None
        for at, of_point in sorted(by_figure.items()):
            cpu = [one["cpu_us"] for one in of_point]
            first = first or median(cpu)
            yield series, at, median(cpu), quartiles(cpu), median(cpu) / first, of_point


def curve_table(curve):
    rows = []
    for series, at, middle, (low, high), ratio, of_point in curve_rows(curve):
        rows.append([series, f"{at:,}", figure(middle), f"{low:.1f} to {high:.1f}", figure(ratio, 2),
                     figure(median([one["p99_us"] for one in of_point]) / 1000, 2),
                     figure(median([one["rss_kib"] for one in of_point]) / 1024, 0), str(sum(one["errors"] for one in of_point))])
    head = ["", curve["axis"], "CPU, us", "middle half", "x first", "p99, ms", "RSS, MiB", "errors"]
    return results.table(head, rows)


def curve_plot(curve):
    series = {}
    for name, at, middle, *_ in curve_rows(curve):
        series.setdefault(name, []).append((at, middle))
    return svg.curves(curve["title"], curve["about"], curve["axis"], series)


def memory_table(found):
    rows = [[one["what"], figure(one["kib"]), figure(one.get("anonymous_kib")), figure(one.get("at_start_kib")), f"{one['of']:,}", figure(one.get("seconds_to_start"))]
            for one in found]
    return results.table(["", "KiB", "of it anonymous, KiB", "before requests, KiB", "measured with", "start, s"], rows)


def write(kept, to_page):
    for part in [*curves.CURVES, "memory"]:
        key = part if part == "memory" else f"scale-{part}"
        if key not in kept:
            continue
        text = memory_table(kept[key]) if part == "memory" else curve_table(kept[key])
        print(f"{part}\n\n{text}\n")
        if not to_page:
            continue
        results.write_page(key, text)
        if part != "memory":
            with open(os.path.join(places.PLOTS, f"{key}.svg"), "w") as file:
                file.write(curve_plot(kept[key]))


def main():
    options = arguments()
    if options.source:
        write(results.load(options.source), not options.no_page)
        return
    process.end_on_signals()
    # Thousands of connections: as many descriptors as the system allows.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        results.save("machine", machine.describe(options.pointsman), options.results)
        measure(options)
    except process.DidNotStart as problem:
        raise SystemExit(f"bench: {problem}") from None
    finally:
        process.stop_all()
    write(results.load(options.results), not options.no_page)


if __name__ == "__main__":
    main()
