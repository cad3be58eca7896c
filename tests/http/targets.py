"""The tested proxies: each a plain reverse proxy in front of one origin, on loopback, in its own folder."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60

# Timeouts for the origin are well below the clients' deadlines.
POINTSMAN = """
[[listener]]
name = "web"
address = "127.0.0.1:{port}"

[log]
access = "off"

[[tenant]]
name = "fixed"
hostnames = ["*"]

[[tenant.module]]
path = "{module}"

[tenant.module.config]
address = "127.0.0.1:{origin}"

[tenant.upstream]
read_timeout_ms = 3_000
write_timeout_ms = 3_000

[tenant.grants]
networks = ["127.0.0.0/8"]
"""

NGINX = """
{user}
worker_processes 2;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 64m;
    proxy_read_timeout 3s;
    map $http_upgrade $connection_upgrade {{ default ""; websocket upgrade; }}
    map $http_upgrade $upgrade {{ default ""; websocket websocket; }}
    upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port};
        server_name proxy.test;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Upgrade $upgrade;
        }}
    }}
}}
"""

HAPROXY = """
global
    nbthread 2
    maxconn 4000
defaults
    mode http
    timeout connect 4s
    timeout client 30s
    timeout server 3s
    timeout http-request 10s
    option http-keep-alive
frontend web
    bind 127.0.0.1:{port}
    default_backend origin
backend origin
    server origin 127.0.0.1:{origin}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


class Target:
    """A proxy that runs until the end of the `with` block."""

    def __init__(self, spec, origin_port, module=None):
        self.name, _, self.binary = spec.partition("=")
        self.origin_port = origin_port
        self.module = Path(module) if module else ROOT / "target/modules/fixed.wasm"
        if self.name not in ("pointsman", "nginx", "haproxy"):
            raise SystemExit(f"unknown target {self.name!r}: pointsman=BINARY, nginx or haproxy")
        if self.name == "pointsman" and not self.binary:
            raise SystemExit("pointsman needs its binary: --target pointsman=target/debug/pointsman")

    def command(self):
        names = {"port": self.address[1], "origin": self.origin_port, "folder": self.folder}
        # Workers of a root's nginx would be `nobody`, who can't write to the folder.
        names["user"] = "user root;" if os.geteuid() == 0 else ""
        config = self.folder / "config"
        if self.name == "pointsman":
            config = self.folder / "pointsman.toml"
            config.write_text(POINTSMAN.format(module=self.module.resolve(), **names))
            return [Path(self.binary).resolve(), "run", "--config", config]
        if self.name == "nginx":
            config.write_text(NGINX.format(**names))
            return [self.installed("nginx"), "-e", self.folder / "error.log", "-c", config]
        config.write_text(HAPROXY.format(**names))
        return [self.installed("haproxy"), "-f", config]

    @staticmethod
    def installed(program):
        # Debian installs servers outside an ordinary user's PATH.
        found = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")
        return found or exit(f"{program} is not installed: apt-get install --no-install-recommends nginx-light haproxy")

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="http-"))
        self.address = ("127.0.0.1", free_port())
        self.log = open(self.folder / "output", "wb")
        self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(self.address, timeout=1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    text = self.output()
                    self.__exit__()
                    raise SystemExit(f"{self.name} does not start:\n{text}")
                time.sleep(0.05)

    def output(self):
        return (self.folder / "output").read_text(errors="replace")[-4000:]

    def alive(self):
        return self.process.poll() is None

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
