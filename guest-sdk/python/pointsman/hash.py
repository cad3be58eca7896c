"""Hashes that stay: the same key gives the same result in every version of this package, on every machine.

They spread keys evenly; they keep no secret. Everything builds on XXH64 with seed 0, so another program, or a module in
another language, gets the same results.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import unpack

_1 = 0x9E3779B185EBCA87
_2 = 0xC2B2AE3D27D4EB4F
_3 = 0x165667B19E3779F9
_4 = 0x85EBCA77C2B2AE63
_5 = 0x27D4EB2F165667C5
_64 = (1 << 64) - 1


def of(key: str | bytes) -> int:
    """A hash of a key: XXH64 with seed 0, from 0 to 2**64 - 1."""
    return _xxh64(_bytes(key), 0)


def percent(key: str | bytes) -> float:
    """Where a key lies from 0 (included) to 100 (excluded). `percent(key) < 10` holds for a tenth of all keys, and for
    these still when 10 becomes 20.

    Two experiments that share keys should not share their tenth: put the experiment's name in the key, as in
    `percent(f"new-cart:{visitor}") < 10`.
    """
    # The upper 53 bits: a float holds them exactly.
    return (_xxh64(_bytes(key), 0) >> 11) / (1 << 53) * 100.0


def pick(key: str | bytes, nodes: Iterable[str]) -> str | None:
    """The node that a key belongs to. None without nodes.

    A consistent hash: when a node is removed, only its keys move; a new one takes its share and no other key
    moves. The order of the nodes does not matter.
    """
    seed = of(key)
    return max(nodes, key=lambda node: _weight(seed, node), default=None)


def rank(key: str | bytes, nodes: Iterable[str]) -> list[str]:
    """All nodes in a key's own order, the first of them `pick`'s: where the key goes if the ones before fail."""
    seed = of(key)
    return sorted(nodes, key=lambda node: _weight(seed, node), reverse=True)


def _weight(seed: int, node: str) -> tuple[int, bytes]:
    """Rendezvous hashing: each node draws a number for the key, XXH64 of its name with the key's hash as the seed, and
    the highest wins. The name itself decides between equal numbers."""
    name = _bytes(node)
    return _xxh64(name, seed), name


def _bytes(key: str | bytes) -> bytes:
    # A lone surrogate has no UTF-8; "?" stands for it, as everywhere in this package.
    return key.encode("utf-8", "replace") if isinstance(key, str) else key


def _xxh64(data: bytes, seed: int) -> int:
    size = len(data)
    at = 0
    if size >= 32:
        at = size & ~31
        hash = _stripes(unpack(f"<{at // 8}Q", data[:at]), seed)
    else:
        hash = seed + _5
    hash = (hash + size) & _64

    while at + 8 <= size:
        lane = int.from_bytes(data[at : at + 8], "little") * _2 & _64
        hash ^= (lane << 31 | lane >> 33) * _1 & _64
        hash = ((hash << 27 | hash >> 37) * _1 + _4) & _64
        at += 8
    if at + 4 <= size:
        hash ^= int.from_bytes(data[at : at + 4], "little") * _1 & _64
        hash = ((hash << 23 | hash >> 41) * _2 + _3) & _64
        at += 4
    for byte in data[at:]:
        hash ^= byte * _5 & _64
        hash = (hash << 11 | hash >> 53) * _1 & _64

    hash = (hash ^ hash >> 33) * _2 & _64
    hash = (hash ^ hash >> 29) * _3 & _64
    return hash ^ hash >> 32


def _stripes(words: tuple[int, ...], seed: int) -> int:
    """The part of the data that fills whole stripes of four 64-bit words."""
    lanes = [seed + _1 + _2, seed + _2, seed, seed - _1]
    for index, word in enumerate(words):
        lane = (lanes[index & 3] + word * _2) & _64
        lanes[index & 3] = (lane << 31 | lane >> 33) * _1 & _64
    hash = sum((lane << turn | lane >> 64 - turn) & _64 for lane, turn in zip(lanes, (1, 7, 12, 18), strict=True))
    for lane in lanes:
        lane = lane * _2 & _64
        hash = ((hash & _64) ^ ((lane << 31 | lane >> 33) * _1 & _64)) * _1 + _4
    return hash
