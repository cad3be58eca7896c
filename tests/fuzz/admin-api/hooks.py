"""Bodies for schemathesis, which cannot write WebAssembly: a real module every fourth time, and random bytes."""

import os
import random

import schemathesis

with open(os.environ["MODULE"], "rb") as file:
    MODULE = file.read()


@schemathesis.serializer("application/wasm")
def module(_context, value):
    if random.random() < 0.25:
        return MODULE
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return bytes(value) if isinstance(value, (bytes, bytearray)) else bytes(getattr(value, "data", b""))
