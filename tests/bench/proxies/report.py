"""Tables and plots of the comparison."""

import os

from harness import places, results, svg
from harness.results import figure
from harness.slices import median, paired, quartiles

NATIVE, BARE = "pingora-native", "pingora-static"


class Comparison:
    """The slices, and the figures derived from them."""

    def __init__(self, kept, proxies):
        self.slices = kept["comparison"]["slices"]
        self.plan = kept["comparison"]["plan"]
        self.proxies = proxies
        present = {one["name"] for one in self.slices}
        self.names = [name for name in proxies if name in present]

    def values(self, name, kind, key):
        return [one[key] for one in self.slices if one["name"] == name and one["kind"] == kind]

    def middle(self, name, kind, key, scale=1.0):
        value = median(self.values(name, kind, key))
        return None if value is None else value * scale

    def ratio(self, name, kind="saturated", other=NATIVE):
        return median(paired(self.slices, kind, name, other, "cpu_us", lambda mine, theirs: mine / theirs))

    def less(self, name, other, kind):
        """The additional cost of a proxy over another, as the median of the rounds."""
        return median(paired(self.slices, kind, name, other, "cpu_us", lambda mine, theirs: mine - theirs))

    def script(self, name, kind="saturated"):
        """The cost of the script: this proxy minus its control."""
        return self.less(name, self.proxies[name].control, kind)

    def over_pingora(self, name, kind="saturated"):
        """The total cost of Pointsman beyond a bare Pingora proxy; None for the others."""
        return self.less(name, BARE, kind) if self.proxies[name].ours else None


def cpu_table(comparison):
    head = ["proxy"]
    for kind in ("saturated, us", f"at {comparison.plan['equal']:,.0f}/s, us"):
        head += [kind, "middle half", "x native", "script, us", "over Pingora, us"]
    rows = []
    for name in comparison.names:
        row = [f"`{name}`"]
        for kind in ("saturated", "equal"):
            low, high = quartiles(comparison.values(name, kind, "cpu_us"))
            row += [figure(comparison.middle(name, kind, "cpu_us")), f"{low:.1f} to {high:.1f}",
                    figure(comparison.ratio(name, kind), 2), figure(comparison.script(name, kind), 1, sign=True),
                    figure(comparison.over_pingora(name, kind), 1, sign=True)]
        rows.append(row)
    return results.table(head, rows)


def latency_table(comparison):
    native_rate = f"{comparison.plan['native']:,.0f}/s" if comparison.plan["native"] else "native's rate"
    head = ["proxy", "requests/s", "p50, ms", "p99, ms", "p99 at 70 % of its own, ms", f"p99 at {native_rate}, ms", "core used",
            "RSS, MiB", "PSS, MiB", "errors"]
    rows = []
    for name in comparison.names:
        failed = sum(one["errors"] for one in comparison.slices if one["name"] == name)
        rows.append([
            f"`{name}`",
            figure(comparison.middle(name, "saturated", "per_second"), 0),
            figure(comparison.middle(name, "saturated", "p50_us", 1e-3), 2),
            figure(comparison.middle(name, "saturated", "p99_us", 1e-3), 2),
            figure(comparison.middle(name, "own", "p99_us", 1e-3), 2),
            figure(comparison.middle(name, "native", "p99_us", 1e-3), 2),
            figure(comparison.middle(name, "saturated", "used", 100), 0) + " %",
            figure(comparison.middle(name, "saturated", "rss_kib", 1 / 1024), 0),
            figure(comparison.middle(name, "saturated", "pss_kib", 1 / 1024), 0),
            str(failed),
        ])
    return results.table(head, rows)


def noise(comparison):
    """The difference between two names of one program: smaller differences are noise."""
    lines = []
    for kind in ("saturated", "equal"):
        ratios = paired(comparison.slices, kind, "pointsman-cached-again", "pointsman-cached", "cpu_us",
                        lambda again, once: again / once)
        if not ratios:
            continue
        low, high = quartiles(ratios)
        lines.append(f"- {kind}: the same program under two names differed by {100 * (median(ratios) - 1):+.1f} % in the median of "
                     f"{len(ratios)} rounds; half of the rounds lay between {100 * (low - 1):+.1f} and {100 * (high - 1):+.1f} %, "
                     f"all between {100 * (min(ratios) - 1):+.1f} and {100 * (max(ratios) - 1):+.1f} %.")
    others = median([one["others"] for one in comparison.slices])
    lines.append(f"- Other work took {100 * others:.1f} % of the proxies' core in the median, {100 * max(one['others'] for one in comparison.slices):.0f} % "
                 "in the worst slice.")
    return "\n".join(lines)


def machine_lines(about):
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    kind = "a virtual machine, " if about["virtual"] else ""
    return (f"{about['when']}, commit `{about['commit']}`: {kind}{about['cores']} cores of {about['cpu']} (cache {about['cache']}), "
            f"{about['memory_gib']} GiB, Linux {about['kernel']}. {versions}.")


def plots(comparison):
    def bars(kind):
        found = []
        for name in comparison.names:
            low, high = quartiles(comparison.values(name, kind, "cpu_us"))
            found.append((name, comparison.middle(name, kind, "cpu_us"), (low, high), comparison.proxies[name].ours))
        return found

    rate = f"{comparison.plan['equal']:,.0f} requests a second for each"
    decisions = []
    for name in comparison.names:
        # Pointsman's control calls a module too: against it, Pointsman would look better than it is.
        cost = comparison.over_pingora(name) if comparison.proxies[name].ours else comparison.script(name)
        if cost is not None:
            decisions.append((name, cost, None, comparison.proxies[name].ours))
    return {
        "cpu-saturated.svg": svg.bars("CPU time a request, as fast as it goes", "microseconds; line: the middle half of the rounds",
                                      bars("saturated")),
        "cpu-equal.svg": svg.bars("CPU time a request, at an equal rate", f"microseconds; {rate}; line: the middle half of the rounds",
                                  bars("equal")),
        "script.svg": svg.bars("What the decision costs", "microseconds of CPU a request beyond a fixed upstream; of Pointsman all that it adds to bare Pingora",
                               decisions),
    }


def write(kept, proxies, to_page):
    comparison = Comparison(kept, proxies)
    parts = {"machine": machine_lines(kept["machine"]), "cpu": cpu_table(comparison), "latency": latency_table(comparison),
             "noise": noise(comparison)}
    for text in parts.values():
        print(text, end="\n\n")
    if to_page:
        for part, text in parts.items():
            results.write_page(part, text)
        os.makedirs(places.PLOTS, exist_ok=True)
        for name, drawing in plots(comparison).items():
            with open(os.path.join(places.PLOTS, name), "w") as file:
                file.write(drawing)
