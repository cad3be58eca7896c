#!/usr/bin/env python3
"""Compares Pointsman with other proxies that decide by a script, on one job. See docs/performance.md.

    tests/bench/proxies/compare.py                     all of it: 10 rounds, some 25 minutes
    tests/bench/proxies/compare.py --quick             2 rounds of short slices, to see that all works
    tests/bench/proxies/compare.py --only a,b          some proxies; their controls and native Pingora are added
    tests/bench/proxies/compare.py --module FILE       another module for Pointsman that does the job
    tests/bench/proxies/compare.py --from FILE         tables and plots from saved results, without measuring

Each round loads every proxy in turn, in four kinds of slices: `saturated`, as fast as responses arrive; `equal`, at one
rate for all, which is 60 % of what the slowest can do; `own`, at 70 % of what the proxy itself can do; and `native`, at
70 % of what native Pingora can do, for those that can do as much.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from harness import arguments as common, load, machine, process, results, slices  # noqa: E402
import job  # noqa: E402
import peers  # noqa: E402
import pointsman  # noqa: E402
import report  # noqa: E402

NATIVE = "pingora-native"
SECONDS_TO_WARM_UP = 2


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def arguments():
    parser = common.parser(__doc__, rounds=10)
    parser.add_argument("--list", action="store_true", help="list the names with descriptions")
    parser.add_argument("--module", help="a module file that does the job")
    return parser.parse_args()


def chosen(only, everything):
    """The proxies to measure: the requested ones and their controls, in the order of the table."""
    if not only:
        return everything
    wanted = set(only.split(","))
    unknown = wanted - set(everything)
    if unknown:
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; --list shows the names")
    wanted |= {everything[name].control for name in wanted} | {NATIVE, everything[NATIVE].control}
    return {name: proxy for name, proxy in everything.items() if name in wanted}


def start_all(proxies):
    """Starts and checks them; one that fails is skipped with a message."""
    servers = {}
    for name, proxy in proxies.items():
        try:
            servers[name] = proxy.start()
            job.check(proxy)
        except (process.DidNotStart, job.WrongAnswer, OSError) as problem:
            say(f"WITHOUT {name}: {problem}")
            if name in servers:
                servers.pop(name).stop()
    return servers


def rates(proxies, servers):
    """The capacity of each, and the rates that follow from it."""
    capacity = {}
    for name, server in servers.items():
        warm = slices.one_slice(server, SECONDS_TO_WARM_UP, **proxies[name].requests)
        capacity[name] = warm["per_second"]
        say(f"{name:24} {warm['per_second']:7} requests/s, {warm['cpu_us']:6.1f} us")
    return {
        "capacity": capacity,
        "equal": round(0.6 * min(capacity.values()), -2),
        "native": round(0.7 * capacity[NATIVE], -2) if NATIVE in capacity else None,
    }


def kinds(name, plan):
    """The slices of a proxy in each round, and their rates."""
    yield "saturated", None
    yield "equal", int(plan["equal"])
    yield "own", int(0.7 * plan["capacity"][name])
    # A proxy that cannot keep up with the rate would only queue.
    if plan["native"] and plan["native"] < 0.9 * plan["capacity"][name]:
        yield "native", int(plan["native"])


def measure(options, proxies):
    measured = []
    load.upstream()
    servers = start_all(proxies)
    if not servers:
        raise SystemExit("no proxy to measure")
    plan = rates(proxies, servers)
    say(f"equal rate: {plan['equal']:.0f} requests/s")
    for number in range(options.rounds):
        for name in slices.in_turn(servers, number):
            for kind, rate in kinds(name, plan):
                taken = slices.one_slice(servers[name], options.seconds, rate=rate, **proxies[name].requests)
                measured.append({"round": number, "name": name, "kind": kind, "rate": rate, **taken})
        say(f"round {number + 1} of {options.rounds}")
        # Saved after each round, so that an error later loses nothing.
        results.save("comparison", {"plan": plan, "seconds": options.seconds, "slices": measured}, options.results)
    return measured


def main():
    options = arguments()
    everything = {**peers.peers(), **pointsman.modes(options.pointsman, options.module, not options.no_cache_key)}
    if options.list:
        for proxy in everything.values():
            print(f"{proxy.name:24} {proxy.about}")
        return
    if options.quick:
        options.rounds, options.seconds = 2, 1
    if options.source:
        kept = results.load(options.source)
    else:
        process.end_on_signals()
        try:
            results.save("machine", machine.describe(options.pointsman), options.results)
            measure(options, chosen(options.only, everything))
        except process.DidNotStart as problem:
            raise SystemExit(f"bench: {problem}") from None
        finally:
            process.stop_all()
        kept = results.load(options.results)
    report.write(kept, everything, to_page=not options.no_page)


if __name__ == "__main__":
    main()
