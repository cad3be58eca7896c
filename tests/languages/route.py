#!/usr/bin/env python3
"""Runs a project that `pointsman new` made and `pointsman build` built, and routes requests through it with curl: as
`pointsman run` serves it, and while `pointsman dev` builds it anew whenever its source changes.

    route.py POINTSMAN FOLDER [--no-dev]

Two upstreams answer with their side's name. The project's own configuration is used, with other ports.
"""

import pathlib
import queue
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def upstream(side):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-length", str(len(side)))
            self.end_headers()
            self.wfile.write(side.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"127.0.0.1:{server.server_address[1]}"


# Seconds for a build, or for a proxy's start. Reached only by a failure.
LONGEST = 300


class Proxy:
    """A running `pointsman`, and the lines that it has printed."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines, self.printed = queue.Queue(), []
        threading.Thread(target=self.read, daemon=True).start()
        self.address = self.wait(r"listening.*?(127\.0\.0\.1:\d+)")[1]

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def wait(self, pattern):
        """The match in the next line that has one."""
        end = time.monotonic() + LONGEST
        while True:
            try:
                line = self.lines.get(timeout=max(0, end - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                sys.exit(f"no line matches {pattern!r}:\n" + "".join(self.printed))
            self.printed.append(line)
            found = re.search(pattern, line)
            if found:
                return found

    def expect(self, answers):
        """Requests with these headers reach these sides."""
        for headers, expected in answers:
            options = [option for header in headers for option in ("-H", header)]
            command = ["curl", "--silent", "--show-error", "--fail", "--max-time", "30", *options]
            answer = subprocess.run([*command, f"http://{self.address}/cart"], capture_output=True, text=True)
            if answer.stdout != expected:
                sys.exit(f"{headers} got {answer.stdout!r}{answer.stderr}, not {expected!r}:\n" + "".join(self.printed))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def router(folder):
    names = ("router.c", "router.cpp", "router.zig", "router.go", "router.js", "router.ts", "router.py")
    candidates = [folder / "src/lib.rs", folder / "assembly/router.ts", *(folder / name for name in names)]
    return next(path for path in candidates if path.is_file())


def main(pointsman, folder, *options):
    folder = pathlib.Path(folder)
    text = (folder / "pointsman.toml").read_text()
    ours = {"127.0.0.1:8080": "127.0.0.1:0", "127.0.0.1:9101": upstream("stable"), "127.0.0.1:9102": upstream("canary")}
    for address, other in ours.items():
        if text.count(address) != 1:
            sys.exit(f"{address} must occur exactly once in {folder}/pointsman.toml")
        text = text.replace(address, other)
    config = folder / "here.toml"
    config.write_text(text)
    # The tests next to the module refer to the original configuration.
    (folder / "router.tests.json").unlink()
    before = [([], "stable"), (["x-canary: 1"], "canary"), ([], "stable")]
    with Proxy(pointsman, "run", "--config", config) as proxy:
        proxy.expect(before)
    if "--no-dev" in options:
        return
    source = router(folder)
    program = source.read_text()
    if program.count("x-canary") < 1:
        sys.exit(f"{source} does not name the header x-canary")
    with Proxy(pointsman, "dev", "--config", config) as proxy:
        proxy.expect(before)
        source.write_text(program + "\n)(\n")
        proxy.wait("^not built: ")
        proxy.expect(before)
        source.write_text(program.replace("x-canary", "x-other"))
        proxy.wait("live .*version=2")
        proxy.expect([(["x-canary: 1"], "stable"), (["x-other: 1"], "canary")])
        source.write_text(program)
        proxy.wait("live .*version=3")


if __name__ == "__main__":
    main(*sys.argv[1:])
