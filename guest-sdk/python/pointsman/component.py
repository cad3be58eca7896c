"""The component: what `componentize-py` is given. It binds `router.py` to the host, and is imported nowhere else.

Everything here runs once, when the module is built; what it leaves is what every instance starts with. So all that can
be done beforehand is done here, and a decision is left with as little as possible.
"""

# It imports what `componentize-py` makes, which no type checker finds.
# mypy: ignore-errors

from __future__ import annotations

import gc
import sys
import weakref
from types import SimpleNamespace
from typing import Any

import componentize_py_async_support.futures
import componentize_py_async_support.streams
import componentize_py_runtime
import wit_world
from componentize_py_types import Err
from wit_world.imports import clock, config, log, random, request, shared, types, upstreams

from . import _answer, _host, _stdlib, _warm
from . import request as _request
from . import shared as _shared
from . import upstreams as _upstreams
from ._text import clean
from ._trace import error_text
from .header import Header

_header_text = request.Request.header_text
_header = request.Request.header
_header_values = request.Request.header_values


class HostRequest(_request.Request):
    """The host's request."""

    __slots__ = ("handle", "finalizer", "__weakref__")

    method = property(request.Request.method)
    scheme = property(request.Request.scheme)
    authority = property(request.Request.authority)
    path = property(request.Request.path)
    query = property(request.Request.query)
    client_ip = property(request.Request.client_ip)
    listener = property(request.Request.listener)
    tls = property(request.Request.tls)
    attempts = property(request.Request.attempts)
    headers = property(request.Request.headers)

    def header(self, name: str) -> str | None:
        return _header_text(self, name if name.isascii() else clean(name))

    def header_bytes(self, name: str) -> bytes | None:
        return _header(self, name if name.isascii() else clean(name))

    def header_values(self, name: str) -> list[bytes]:
        return _header_values(self, name if name.isascii() else clean(name))


# `componentize-py` looks these up once this module is imported, and then makes and takes them in place of its own: no
# record is converted. Of an enumeration it only calls the name, with the case's number.
request.Request = HostRequest
request.ClientTls = _request.ClientTls
types.Header = Header
types.Attempt = _request.Attempt
types.Stage = tuple(_request.Stage).__getitem__
types.Failure = tuple(_request.Failure).__getitem__
types.Decision_Connect = _answer.Connect
types.Decision_Respond = _answer.Respond
types.Decision_Pass = _answer.Pass
upstreams.Upstream = _upstreams.Upstream
upstreams.Health = tuple(_upstreams.Health).__getitem__
shared.Error = tuple(_shared.Reason).__getitem__


class _Borrowed:
    """The finalizer of a request, which is the host's, so that there is nothing to finalize."""

    def detach(self) -> None:
        """What `componentize-py` calls when the decision is made."""


_BORROWED = _Borrowed()


class _Finalize(weakref.finalize):
    """`weakref.finalize`, but for requests: it would do some work for nothing in every decision."""

    __slots__ = ()

    def __new__(cls, obj: object, func: object, /, *args: Any, **kwargs: Any) -> Any:
        return _BORROWED if type(obj) is HostRequest else super().__new__(cls)


weakref.finalize = _Finalize


def _add(key: str, amount: int, ttl_ms: int | None) -> int:
    try:
        return shared.add(key, amount, ttl_ms)
    except Err as error:
        raise _shared.Error(error.value) from None


def _set(key: str, value: bytes, ttl_ms: int | None) -> None:
    try:
        shared.set(key, value, ttl_ms)
    except Err as error:
        raise _shared.Error(error.value) from None


def _compare_and_set(key: str, expected: bytes | None, value: bytes, ttl_ms: int | None) -> bool:
    try:
        return shared.compare_and_set(key, expected, value, ttl_ms)
    except Err as error:
        raise _shared.Error(error.value) from None


_stdlib.bind()

import router  # noqa: E402  (what it imports from the standard library is bound by now)

_AUTHORS_FOLDER = router.__file__.rpartition("/")[0] + "/"

if hasattr(router, "configure") != hasattr(wit_world.WitWorld, "configure"):
    raise ImportError("router.py has `configure` and the world has not, or the other way round")


_to_host = _answer.to_host
_select_peer: _answer.Router = _warm.select_peer


class WitWorld:
    """What the host calls."""

    def select_peer(self, request: _request.Request) -> object:
        """Decides one attempt of one request."""
        try:
            return _to_host(_select_peer(request))
        except BaseException as error:
            raise Err(error_text(error, _AUTHORS_FOLDER)) from None

    def configure(self, config: str) -> None:
        """Takes the configuration; exported if the router has the function."""
        try:
            router.configure(config)
        except BaseException as error:
            raise Err(error_text(error, _AUTHORS_FOLDER)) from None


_host.host = SimpleNamespace(
    log=log.log,
    config_json=config.json,
    config_get=config.get,
    config_get_text=config.get_text,
    shared_add=_add,
    shared_counter=shared.counter,
    shared_get=shared.get,
    shared_set=_set,
    shared_compare_and_set=_compare_and_set,
    shared_delete=shared.delete,
    upstreams_get=upstreams.get,
    upstreams_group=upstreams.group,
    clock_now_ms=clock.now_ms,
    random_get_u64=random.get_u64,
)

# There is no host to call yet. `print` stands for it: to the interpreter it looks like the function that calls the host, and
# without a place to print to it does nothing and gives None.
_call_import, _stdout = componentize_py_runtime.call_import, sys.stdout
componentize_py_runtime.call_import, sys.stdout = print, None
_warm.warm(object.__new__(HostRequest), WitWorld().select_peer)
componentize_py_runtime.call_import, sys.stdout = _call_import, _stdout

_select_peer = router.select_peer
_stdlib.end_of_build()

# Collections leave alone what is here by now: they would write to all of it.
gc.collect()
gc.freeze()
