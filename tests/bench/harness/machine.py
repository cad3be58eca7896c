"""The machine and the programs with which figures were measured."""

import datetime
import os
import platform
import re
import subprocess

from . import places


def first_line(command, pattern=r"\d+\.\d+[.\d]*"):
    """The first version number that a program prints, on either stream."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "?"
    found = re.search(pattern, ran.stdout + ran.stderr)
    return found.group(0) if found else "?"


def field(path, name):
    with open(path) as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return "?"


def crate_version(lock, crate):
    with open(lock) as file:
        found = re.search(rf'name = "{crate}"\nversion = "([^"]+)"', file.read())
    return found.group(1) if found else "?"


def describe(pointsman):
    """The facts that a reader needs to judge the figures, without any name of the machine."""
    commit = subprocess.run(["git", "-C", places.REPOSITORY, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    kib = int(field("/proc/meminfo", "MemTotal").split()[0])
    return {
        "when": datetime.date.today().isoformat(),
        "commit": commit.stdout.strip(),
        "cpu": field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "cache": field("/proc/cpuinfo", "cache size"),
        "virtual": "hypervisor" in field("/proc/cpuinfo", "flags"),
        "memory_gib": round(kib / 1024 / 1024),
        "kernel": platform.release().split("-")[0],
        "versions": {
            "pointsman": first_line([pointsman, "--version"]),
            "wasmtime": crate_version(os.path.join(places.REPOSITORY, "Cargo.lock"), "wasmtime"),
            "pingora": crate_version(os.path.join(places.REPOSITORY, "Cargo.lock"), "pingora"),
            "nginx": first_line([places.program("nginx"), "-v"]),
            "haproxy": first_line([places.program("haproxy"), "-v"]),
            "envoy": first_line([places.ENVOY, "--version"], r"\d+\.\d+\.\d+"),
            "wrk": first_line([places.program("wrk"), "-v"]),
        },
    }
