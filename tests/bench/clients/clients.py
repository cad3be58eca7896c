#!/usr/bin/env python3
"""How a proxy copes with slow and silent clients, each kind next to 20 healthy ones. See README.md in this folder.

    tests/bench/clients/clients.py                               all kinds, nginx and Pointsman alternately: some 45 minutes
    tests/bench/clients/clients.py --only silent-plain,idle      some kinds
    tests/bench/clients/clients.py --count-factor 0.1            a tenth of the clients, to check the setup
    tests/bench/clients/clients.py --from before.json after.json tables from saved results, without measuring
"""

import argparse
import collections
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.dirname(HERE)
sys.path[:0] = [HERE, BENCH, os.path.join(os.path.dirname(BENCH), "http")]

from harness import machine, places, process, results  # noqa: E402
import kinds  # noqa: E402
import report  # noqa: E402
import proxies  # noqa: E402

SAMPLE_SECONDS = 0.5
HEALTHY_CLIENTS = 20
# Before the hostile clients connect, and after they have disconnected.
QUIET_SECONDS = 2
# Maximum time for 5,000 handshakes on a busy machine.
SECONDS_TO_OPEN = 120
# `nobody` is the baseline and needs no more.
NOBODY_SECONDS = 15


def say(text):
    print(f"clients: {text}", file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__ + "\nkinds:\n" + "".join(f"  {name:18} {kind.__doc__}\n" for name, kind in kinds.KINDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="kinds, separated by commas")
    parser.add_argument("--proxies", default="nginx,pointsman", help="the proxies, in order; default: %(default)s")
    parser.add_argument("--pointsman", default=os.path.join(places.REPOSITORY, "target", "release", "pointsman"))
    parser.add_argument("--name", default="pointsman", help="its name in tables and results; default: %(default)s")
    parser.add_argument("--listener-toml", default="", metavar="LINES", help="lines for each [[listener]] of Pointsman")
    parser.add_argument("--proxy-toml", default="", metavar="LINES", help="lines for [proxy] of Pointsman")
    parser.add_argument("--count-factor", type=float, default=1, help="share of the hostile clients to start; default: 1")
    parser.add_argument("--sources", type=int, default=1, help="addresses, each in its own /24, that the hostile clients"
                        " connect from (1 to 250); the healthy ones have another; default: 1")
    parser.add_argument("--longest", type=float, default=90, metavar="SECONDS",
                        help="maximum for a kind, from its last connection on; default: 90")
    parser.add_argument("--json", metavar="FILE", help="file for the results; written after each run")
    parser.add_argument("--from", dest="kept", nargs="+", metavar="FILE", help="saved results")
    options = parser.parse_args()
    options.kinds = options.only.split(",") if options.only else list(kinds.KINDS)
    options.proxies = options.proxies.split(",")
    for given, known in ((options.kinds, kinds.KINDS), (options.proxies, ("nginx", "pointsman"))):
        if unknown := set(given) - set(known):
            parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if not 1 <= options.sources <= 250:
        parser.error("--sources is from 1 to 250")
    return options


def proxy_sample(server):
    """Memory and descriptors of all processes of the proxy."""
    taken = {"t": time.monotonic(), "rss_kib": 0, "hwm_kib": 0, "descriptors": 0}
    for pid in server.pids():
        try:
            with open(f"/proc/{pid}/status") as status:
                for line in status:
                    if line.startswith("VmRSS:"):
                        taken["rss_kib"] += int(line.split()[1])
                    elif line.startswith("VmHWM:"):
                        taken["hwm_kib"] += int(line.split()[1])
            taken["descriptors"] += len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            continue  # It has ended since it was listed.
    return taken


class Script:
    """A script of this folder that runs as its own process and writes lines of JSON to a file."""

    started = []

    def __init__(self, folder, name, *values):
        self.path = os.path.join(folder, f"{name}.lines")
        with open(self.path, "wb") as out, open(os.path.join(folder, f"{name}.err"), "wb") as problems:
            command = [sys.executable, os.path.join(HERE, f"{name}.py"), *(str(value) for value in values)]
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=problems,
                                          start_new_session=True)
        Script.started.append(self)

    def runs(self):
        return self.popen.poll() is None

    def stop(self):
        """Terminates it, and kills it after five seconds."""
        if self in Script.started:
            Script.started.remove(self)
        self.popen.terminate()
        try:
            self.popen.wait(5)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def lines(self):
        with open(self.path) as file:
            found = [json.loads(line) for line in file]
        if not found:
            with open(self.path.replace(".lines", ".err"), errors="replace") as problems:
                raise RuntimeError(f"{self.path} is empty: {problems.read()[-800:]}")
        return found


