"""Paths, and the assignment of cores."""

import os
import shutil

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REPOSITORY = os.path.dirname(os.path.dirname(BENCH))
PROXIES = os.path.join(BENCH, "proxies")
MODULES = os.path.join(REPOSITORY, "target", "modules")
DOCS = os.path.join(REPOSITORY, "docs")
PLOTS = os.path.join(DOCS, "performance")
RESULTS = os.path.join(PLOTS, "results.json")

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pointsman", "bench")
RUN = os.path.join(CACHE, "run")
ENVOY = os.path.join(CACHE, "envoy")
PINGORA = os.path.join(CACHE, "pingora-native", "release", "pingora-native")
PINGORA_BY_HOST = os.path.join(CACHE, "pingora-native", "release", "pingora-by-host")

# The proxy has its own core; the load and the upstream share the other.
PROXY_CORE, LOAD_CORE = "0", "1"
UPSTREAM_PORT = 9101


def program(name):
    """A program's path; Debian installs servers in folders outside an ordinary user's PATH."""
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    return shutil.which(name, path=path) or name
