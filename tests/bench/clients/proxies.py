"""The origin and the proxies in front of it: their configurations, in a temporary folder, on free ports."""

import os
import random
import socket
import subprocess

from harness import places, process

ALL_CORES = f"0-{os.cpu_count() - 1}"
# Below the ports that the kernel gives to clients, or one of our clients might get it before it is used.
PORTS = range(20_000, 32_000)
# The first start builds the module, without optimisation in a debug build.
SECONDS_TO_START = 120

ORIGIN = """
user root; daemon off; worker_processes 1; pid @RUN@/pid; error_log @RUN@/errors crit; worker_rlimit_nofile 20000;
events { worker_connections 19000; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 3600s; server_tokens off; sendfile on;
  # The origin is never the one that times out.
  send_timeout 3600s; client_header_timeout 3600s; client_body_timeout 3600s; client_max_body_size 0;
  client_body_temp_path @RUN@/t1; proxy_temp_path @RUN@/t2; fastcgi_temp_path @RUN@/t3; uwsgi_temp_path @RUN@/t4;
  scgi_temp_path @RUN@/t5;
  server {
    listen 127.0.0.1:@PORT@ backlog=4096;
    root @RUN@/files;
    location = / { try_files /small =404; }
    location / { }
    # Answers when it has the whole body.
    location = /upload { proxy_method GET; proxy_set_body ""; proxy_pass http://127.0.0.1:@PORT@/small; }
  }
}
"""

NGINX = """
user root; daemon off; worker_processes auto; pid @RUN@/pid; error_log @RUN@/errors crit; worker_rlimit_nofile 20000;
events { worker_connections 16000; }
http {
  access_log off; server_tokens off; client_max_body_size 0;
  # Pointsman buffers no response in a file either; with the default, 400 GB would be written.
  proxy_max_temp_file_size 0;
  proxy_http_version 1.1; proxy_set_header Connection "";
  client_body_temp_path @RUN@/t1; proxy_temp_path @RUN@/t2; fastcgi_temp_path @RUN@/t3; uwsgi_temp_path @RUN@/t4;
  scgi_temp_path @RUN@/t5;
  upstream origin { server 127.0.0.1:@ORIGIN@; keepalive 512; }
  server {
    # This nginx speaks either HTTP/1 or HTTP/2 on a port without TLS.
    listen 127.0.0.1:@HTTP1@; listen 127.0.0.1:@H2C@ http2; listen 127.0.0.1:@TLS@ ssl http2;
    ssl_certificate @CERTIFICATE@; ssl_certificate_key @KEY@;
    location / { proxy_pass http://origin; }
  }
}
"""

POINTSMAN = """
[proxy]
cache_dir = "@CACHE@"
watch = false
@PROXY_TOML@

[log]
access = "off"
level = "error"

[[listener]]
name = "plain"
address = "127.0.0.1:@HTTP1@"
@LISTENER_TOML@

[[listener]]
name = "tls"
address = "127.0.0.1:@TLS@"
@LISTENER_TOML@
[listener.tls]
certificate = "@CERTIFICATE@"
key = "@KEY@"

[[tenant]]
name = "shop"
hostnames = ["*"]
[[tenant.module]]
path = "@MODULE@"
config = { address = "127.0.0.1:@ORIGIN@" }
[tenant.grants]
networks = ["127.0.0.0/8"]
"""


def free_port():
    """A port on which nothing listens, and which this function has not returned before."""
    for _ in range(1_000):
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in given:
            given.add(port)
            return port
    raise SystemExit("clients: no free port")


given = set()


def certificate(folder):
    """A self-signed certificate for the TLS listeners, and its key. Returns the paths."""
    paths = os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=shop.test", "-addext", "subjectAltName=DNS:shop.test", "-out", paths[0], "-keyout", paths[1]],
        check=True, capture_output=True)
    return paths


def filled(template, folder, name, **values):
    """Writes a configuration in which each @KEY@ has its value."""
    for key, value in {"RUN": folder, **values}.items():
        template = template.replace(f"@{key}@", str(value))
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(template)
    return path


class Target:
    """A proxy that can be started; ports by protocol: `http1`, `h2c`, `tls`."""

    def __init__(self, name, site):
        self.name, self.site, self.ports = name, site, {}

    def start(self):
        # A new folder for each start, so that no state is left from the previous run.
        self.site.starts += 1
        folder = os.path.join(self.site.folder, f"{self.site.starts}-{self.name}")
        os.mkdir(folder)
        command = self.command(folder)
        return process.Process(self.name, command, self.ports["http1"], folder, ALL_CORES, host="shop.test",
                               patience=SECONDS_TO_START)


class Nginx(Target):
    def command(self, folder):
        self.ports = {name: free_port() for name in ("http1", "h2c", "tls")}
        path = filled(NGINX, folder, "nginx.conf", HTTP1=self.ports["http1"], H2C=self.ports["h2c"], TLS=self.ports["tls"],
                      **self.site.values)
        return [places.program("nginx"), "-p", folder, "-c", path]


class Pointsman(Target):
    def __init__(self, name, site, program, listener_toml, proxy_toml):
        super().__init__(name, site)
        self.program, self.listener_toml, self.proxy_toml = os.path.abspath(program), listener_toml, proxy_toml
        self.cache = os.path.join(site.folder, f"cache-{name}")
        os.mkdir(self.cache, 0o700)

    def command(self, folder):
        plain = free_port()
        self.ports = {"http1": plain, "h2c": plain, "tls": free_port()}
        path = filled(POINTSMAN, folder, "pointsman.toml", HTTP1=plain, TLS=self.ports["tls"], CACHE=self.cache,
                      MODULE=os.path.join(places.MODULES, "fixed.wasm"), LISTENER_TOML=self.listener_toml,
                      PROXY_TOML=self.proxy_toml, **self.site.values)
        return [self.program, "run", "--config", path]


class Site:
    """The origin, certificate and folder that all targets share."""

    def __init__(self, folder):
        self.folder, self.starts = folder, 0
        run = os.path.join(folder, "origin")
        files = os.path.join(run, "files")
        os.makedirs(files)
        # Sparse: they read as zeros and take no space.
        for name, length in (("small", 1 << 10), ("10m", 10_000_000), ("100m", 100_000_000)):
            with open(os.path.join(files, name), "wb") as file:
                file.truncate(length)
        port = free_port()
        path = filled(ORIGIN, run, "nginx.conf", PORT=port)
        # The workers of nginx are another user's without `user root`.
        self.origin = process.Process("the origin", [places.program("nginx"), "-p", run, "-c", path], port, run, ALL_CORES)
        pem, key = certificate(folder)
        self.values = {"ORIGIN": port, "CERTIFICATE": pem, "KEY": key}