def one_run(name, target, site, options):
    """One kind of hostile clients against a freshly started proxy."""
    kind = kinds.KINDS[name]
    count = max(1, round(kind.count * options.count_factor)) if kind.count else 0
    server = target.start()
    folder = os.path.dirname(server.log)
    samples, load_before = [], os.getloadavg()[0]

    def sample_for(seconds, over=lambda: False):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not over():
            samples.append(proxy_sample(server))
            time.sleep(SAMPLE_SECONDS)

    healthy = Script(folder, "healthy", target.ports["http1"], HEALTHY_CLIENTS)
    sample_for(QUIET_SECONDS)
    before, cpu, begin = samples[-1], server.cpu_us(), time.monotonic()
    longest = options.longest if count else min(options.longest, NOBODY_SECONDS)
    hostile = Script(folder, "hostile", name, target.ports[kind.port], count, longest, options.sources)
    # The hostile process has its own time limit, from its last connection on.
    sample_for(longest + SECONDS_TO_OPEN, over=lambda: not hostile.runs())
    end, cpu = time.monotonic(), server.cpu_us() - cpu
    hostile.stop()
    sample_for(QUIET_SECONDS)
    died = server.popen.poll() is not None
    healthy.stop()
    server.stop()

    lines = hostile.lines()
    during = [sample for sample in samples if begin <= sample["t"] <= end]
    return {
        "kind": name, "target": target.name, "count": count, "seconds": round(end - begin, 1),
        "load_before": round(load_before, 1), "load_after": round(os.getloadavg()[0], 1),
        "hostile": hostile_summary(lines),
        "healthy": healthy_summary(healthy.lines(), begin, end),
        "proxy": {
            "rss_before_kib": before["rss_kib"], "rss_most_kib": max(sample["rss_kib"] for sample in during),
            "rss_after_kib": samples[-1]["rss_kib"], "hwm_kib": max(sample["hwm_kib"] for sample in samples),
            "descriptors_before": before["descriptors"], "descriptors_most": max(one["descriptors"] for one in during),
            "descriptors_after": samples[-1]["descriptors"], "cpu_s": round(cpu / 1e6, 1), "died": died,
        },
        "samples": merged(samples, lines, healthy.lines(), begin),
    }


def hostile_summary(lines):
    last = lines[-1]
    if not last.get("last"):
        raise RuntimeError("the hostile clients ended without a summary")
    return {"most_connected": max(line["connected"] for line in lines),
            **{key: last[key] for key in ("still", "first_s", "half_s", "all_s", "signals")}}


def healthy_summary(lines, begin, end):
    lines = [line for line in lines if begin < line["t"] <= end + SAMPLE_SECONDS]
    waits, errors = [], collections.Counter()
    for line in lines:
        waits += line["ms"]
        errors.update(line["errors"])
    return {"requests": len(waits) + sum(errors.values()), "p50_ms": report.percentile(waits, 0.5),
            "p99_ms": report.percentile(waits, 0.99), "most_ms": max(waits, default=None), "errors": dict(errors)}


def merged(samples, hostile, healthy, begin):
    """The samples of all three, each half second of the run from the start of the hostile clients."""
    def latest(lines, t):
        return next((line for line in reversed(lines) if line["t"] <= t), None)

    rows = []
    for sample in samples:
        of_hostile, of_healthy = latest(hostile, sample["t"]), latest(healthy, sample["t"]) or {"ms": [], "errors": {}}
        rows.append({
            "t": round(sample["t"] - begin, 1), "rss_kib": sample["rss_kib"], "hwm_kib": sample["hwm_kib"],
            "descriptors": sample["descriptors"], "connected": of_hostile["connected"] if of_hostile else 0,
            "streams": of_hostile["streams"] if of_hostile else 0,
            "p50_ms": report.percentile(of_healthy["ms"], 0.5), "p99_ms": report.percentile(of_healthy["ms"], 0.99),
            "errors": sum(of_healthy["errors"].values()),
        })
    return rows


def measure(options, folder):
    site = proxies.Site(folder)
    made = {"nginx": lambda: proxies.Nginx("nginx", site),
            "pointsman": lambda: proxies.Pointsman(options.name, site, options.pointsman, options.listener_toml,
                                                   options.proxy_toml)}
    targets = [made[name]() for name in options.proxies]
    kept = {"machine": described(options), "options": {key: getattr(options, key) for key in (
        "count_factor", "longest", "sources", "listener_toml", "proxy_toml")}, "runs": []}
    for name in options.kinds:
        for target in targets:
            run = one_run(name, target, site, options)
            kept["runs"].append(run)
            of_hostile, of_healthy = run["hostile"], run["healthy"]
            say(f"{name}, {target.name}: {of_hostile['most_connected']} connected, {of_hostile['still']} still there,"
                f" {run['proxy']['rss_most_kib'] // 1024} MiB, healthy p99 {results.figure(of_healthy['p99_ms'])} ms,"
                f" {sum(of_healthy['errors'].values())} errors; {run['seconds']:.0f} s")
            if options.json:
                with open(options.json, "w") as file:
                    file.write(results.lines(kept) + "\n")
    return kept


def described(options):
    found = machine.describe(options.pointsman)
    return {**{key: found[key] for key in ("when", "commit", "cpu", "cores", "memory_gib", "kernel")},
            "versions": {key: found["versions"][key] for key in ("pointsman", "nginx")}}


def main():
    options = arguments()
    if options.kept:
        runs = []
        for path in options.kept:
            with open(path) as file:
                runs += json.load(file)["runs"]
        print(report.table(runs))
        return
    process.end_on_signals()
    # Thousands of connections: as many descriptors as the system allows.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="clients-") as folder:
        try:
            kept = measure(options, folder)
        except process.DidNotStart as problem:
            raise SystemExit(f"clients: {problem}") from None
        except KeyboardInterrupt:
            raise SystemExit(130) from None
        finally:
            # A second signal must not leave any process running.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            for script in Script.started[:]:
                script.stop()
            process.stop_all()
    print(report.table(kept["runs"]))


if __name__ == "__main__":
    main()
