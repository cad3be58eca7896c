"""Pointsman in the modes that are compared: each is its own process, with one worker thread."""

import os

from harness import places
from peers import Proxy

# As close as possible to the other proxies: no access log, and no forwarding headers to the upstream.
PLAIN = """
[proxy]
threads = 1
idle_connections = 512
[log]
access = "off"
[[listener]]
name = "web"
address = "127.0.0.1:@PORT@"
[listener.forwarded]
trusted = ["0.0.0.0/0", "::/0"]
headers = []
"""

# The minimal configuration; the log of a service goes to a file.
PRODUCTION = """
[proxy]
threads = 1
[log]
access = { file = "access.log" }
[[listener]]
name = "web"
address = "127.0.0.1:@PORT@"
"""

TENANT = """
[[tenant]]
name = "bench"
hostnames = ["*"]
{instances}
[[tenant.module]]
path = "{module}"
[tenant.grants]
networks = ["127.0.0.0/8"]
"""

CACHE_OFF = """
[tenant.quota]
cache_entries = 0
"""


def module_file(name):
    return os.path.join(places.MODULES, f"{name}.wasm")


def modes(program, module=None, cache_key=True):
    """The modes, by name. `cache_key` is False for builds without a decision cache: nothing is disabled then."""
    module = os.path.abspath(module or module_file("bench-pick"))
    cache_off = CACHE_OFF if cache_key else ""

    def mode(name, port, about, head=PLAIN, tail="", module=module, instances="", **more):
        text = head + TENANT.format(module=module, instances=instances) + tail
        command = [os.path.abspath(program), "run", "--config", "@RUN@/pointsman.toml"]
        more.setdefault("control", "pointsman-static")
        return Proxy(name, port, command, about, texts={"pointsman.toml": text}, ours=True, **more)

    all_modes = [
        mode("pointsman-static", 9301, "a module that reads nothing, one fixed upstream; cache and log as in -cached",
             module=module_file("bench-static"), control=None),
        mode("pointsman-cached", 9302, "defaults, but no access log and no forwarded headers, like the peers"),
        mode("pointsman-cached-again", 9303, "the same again: the difference between the two is noise"),
        mode("pointsman-missed", 9304, "the same, but no session is repeated: every decision misses the cache",
             requests={"sessions": 0}),
        mode("pointsman-fresh", 9305, "cache off: a fresh instance for every decision, used before and rewound", tail=cache_off),
        mode("pointsman-new", 9308, "cache off: an instance is made for every decision", tail=cache_off, instances="rewind = false"),
        mode("pointsman-reused", 9306, "cache off, one instance for up to 1,000,000 decisions", tail=cache_off,
             instances="instance_calls = 1_000_000"),
        mode("pointsman-production", 9307, "all defaults: access log to a file, forwarded headers", head=PRODUCTION),
    ]
    return {proxy.name: proxy for proxy in all_modes}
