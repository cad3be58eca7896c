"""The routing job of `tests/conformance`, in Python."""

from __future__ import annotations

import peer
from parts import bad, number, or_dash, plain

from pointsman import (
    Error,
    Pass,
    Peer,
    Request,
    Response,
    Route,
    clock,
    config,
    hash,
    log,
    random,
    shared,
    upstreams,
)
from pointsman.upstreams import Upstream

Params = list[tuple[str, str]]

bytes_given = 0
calls = 0


def configure(text: str) -> None:
    global bytes_given, calls
    if '"refuse"' in text:
        raise Error("refused as told")
    bytes_given = len(text.encode())
    calls += 1


def select_peer(request: Request) -> Route | Response | Pass:
    part = (request.path.split("/") + [""])[1]
    params = request.query_params
    match part:
        case "peer":
            return peer.route(request, params)
        case "echo":
            return echo(request)
        case "attempts":
            return plain(attempts(request))
        case "failover":
            return failover(request)
        case "canary":
            return canary(request)
        case "hash":
            return plain(hashes(named(params, "key")))
        case "config":
            return plain(configuration(named(params, "pointer")))
        case "shared":
            return plain([keep(name, value) for name, value in params])
        case "upstreams":
            return plain(seen(params))
        case "clock":
            return plain([ok(clock.now_ms() == clock.now_ms() > 1_600_000_000_000)])
        case "random":
            return plain([ok(random.bits() != random.bits())])
        case "log":
            write_log(params)
            return Pass()
        case "respond":
            return respond(params)
        case "pass":
            return Pass()
        case "error":
            raise Error((named(params, "text") + [""])[0])
        case "configured":
            return plain([f"configured {bytes_given} {calls}"])
    raise Error(f"unknown part {part}")


def named(params: Params, wanted: str) -> list[str]:
    return [value for name, value in params if name == wanted]


def ok(is_ok: bool) -> str:
    return "ok" if is_ok else "wrong"


def echo(request: Request) -> Response:
    lines: list[str | bytes] = [
        f"method {request.method}",
        f"scheme {request.scheme}",
        f"authority {request.authority}",
        f"host {request.host}",
        f"path {request.path}",
        *(f"segment {segment}" for segment in request.path_segments),
        f"query {or_dash(request.query)}",
        *(f"param {name}={value}" for name, value in request.query_params),
        f"client-ip {request.client_ip}",
        f"listener {request.listener}",
    ]
    tls = request.tls
    if tls is None:
        lines.append("tls -")
    else:
        certificate = tls.client_cert_sha256 and tls.client_cert_sha256.hex()
        lines.append(f"tls {or_dash(tls.sni)} {tls.version} {tls.cipher} {or_dash(certificate)}")
    lines += (b"header %s:%s" % (name.encode(), value) for name, value in request.headers)
    lines += (f"cookie {name}={value}" for name, value in request.cookies)

    headers: list[tuple[str, str | bytes]] = [("x-echoed", value) for value in request.header_values("x-echo")]
    first = request.header_bytes("x-echo")
    if first is not None:
        headers.append(("x-first", first))
    text = request.header("x-echo")
    if text is not None:
        headers.append(("x-text", text))
    return plain(lines, headers)


def attempts(request: Request) -> list[str]:
    lines = []
    for attempt in request.attempts:
        reused = "reused" if attempt.reused_connection else "new"
        sent = "sent" if attempt.request_sent else "unsent"
        what = f"{attempt.stage} {attempt.failure} {or_dash(attempt.status)} {reused} {sent}"
        lines.append(f"{attempt.number} {attempt.address} {what} {attempt.elapsed_ms} {attempt.detail}")
    return lines


def failover(request: Request) -> Route | Response:
    failed = request.attempts
    if failed:
        log.warn(f"{failed[-1].address} failed: {failed[-1].failure}")
    left = config.texts("/upstreams")[len(failed) :]
    if left:
        return Route(Peer.http(left[0]), on_status=[502, 503])
    return Response.text(503, "no upstream is left\n", {"retry-after": "30"})


def canary(request: Request) -> Route:
    session = request.cookie("session")
    visitor = request.client_ip if session is None else session
    is_canary = hash.percent(visitor) < config.number("/percent")
    note, pointer = ("canary", "/upstreams/1") if is_canary else ("stable", "/upstreams/0")
    return Route(Peer.http(config.text(pointer)), note=note)


def hashes(keys: list[str]) -> list[str]:
    nodes = config.texts("/upstreams")
    return [f"{hash.of(key):016x} {int(hash.percent(key) * 10)} {','.join(hash.rank(key, nodes))}" for key in keys]


def configuration(pointers: list[str]) -> list[str]:
    return [config.json(), *(f"{or_dash(config.get(pointer))} {text_or_dash(pointer)}" for pointer in pointers)]


def text_or_dash(pointer: str) -> str:
    try:
        return config.text(pointer)
    except Error:
        return "-"


def keep(name: str, value: str) -> str | bytes:
    parts = value.split(":", 2)
    try:
        match name, parts:
            case "add", [key, amount]:
                return f"add {shared.add(key, number(name, value, amount, 64))}"
            case "add-ttl", [key, amount, ttl]:
                sum = shared.add(key, number(name, value, amount, 64), number(name, value, ttl, 32))
                return f"add {sum}"
            case "counter", [key]:
                return f"counter {or_dash(shared.counter(key))}"
            case "get", [key]:
                kept = shared.get(key)
                return b"get " + (b"-" if kept is None else kept)
            case "set", [key, _, *_]:
                shared.set(key, value[len(key) + 1 :])
                return "set"
            case "swap", [key, expected, new]:
                return f"swap {str(shared.compare_and_set(key, expected or None, new)).lower()}"
            case "delete", [key]:
                shared.delete(key)
                return "delete"
    except shared.Error as error:
        return f"error {error.reason}"
    raise bad(name, value)


def seen(params: Params) -> list[str]:
    lines = []
    for name, value in params:
        if name == "get":
            lines.append(line(upstreams.get(value)))
        elif name == "group":
            try:
                lines += map(line, upstreams.group(value))
            except Error:
                lines.append(f"no group {value}")
    return lines


def line(upstream: Upstream) -> str:
    figures = f"{upstream.in_flight} {or_dash(upstream.latency_us)} {upstream.failures}"
    return f"{upstream.address} {upstream.health} {figures}"


def write_log(params: Params) -> None:
    levels = {str(level): level for level in log.Level}
    for name, text in params:
        if name in levels:
            log.write(levels[name], text)


def respond(params: Params) -> Response:
    response = Response(200)
    for name, value in params:
        if name == "status":
            response.status = number(name, value, value, 16)
        elif name == "header":
            header, colon, text = value.partition(":")
            if not colon:
                raise bad(name, value)
            response.headers += Response(200, headers={header: text}).headers
        elif name == "body":
            response.body = value.encode()
    return response
