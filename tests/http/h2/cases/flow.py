"""Flow control (RFC 9113 5.2 and 6.9)."""

import struct

from h2case import MUST, case, check, held, response
from h2wire import (CANCEL, DATA, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, INITIAL_WINDOW_SIZE, PROTOCOL_ERROR,
                    RST_STREAM, WINDOW_UPDATE, frame, settings)

FLOW = "9113 6.9"
LARGE = response(body=b"0123456789" * 20_000)


def credit(stream, amount):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", amount))


def no_credit(p, *pairs):
    """No credit beyond the client's initial settings."""
    p.auto_window = False
    return p.start(*pairs)


def lengths(p, stream=1):
    return [len(payload) for kind, _, number, payload in p.frames if kind == DATA and number == stream]


@case("window-zero-increment-stream", FLOW, MUST, "An increment of 0 on a stream is an error.", answer=held())
def _(p):
    p.headers(1)
    p.send(credit(1, 0))
    p.stream_error(1, PROTOCOL_ERROR)
    p.healthy()


@case("window-zero-increment", FLOW, MUST, "An increment of 0 on the connection ends it.")
def _(p):
    p.send(credit(0, 0))
    p.connection_error(PROTOCOL_ERROR)


@case("window-overflow", "9113 6.9.1", MUST, "A connection's window above 2^31 - 1 ends it.")
def _(p):
    p.send(credit(0, 0x7FFFFFFF) * 2)
    p.connection_error(FLOW_CONTROL_ERROR)


@case("window-overflow-stream", "9113 6.9.1", MUST, "A stream's window above 2^31 - 1 ends it.", answer=held())
def _(p):
    p.headers(1)
    p.send(credit(1, 0x7FFFFFFF) * 2)
    p.stream_error(1, FLOW_CONTROL_ERROR)
    p.healthy()


@case("window-overflow-settings", "9113 6.9.2", MUST,
      "SETTINGS that push a stream's window above 2^31 - 1 end the connection.", answer=held())
def _(p):
    p.headers(1)
    p.wait_seen()
    p.send(credit(1, 0x7FFFFFFF - 65535))
    p.send(settings((INITIAL_WINDOW_SIZE, 65536)))
    p.connection_error(FLOW_CONTROL_ERROR)


@case("window-0-holds", FLOW, MUST, "Without a window no DATA is sent, and after credit exactly that much.", raw=True)
def _(p):
    no_credit(p, (INITIAL_WINDOW_SIZE, 0)).headers(1)
    p.wait(lambda: p.stream(1).fields, "headers")
    p.ping()
    check(sum(lengths(p)) == 0, "DATA without a window")
    p.send(credit(1, 3))
    p.wait(lambda: sum(lengths(p)) >= 3, "DATA after credit")
    p.ping(b"12345678")
    check(sum(lengths(p)) == 3, f"{lengths(p)} bytes for a credit of 3")
    p.send(credit(1, 1000))
    p.answer(1)


@case("window-1", FLOW, MUST, "A window of 1 lets one byte go.", raw=True)
def _(p):
    no_credit(p, (INITIAL_WINDOW_SIZE, 1)).headers(1)
    p.wait(lambda: sum(lengths(p)) >= 1, "DATA")
    p.ping()
    check(lengths(p) == [1], f"DATA of {lengths(p)}")


@case("window-settings-raise", "9113 6.9.2", MUST, "A larger INITIAL_WINDOW_SIZE widens open streams.", raw=True)
def _(p):
    no_credit(p, (INITIAL_WINDOW_SIZE, 0)).headers(1)
    p.wait(lambda: p.stream(1).fields, "headers")
    p.send(settings((INITIAL_WINDOW_SIZE, 1000)))
    p.answer(1)


@case("window-settings-negative", "9113 6.9.2", MUST, "A window may become negative, and must be replenished first.",
      raw=True, answer=LARGE)
