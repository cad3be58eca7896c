"""The load: wrk, at saturation or at a rate; and the upstream that answers it."""

import json
import os
import subprocess

from . import places, process

CONNECTIONS = 64


def upstream():
    """One nginx worker that answers with 200 bytes and its port on the ports 9101 to 9108."""
    folder = process.fresh_folder(os.path.join(places.RUN, "upstream"))
    with open(os.path.join(places.PROXIES, "conf", "upstream.conf")) as template:
        text = template.read().replace("@RUN@", folder)
    with open(os.path.join(folder, "nginx.conf"), "w") as file:
        file.write(text)
    command = [places.program("nginx"), "-p", folder, "-c", os.path.join(folder, "nginx.conf")]
    return process.Process("the upstream", command, places.UPSTREAM_PORT, folder, places.LOAD_CORE)


def wrk(port, seconds, connections=CONNECTIONS, core=places.LOAD_CORE, **requests):
    """One run of wrk. `requests` are the options of requests.lua: `rate`, `sessions`, `hosts`, `routes`, `head`."""
    script = os.path.join(places.BENCH, "harness", "requests.lua")
    options = [f"{key}={value}" for key, value in requests.items() if value is not None]
    command = ["taskset", "-c", core, places.program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
               "--timeout", "5s", "-s", script, f"http://127.0.0.1:{port}", "--", *options]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    for line in ran.stdout.splitlines():
        if line.startswith("{"):
            return json.loads(line)
    raise RuntimeError(f"no results from wrk: {ran.stdout}{ran.stderr}")


def errors(told):
    return sum(told[key] for key in ("connect", "read", "write", "status", "timeout"))
