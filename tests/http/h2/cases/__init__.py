"""The cases of RFC 9113 and RFC 7541, by area; importing a module registers its cases."""

from cases import compression, flow, forwarding, frames, malformed, streams  # noqa: F401
