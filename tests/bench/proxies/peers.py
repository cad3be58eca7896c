"""The other proxies: how each is configured and started for the job.

Each that runs a script has a control, which is the same proxy with one fixed upstream: the difference is what
the script costs.
"""

import dataclasses
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from harness import places, process  # noqa: E402

CONF = os.path.join(places.PROXIES, "conf")
WASM = os.path.join(places.PROXIES, "wasm", "pick.wasm")


@dataclasses.dataclass
class Proxy:
    """A proxy of the comparison."""

    name: str
    port: int
    command: list
    about: str
    # Files of its configuration: the name that it has when it runs, and the template's in conf/, or the text itself.
    files: dict = dataclasses.field(default_factory=dict)
    texts: dict = dataclasses.field(default_factory=dict)
    environment: dict = dataclasses.field(default_factory=dict)
    # The proxy with a fixed upstream; None for those that are controls themselves.
    control: str = None
    # Options of harness/requests.lua, in addition to those that all have.
    requests: dict = dataclasses.field(default_factory=dict)
    ours: bool = False

    def start(self, cores=places.PROXY_CORE, patience=30):
        folder = process.fresh_folder(os.path.join(places.RUN, self.name))
        fill = {"@RUN@": folder, "@NAME@": self.name, "@PORT@": str(self.port), "@ADMIN@": str(self.port + 500), "@WASM@": WASM}

        def filled(text):
            for mark, value in fill.items():
                text = text.replace(mark, value)
            return text

        texts = dict(self.texts)
        for target, template in self.files.items():
            with open(os.path.join(CONF, template)) as file:
                texts[target] = file.read()
        for target, text in texts.items():
            path = os.path.join(folder, target)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(filled(text))
        command = [filled(part) for part in self.command]
        return process.Process(self.name, command, self.port, folder, cores, self.environment, patience=patience)


def peers():
    nginx = [places.program("nginx"), "-p", "@RUN@", "-c", "@RUN@/nginx.conf"]
    haproxy = [places.program("haproxy"), "-W", "-f", "@RUN@/haproxy.cfg"]
    envoy = [places.ENVOY, "-c", "@RUN@/envoy.yaml", "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
    all_peers = [
        Proxy("nginx-static", 9202, nginx, "nginx, one fixed upstream", {"nginx.conf": "nginx-static.conf"}),
        Proxy("nginx-lua", 9201, nginx, "nginx with Lua (LuaJIT) in the balancer phase",
              {"nginx.conf": "nginx-lua.conf", "nginx-pick.lua": "nginx-pick.lua"}, control="nginx-static"),
        Proxy("haproxy-static", 9212, haproxy, "HAProxy, one fixed upstream", {"haproxy.cfg": "haproxy-static.cfg"}),
        Proxy("haproxy-lua", 9211, haproxy, "HAProxy with a Lua action",
              {"haproxy.cfg": "haproxy-lua.cfg", "haproxy-pick.lua": "haproxy-pick.lua"}, control="haproxy-static"),
        Proxy("envoy-odst", 9224, envoy, "Envoy, ORIGINAL_DST by a fixed header", {"envoy.yaml": "envoy-odst.yaml"}),
        Proxy("envoy-lua", 9221, envoy, "Envoy with a Lua (LuaJIT) filter, ORIGINAL_DST",
              {"envoy.yaml": "envoy-lua.yaml", "envoy-lua-filter.yaml": "envoy-lua-filter.yaml"}, control="envoy-odst"),
        Proxy("envoy-wasm", 9223, envoy, "Envoy with a proxy-wasm filter in V8, written in C by hand, ORIGINAL_DST",
              {"envoy.yaml": "envoy-wasm.yaml", "envoy-wasm-filter.yaml": "envoy-wasm-filter.yaml"}, control="envoy-odst"),
        Proxy("pingora-static", 9292, [places.PINGORA, "9292"], "native Pingora, one fixed upstream",
              environment={"MODE": "static"}),
        Proxy("pingora-native", 9291, [places.PINGORA, "9291"], "native Pingora, the job compiled in",
              control="pingora-static"),
    ]
    return {proxy.name: proxy for proxy in all_peers}
