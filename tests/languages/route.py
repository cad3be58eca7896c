#!/usr/bin/env python3
"""Runs a project that `pointsman new` made and `pointsman build` built, and routes requests through it with curl.

    route.py POINTSMAN FOLDER

Two upstreams answer with their side's name. The project's own configuration is used, with other ports.
"""

import pathlib
import re
import subprocess
import sys
import threading
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


def main(pointsman, folder):
    folder = pathlib.Path(folder)
    text = (folder / "pointsman.toml").read_text()
    ours = {"127.0.0.1:8080": "127.0.0.1:0", "127.0.0.1:9101": upstream("stable"), "127.0.0.1:9102": upstream("canary")}
    for address, other in ours.items():
        if text.count(address) != 1:
            sys.exit(f"{address} must occur exactly once in {folder}/pointsman.toml")
        text = text.replace(address, other)
    (folder / "here.toml").write_text(text)
    # The tests next to the module refer to the original configuration.
    (folder / "router.tests.json").unlink()
    proxy = subprocess.Popen(
        [pointsman, "run", "--config", folder / "here.toml"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    said = []
    try:
        address = None
        for line in proxy.stderr:
            said.append(line)
            found = re.search(r"listening.*address=(\S+)", re.sub(r"\x1b\[[0-9;]*m", "", line))
            if found:
                address = found[1]
                break
        if address is None:
            sys.exit("the proxy did not start:\n" + "".join(said))
        for headers, expected in ([], "stable"), (["x-canary: 1"], "canary"), ([], "stable"):
            options = [option for header in headers for option in ("-H", header)]
            command = ["curl", "--silent", "--show-error", "--fail", "--max-time", "30", *options, f"http://{address}/cart"]
            answer = subprocess.run(command, capture_output=True, text=True)
            if answer.stdout != expected:
                sys.exit(f"{headers} got {answer.stdout!r}{answer.stderr}, not {expected!r}")
    finally:
        proxy.terminate()
        proxy.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