def _(p):
    no_credit(p, (INITIAL_WINDOW_SIZE, 100)).headers(1)
    p.wait(lambda: sum(lengths(p)) >= 100, "DATA")
    p.send(settings((INITIAL_WINDOW_SIZE, 40)), credit(1, 60))
    p.ping()
    check(sum(lengths(p)) == 100, f"{sum(lengths(p))} bytes at a window of 0")
    p.send(credit(1, 1))
    p.wait(lambda: sum(lengths(p)) >= 101, "DATA after credit")
    p.ping(b"12345678")
    check(sum(lengths(p)) == 101, f"{sum(lengths(p))} bytes, not 101")


@case("window-connection", FLOW, MUST, "The connection's window of 65,535 is obeyed.", raw=True, answer=LARGE)
def _(p):
    no_credit(p, (INITIAL_WINDOW_SIZE, 1_000_000)).headers(1)
    p.wait(lambda: sum(lengths(p)) >= 65535, "DATA")
    p.ping()
    check(sum(lengths(p)) == 65535, f"{sum(lengths(p))} bytes in a window of 65,535")
    p.send(credit(0, 1_000_000))
    p.answer(1)
    check(len(p.stream(1).body) == 200_000, "another length")


@case("window-frame-size", "9113 4.2", MUST, "No frame is larger than the client's MAX_FRAME_SIZE.", answer=LARGE)
def _(p):
    p.headers(1)
    p.answer(1)
    check(max(lengths(p)) <= 16384, f"a frame of {max(lengths(p))}")


@case("window-slow-reader", "9113 5.2", MUST, "A stream that is not read does not block another.", raw=True,
      answer=LARGE)
def _(p):
    no_credit(p, (INITIAL_WINDOW_SIZE, 1000)).headers(1)
    p.wait(lambda: sum(lengths(p)) >= 1000, "DATA")
    p.healthy(3)


@case("window-exceeded", FLOW, MUST, "A client that sends more than its window is stopped.", answer=held(), early=True)
def _(p):
    p.headers(1, p.fields(method=b"POST"), END_HEADERS)
    window = p.settings.get(INITIAL_WINDOW_SIZE, 65535)
    # Much more than any credit that may have arrived meanwhile: the origin reads nothing.
    for _ in range(min(4 * window + (32 << 20), 64 << 20) // 16384):
        p.send(frame(DATA, 0, 1, bytes(16384)))
    p.stream_error(1, FLOW_CONTROL_ERROR)


@case("window-upload", FLOW, MUST, "An upload of 300,000 bytes gets its credit, and arrives whole.")
def _(p):
    p.headers(1, p.fields(method=b"POST"), END_HEADERS)
    window = {0: 65535, 1: p.settings.get(INITIAL_WINDOW_SIZE, 65535)}
    counted, left = 0, 300_000
    while left:
        room = min(16384, left, window[0], window[1])
        if room > 0:
            left -= room
            p.data(1, b"u" * room, 0 if left else END_STREAM)
            window[0] -= room
            window[1] -= room
            continue
        if p.over(1) or not p.read_frame():
            break
        for kind, _, stream, payload in p.frames[counted:]:
            if kind == WINDOW_UPDATE and stream in window:
                window[stream] += struct.unpack(">I", payload)[0]
        counted = len(p.frames)
    p.answer(1)
    check(p.seen()[0].body == b"u" * 300_000, "another body at the origin")


@case("window-credit-back", FLOW, MUST, "Credit of cancelled uploads is returned.", answer=held(), early=True)
def _(p):
    window, stream = 65535, 1
    updates = lambda: sum(struct.unpack(">I", payload)[0] for kind, _, number,
                          payload in p.frames if kind == WINDOW_UPDATE and not number)
    p.ping()
    total = window + updates()
    for stream in (1, 3, 5, 7):
        p.headers(stream, p.fields(method=b"POST"), END_HEADERS)
        p.send(frame(DATA, 0, stream, bytes(16000)), frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL)))
    # Either the credit is returned, or there was so much that it does not matter.
    p.wait(lambda: total >= 1_000_000 or updates() + window - 64000 > 32000, "credit for cancelled uploads")
    p.healthy()
