"""States and numbers of streams (RFC 9113 5.1)."""

import struct

import hpack
from h2case import MUST, SHOULD, case, check, held
from h2wire import (CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, MAX_CONCURRENT_STREAMS, PRIORITY,
                    PROTOCOL_ERROR, REFUSED_STREAM, RST_STREAM, STREAM_CLOSED, WINDOW_UPDATE, frame)
from peer import Wrong

STATES = "9113 5.1"
ONE = struct.pack(">I", 1)
CANCELLED = struct.pack(">I", CANCEL)


def half_closed(p):
    """A request without body, whose response has not arrived yet."""
    p.headers(1)
    p.wait_seen()


def closed(p):
    p.headers(1)
    p.answer(1)


for name, made in (("data", frame(DATA, END_STREAM, 1, b"x")), ("rst", frame(RST_STREAM, 0, 1, bytes(4))),
                   ("window-update", frame(WINDOW_UPDATE, 0, 1, ONE)),
                   ("continuation", frame(CONTINUATION, 4, 1, b"\x82"))):

    @case(f"idle-{name}", STATES, MUST, f"{name} on an idle stream ends the connection.")
    def _(p, made=made):
        p.send(made)
        p.connection_error(PROTOCOL_ERROR, *([STREAM_CLOSED] if made[3] == DATA else []))


@case("half-closed-data", STATES, MUST, "DATA after END_STREAM is an error STREAM_CLOSED.", answer=held())
def _(p):
    half_closed(p)
    p.data(1, b"x", END_STREAM)
    p.stream_error(1, STREAM_CLOSED)
    p.healthy()


@case("half-closed-headers", STATES, MUST, "HEADERS after END_STREAM are an error STREAM_CLOSED.", answer=held())
def _(p):
    half_closed(p)
    p.headers(1)
    p.stream_error(1, STREAM_CLOSED, PROTOCOL_ERROR)
    p.healthy()


@case("half-closed-others", STATES, MUST, "WINDOW_UPDATE and PRIORITY after END_STREAM are no error.",
      answer=lambda io, r, i: io.send(b"HTTP/1.1 200 OK\r\nX-Origin: " + i + b"\r\nContent-Length: 2\r\n\r\nok")
      or True)
def _(p):
    p.send(frame(HEADERS, 5, 1, hpack.block(p.fields())), frame(WINDOW_UPDATE, 0, 1, ONE),
           frame(PRIORITY, 0, 1, bytes(4) + b"\1"))
    p.answer(1)


@case("half-closed-rst", STATES, MUST, "RST_STREAM after END_STREAM ends the stream, and only it.", answer=held())
def _(p):
    half_closed(p)
    p.send(frame(RST_STREAM, 0, 1, CANCELLED))
    p.healthy()
    check(p.goaway is None, "the connection was ended")


@case("closed-data", STATES, MUST, "DATA on a closed stream is an error.")
def _(p):
    closed(p)
    p.data(1, b"x")
    p.stream_error(1, STREAM_CLOSED)


@case("closed-headers", STATES, MUST, "HEADERS on a closed stream are an error.")
def _(p):
    closed(p)
    p.headers(1)
    p.stream_error(1, STREAM_CLOSED, PROTOCOL_ERROR)


@case("closed-continuation", STATES, MUST, "CONTINUATION on a closed stream ends the connection.")
def _(p):
    closed(p)
    p.send(frame(CONTINUATION, 4, 1, b"\x82"))
    p.connection_error(PROTOCOL_ERROR, STREAM_CLOSED)


@case("closed-others", STATES, MUST,
      "PRIORITY, WINDOW_UPDATE and RST_STREAM on a stream that has just closed are no error.")
def _(p):
    closed(p)
    p.send(frame(PRIORITY, 0, 1, bytes(4) + b"\1"), frame(WINDOW_UPDATE, 0, 1, ONE), frame(RST_STREAM, 0, 1, CANCELLED))
    p.healthy()
    check(p.goaway is None, "the connection was ended")


