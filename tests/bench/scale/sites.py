"""Configurations of Pointsman that grow: by tenants, modules, routes."""

import os

from harness import places
from peers import Proxy
from pointsman import CACHE_OFF, PLAIN, module_file

# Distinct modules are made once and kept with their built code: building a thousand takes minutes.
MODULE_COPIES = os.path.join(places.CACHE, "modules")
BUILT = os.path.join(places.CACHE, "built")

TENANT = """
[[tenant]]
name = "t{n}"
hostnames = ["t{n}.test"]
{instances}
[[tenant.module]]
path = "{module}"
{config}
[tenant.grants]
networks = ["127.0.0.0/8"]
{tail}
"""

# A table of 100,000 routes needs more than a module has by default.
ROOM_FOR_A_TABLE = """
[tenant.limits]
memory_mib = 256
configure_ms = 60_000
"""


class Sites:
    """Makes proxies of one build, each with its own name and port."""

    def __init__(self, program, cache_key):
        self.program, self.cache_key, self.port = os.path.abspath(program), cache_key, 9400

    def cache_series(self):
        """The series that every curve has: with the decision cache and without it, if the build has one."""
        return {"cached": "", "fresh": CACHE_OFF} if self.cache_key else {"fresh": ""}

    def without_cache(self):
        return CACHE_OFF if self.cache_key else ""

    def proxy(self, name, tenants, top=PLAIN, **requests):
        self.port += 1
        os.makedirs(BUILT, mode=0o700, exist_ok=True)
        # Tenants never share a connection: each keeps at least one.
        top = top.replace("idle_connections = 512", "idle_connections = 100_000")
        text = top.replace("[log]", f'cache_dir = "{BUILT}"\n[log]', 1) + "".join(tenants)
        command = [self.program, "run", "--config", "@RUN@/pointsman.toml"]
        return Proxy(name, self.port, command, name, texts={"pointsman.toml": text}, requests={"sessions": 1, **requests}, ours=True)

    def native_pingora(self, **requests):
        self.port += 1
        return Proxy(f"native-{self.port}", self.port, [places.PINGORA, str(self.port)], "native Pingora", requests=requests)

    def native_by_host(self, hosts):
        self.port += 1
        return Proxy(f"native-hosts-{hosts}", self.port, [places.PINGORA_BY_HOST, str(self.port)],
                     "native Pingora, a pool for each host", requests={"sessions": 1, "hosts": hosts})

    def one_module(self, count, tail="", instances=""):
        module = module_file("bench-pick")
        return [TENANT.format(n=n, module=module, config="", tail=tail, instances=instances) for n in range(count)]

    def own_modules(self, count, tail="", modules=None):
        """Tenants with a module each, or with this number of modules among them."""
        return [TENANT.format(n=n, module=copy_of_module(n % (modules or count)), config="", tail=tail, instances="")
                for n in range(count)]

    def table(self, routes, tail=""):
        config = "[tenant.module.config.routes]\n" + "".join(f'"t0.test/r{n}" = "127.0.0.1:9101"\n' for n in range(routes))
        tail = ROOM_FOR_A_TABLE + tail
        return [TENANT.format(n=0, module=module_file("table"), config=config, tail=tail, instances="")]



def copy_of_module(n):
    """A module with its own digest: bench-pick with a custom section that contains a number."""
    path = os.path.join(MODULE_COPIES, f"{n}.wasm")
    with open(module_file("bench-pick"), "rb") as file:
        section = b"\x02id" + n.to_bytes(4, "little")
        wanted = file.read() + bytes([0, len(section)]) + section
    try:
        with open(path, "rb") as file:
            if file.read() == wanted:
                return path
    except FileNotFoundError:
        os.makedirs(MODULE_COPIES, exist_ok=True)
    with open(path, "wb") as file:
        file.write(wanted)
    return path