@case("reset-data", STATES, MUST, "DATA after the client's own RST_STREAM: ignored or STREAM_CLOSED, and others stay usable.",
      answer=held(), early=True)
def _(p):
    p.headers(1, p.fields(method=b"POST"), END_HEADERS)
    p.wait_seen()
    p.send(frame(RST_STREAM, 0, 1, CANCELLED))
    p.data(1, b"x")
    p.healthy()
    check(p.goaway in (None, STREAM_CLOSED), f"GOAWAY {p.goaway}")


@case("reset-headers", STATES, MUST, "HEADERS after the client's own RST_STREAM are an error.", answer=held(),
      early=True)
def _(p):
    p.headers(1, p.fields(method=b"POST"), END_HEADERS)
    p.wait_seen()
    p.send(frame(RST_STREAM, 0, 1, CANCELLED))
    p.headers(1)
    p.stream_error(1, STREAM_CLOSED, PROTOCOL_ERROR)


@case("reset-cancels-origin", "9113 5.4.2", SHOULD, "A cancelled upload never reaches the origin as complete.",
      answer=held(), early=True)
def _(p):
    p.headers(1, p.fields(method=b"POST"), END_HEADERS)
    p.data(1, b"hello")
    p.wait_seen()
    p.send(frame(RST_STREAM, 0, 1, CANCELLED))
    p.healthy()
    check(not any(r.complete for r in p.seen() if b"/probe" not in r.target), "complete at the origin")


NUMBERS = "9113 5.1.1"


@case("number-even", NUMBERS, MUST, "A client's stream has an odd number.")
def _(p):
    p.headers(2)
    p.connection_error(PROTOCOL_ERROR)


@case("number-lower", NUMBERS, MUST, "Numbers go up.")
def _(p):
    p.headers(5)
    p.answer(5)
    p.headers(3)
    p.connection_error(PROTOCOL_ERROR, STREAM_CLOSED)


@case("number-skipped", NUMBERS, MUST, "Numbers may be skipped.")
def _(p):
    p.headers(7)
    p.answer(7)
    p.headers(77)
    p.answer(77)


@case("number-implicitly-closed", NUMBERS, MUST, "A stream that was skipped is closed.")
def _(p):
    p.headers(7)
    p.answer(7)
    p.data(5, b"x", END_STREAM)
    p.stream_error(5, PROTOCOL_ERROR, STREAM_CLOSED)


@case("number-largest", NUMBERS, SHOULD, "The largest number is a number.")
def _(p):
    p.headers(0x7FFFFFFF)
    p.answer(0x7FFFFFFF)


@case("concurrent-beyond", "9113 5.1.2", MUST, "A stream beyond SETTINGS_MAX_CONCURRENT_STREAMS is refused.",
      answer=held())
def _(p):
    limit = p.settings.get(MAX_CONCURRENT_STREAMS)
    if limit is None or limit > 1000:
        raise Wrong(f"the server's limit is {limit}")
    for number in range(limit + 1):
        p.headers(2 * number + 1)
    p.stream_error(2 * limit + 1, REFUSED_STREAM, PROTOCOL_ERROR)


@case("concurrent-many", "9113 5.1.2", SHOULD, "Fifty streams at once are all answered.")
def _(p):
    for number in range(50):
        p.headers(2 * number + 1, p.fields(path=p.path(b"%d" % number)))
    for number in range(50):
        one = p.answer(2 * number + 1)
        check(one.values(b"x-target") == [p.path(b"%d" % number)], "an answer of another stream")


@case("connection-error-goaway", "9113 5.4.1", SHOULD, "Before it closes for an error, a server sends GOAWAY.")
def _(p):
    p.headers(1)
    p.answer(1)
    p.send(frame(RST_STREAM, 0, 99, bytes(4)))
    p.connection_error(PROTOCOL_ERROR)
    check(p.goaway == PROTOCOL_ERROR, "closed without GOAWAY")
    check(p.last_stream == 1, f"last stream {p.last_stream}")
