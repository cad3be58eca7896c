"""Preface, frame sizes, and each frame's own rules (RFC 9113 3.4, 4, 5.5, 6)."""

import struct

import hpack
from h2case import MUST, SHOULD, case, check
from h2wire import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENABLE_PUSH, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR,
                    GOAWAY, HEADERS, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE,
                    PADDED, PING, PREFACE, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
                    WITH_PRIORITY, ENHANCE_YOUR_CALM, frame, settings)

ONE = struct.pack(">I", 1)


def open_stream(p, stream=1):
    """A request whose body follows."""
    p.headers(stream, p.fields(method=b"POST"), END_HEADERS)


def connection(name, section, text, make, *codes, level=MUST):
    """Frames that must end the connection with one of the codes."""

    @case(name, section, level, text)
    def run(p):
        p.send(make(p))
        p.connection_error(*codes)


def ignored(name, section, text, make, level=MUST):
    """Frames that the server ignores."""

    @case(name, section, level, text)
    def run(p):
        p.send(make(p))
        p.ping()
        p.headers(1)
        p.answer(1)


# --- Preface ---------------------------------------------------------------------------------------------------------


@case("preface-bytewise", "9113 3.4", MUST, "The preface may arrive a byte at a time.", raw=True)
def _(p):
    for octet in PREFACE + settings():
        p.send(bytes([octet]))
    p.headers(1)
    p.answer(1)


@case("preface-early-request", "9113 3.4", MUST, "A client need not wait for the server's SETTINGS.", raw=True)
def _(p):
    p.send(PREFACE, settings(), frame(HEADERS, END_HEADERS | END_STREAM, 1, hpack.block(p.fields())))
    p.answer(1)
    check(p.frames[0][0] == SETTINGS, "the server's first frame is not SETTINGS")


@case("preface-wrong-end", "9113 3.4", MUST, "A preface that is wrong at its end is refused.", raw=True)
def _(p):
    p.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\nXX", settings(), bytes(64))
    p.connection_error(PROTOCOL_ERROR)


@case("preface-wrong", "9113 3.4", MUST, "Something else in place of the preface is refused.", raw=True)
def _(p):
    p.send(b"INVALID CONNECTION PREFACE\r\n\r\n")
    p.connection_error(PROTOCOL_ERROR)


@case("preface-no-settings", "9113 3.4", MUST, "The first frame after the preface must be SETTINGS.", raw=True)
def _(p):
    p.send(PREFACE, frame(PING, 0, 0, b"12345678"))
    p.connection_error(PROTOCOL_ERROR)


@case("preface-settings-ack", "9113 3.4", MUST, "An acknowledgement is no first SETTINGS.", raw=True)
def _(p):
    p.send(PREFACE, frame(SETTINGS, ACK, 0))
    p.connection_error(PROTOCOL_ERROR)


# --- Frames that are unknown or have unknown parts -------------------------------------------------------------------

ignored("frame-unknown-type", "9113 4.1", "A frame of an unknown type is ignored.",
        lambda p: frame(0x42, 0xFF, 0, b"unknown"))
ignored("frame-unknown-on-stream", "9113 5.5", "Also on a stream that is idle.",
        lambda p: frame(0xFA, 0, 7, b"unknown"))
ignored("frame-unknown-empty", "9113 4.1", "Also an empty one.", lambda p: frame(0x16, 0, 0))
ignored("frame-undefined-flags", "9113 4.1", "Undefined flags are ignored.",
        lambda p: frame(PING, 0xFE, 0, b"12345678"))
ignored("frame-reserved-bit", "9113 4.1", "The reserved bit is ignored.",
        lambda p: frame(PING, 0, 0x80000000, b"12345678"))
ignored("frame-priority-update", "9218 7.1", "PRIORITY_UPDATE is ignored by who does not know it.",
        lambda p: frame(0x10, 0, 0, ONE + b"u=1"))


@case("frame-undefined-flags-headers", "9113 4.1", MUST, "Undefined flags of HEADERS are ignored.")
def _(p):
    p.headers(1, flags=END_HEADERS | END_STREAM | 0xD2)
    p.answer(1)


@case("frame-reserved-bit-headers", "9113 4.1", MUST, "The reserved bit before a stream's number is ignored.")
def _(p):
    p.headers(0x80000001)
    p.answer(1)


@case("frame-unknown-inside", "9113 5.5", MUST, "An unknown frame between HEADERS and DATA is ignored.")
def _(p):
    open_stream(p)
    p.send(frame(0x42, 0, 1, b"x"))
    p.data(1, b"hello", END_STREAM)
    p.answer(1)


# --- Sizes -----------------------------------------------------------------------------------------------------------


@case("size-data-largest", "9113 4.2", MUST, "A frame of 16,384 bytes is accepted.")
def _(p):
    open_stream(p)
    p.data(1, b"x" * 16384, END_STREAM)
    p.answer(1)
    check(p.seen()[0].body == b"x" * 16384, "another body at the origin")


@case("size-data-too-large", "9113 4.2", MUST, "DATA larger than SETTINGS_MAX_FRAME_SIZE is an error.")
def _(p):
    open_stream(p)
    p.data(1, b"x" * (p.settings.get(MAX_FRAME_SIZE, 16384) + 1))
    p.stream_error(1, FRAME_SIZE_ERROR)


connection("size-headers-too-large", "9113 4.2", "HEADERS larger than that end the connection.",
           lambda p: frame(HEADERS, END_HEADERS, 1, hpack.block(p.fields((b"x",
               b"y" * p.settings.get(MAX_FRAME_SIZE, 16384))))),
           FRAME_SIZE_ERROR)
connection("size-unknown-too-large", "9113 4.2", "A frame of an unknown type that is too large is an error.",
           lambda p: frame(0x42, 0, 0, b"x" * (p.settings.get(MAX_FRAME_SIZE, 16384) + 1)), FRAME_SIZE_ERROR,
           level=SHOULD)
for length in (0, 7, 9):
    connection(f"size-ping-{length}", "9113 6.7", f"PING of {length} bytes.", lambda p,
               n=length: frame(PING, 0, 0, b"x" * n), FRAME_SIZE_ERROR)
for length in (3, 5):
    connection(f"size-window-update-{length}", "9113 6.9", f"WINDOW_UPDATE of {length} bytes.",
               lambda p, n=length: frame(WINDOW_UPDATE, 0, 0, b"\1" * n), FRAME_SIZE_ERROR)
connection("size-settings-5", "9113 6.5", "SETTINGS that are no multiple of six bytes.",
           lambda p: frame(SETTINGS, 0, 0, b"\0\3\0\0\0"), FRAME_SIZE_ERROR)
connection("size-settings-ack", "9113 6.5", "An acknowledgement with content.",
           lambda p: frame(SETTINGS, ACK, 0, b"\0\3\0\0\0\1"), FRAME_SIZE_ERROR)
connection("size-goaway-7", "9113 6.8", "GOAWAY that is too short.", lambda p: frame(GOAWAY, 0, 0, b"\0" * 7),
           FRAME_SIZE_ERROR)
for length in (3, 5):

    @case(f"size-rst-{length}", "9113 6.4", MUST, f"RST_STREAM of {length} bytes.")
    def _(p, n=length):
        open_stream(p)
        p.send(frame(RST_STREAM, 0, 1, b"\0" * n))
        p.connection_error(FRAME_SIZE_ERROR)


@case("size-priority-4", "9113 6.3", MUST, "PRIORITY of four bytes is a stream error.")
def _(p):
    open_stream(p)
    p.send(frame(PRIORITY, 0, 1, b"\0" * 4))
    p.stream_error(1, FRAME_SIZE_ERROR)
    p.healthy()


# --- DATA and HEADERS ------------------------------------------------------------------------------------------------

connection("data-stream-0", "9113 6.1", "DATA on stream 0.", lambda p: frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR)


@case("data-padded", "9113 6.1", MUST, "Padding is no content.")
def _(p):
    open_stream(p)
    p.send(frame(DATA, PADDED, 1, b"\5hello" + bytes(5)), frame(DATA, PADDED | END_STREAM, 1, b"\xff" + bytes(255)))
    p.answer(1)
    check(p.seen()[0].body == b"hello", f"body at the origin: {p.seen()[0].body!r}")


for name, payload in (("equal", b"\6" + b"hello"), ("longer", b"\xff" + b"hello"), ("none", b"")):

    @case(f"data-padding-{name}", "9113 6.1", MUST, "Padding that is as long as the payload, or longer, is an error.")
    def _(p, payload=payload):
        open_stream(p)
        p.send(frame(DATA, PADDED, 1, payload))
        p.connection_error(PROTOCOL_ERROR, FRAME_SIZE_ERROR)


connection("headers-stream-0", "9113 6.2", "HEADERS on stream 0.",
           lambda p: frame(HEADERS, 5, 0, hpack.block(p.fields())), PROTOCOL_ERROR)


@case("headers-padded-priority", "9113 6.2", MUST, "HEADERS with padding and priority.")
def _(p):
    payload = b"\4" + struct.pack(">IB", 0, 16) + hpack.block(p.fields()) + bytes(4)
    p.send(frame(HEADERS, END_HEADERS | END_STREAM | PADDED | WITH_PRIORITY, 1, payload))
    p.answer(1)


connection("headers-padding-longer", "9113 6.2", "Padding longer than the payload of HEADERS.",
           lambda p: frame(HEADERS, 5 | PADDED, 1, b"\xff" + hpack.block(p.fields())[:40]), PROTOCOL_ERROR)
connection("headers-priority-cut", "9113 6.2", "HEADERS too short for its priority.",
           lambda p: frame(HEADERS, 5 | WITH_PRIORITY, 1, b"\0\0"),
           PROTOCOL_ERROR, FRAME_SIZE_ERROR)

# --- PRIORITY, RST_STREAM, PUSH_PROMISE ------------------------------------------------------------------------------

connection("priority-stream-0", "9113 6.3", "PRIORITY on stream 0.", lambda p: frame(PRIORITY, 0, 0, bytes(5)),
           PROTOCOL_ERROR)
ignored("priority-idle", "9113 6.3", "PRIORITY on an idle stream is no error.",
        lambda p: frame(PRIORITY, 0, 5, struct.pack(">IB", 3, 9)))


@case("priority-self", "9113 5.3.2", SHOULD, "A stream that depends on itself: ignored, or a stream error.")
def _(p):
    p.send(frame(PRIORITY, 0, 1, struct.pack(">IB", 1, 9)))
    p.healthy(3)
    check(p.goaway in (None, PROTOCOL_ERROR), f"GOAWAY {p.goaway}")


connection("rst-stream-0", "9113 6.4", "RST_STREAM on stream 0.", lambda p: frame(RST_STREAM, 0, 0, bytes(4)),
           PROTOCOL_ERROR)
connection("push-promise", "9113 8.4", "A client can't push.",
           lambda p: frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + hpack.block(p.fields())),
           PROTOCOL_ERROR)

# --- SETTINGS --------------------------------------------------------------------------------------------------------

connection("settings-on-stream", "9113 6.5", "SETTINGS on a stream.", lambda p: frame(SETTINGS, 0, 1), PROTOCOL_ERROR)
connection("settings-push-2", "9113 6.5.2", "ENABLE_PUSH 2.", lambda p: settings((ENABLE_PUSH, 2)), PROTOCOL_ERROR)
connection("settings-window-max", "9113 6.5.2", "INITIAL_WINDOW_SIZE of 2^31.",
           lambda p: settings((INITIAL_WINDOW_SIZE, 1 << 31)), FLOW_CONTROL_ERROR)
connection("settings-frame-small", "9113 6.5.2", "MAX_FRAME_SIZE below 16,384.",
           lambda p: settings((MAX_FRAME_SIZE, 16383)), PROTOCOL_ERROR)
connection("settings-frame-large", "9113 6.5.2", "MAX_FRAME_SIZE of 2^24.",
           lambda p: settings((MAX_FRAME_SIZE, 1 << 24)), PROTOCOL_ERROR)
ignored("settings-unknown", "9113 6.5.2", "Unknown settings are ignored.", lambda p: settings((0xFF, 7), (0x1234, 0)))
ignored("settings-empty", "9113 6.5", "Empty SETTINGS are valid.", lambda p: settings())
ignored("settings-table-0", "9113 6.5.2", "HEADER_TABLE_SIZE 0 is obeyed.", lambda p: settings((HEADER_TABLE_SIZE, 0)))
ignored("settings-list-size", "9113 6.5.2", "MAX_HEADER_LIST_SIZE is advisory.",
        lambda p: settings((MAX_HEADER_LIST_SIZE, 65536)))


@case("settings-each-acknowledged", "9113 6.5.3", MUST, "Each SETTINGS is acknowledged.")
def _(p):
    before = p.acks
    p.send(settings((MAX_FRAME_SIZE, 20000)) * 3)
    p.wait(lambda: p.acks == before + 3, "three acknowledgements")


# --- PING and GOAWAY -------------------------------------------------------------------------------------------------


@case("ping-answered", "9113 6.7", MUST, "PING is answered with the same bytes.")
def _(p):
    p.ping(b"\0\xff12345\x80")


@case("ping-ack-not-answered", "9113 6.7", MUST, "An acknowledgement is not answered.")
def _(p):
    p.send(frame(PING, ACK, 0, b"unwanted"))
    p.ping()
    check(p.pongs == [b"roundtrp"], f"PINGs answered: {p.pongs!r}")


connection("ping-on-stream", "9113 6.7", "PING on a stream.", lambda p: frame(PING, 0, 1, bytes(8)), PROTOCOL_ERROR)
connection("goaway-on-stream", "9113 6.8", "GOAWAY on a stream.", lambda p: frame(GOAWAY, 0, 1, bytes(8)),
           PROTOCOL_ERROR)


@case("goaway-finishes", "9113 6.8", MUST, "Streams that are open when the client sends GOAWAY are finished.")
def _(p):
    open_stream(p)
    p.send(frame(GOAWAY, 0, 0, bytes(8)))
    p.data(1, b"hello", END_STREAM)
    p.answer(1)


# --- CONTINUATION ----------------------------------------------------------------------------------------------------


def start_block(p, cut=10):
    return frame(HEADERS, END_STREAM, 1, hpack.block(p.fields())[:cut])


def rest(p, cut=10, stream=1, flags=END_HEADERS):
    return frame(CONTINUATION, flags, stream, hpack.block(p.fields())[cut:])


for name, size in (("continuation", 40), ("continuation-small", 7)):

    @case(name, "9113 6.10", MUST, f"A field block may be split into several frames, here of {size} bytes each.")
    def _(p, size=size):
        block = hpack.block(p.fields((b"x-a", b"1")))
        p.send(frame(HEADERS, END_STREAM, 1, block[:3]),
               *(frame(CONTINUATION, 0, 1, block[n : n + size]) for n in range(3, len(block), size)),
               frame(CONTINUATION, END_HEADERS, 1))
        p.answer(1)
        check(p.seen()[0].values(b"x-a") == [b"1"], "a field was lost")


@case("continuation-empty-headers", "9113 6.10", MUST, "HEADERS may be empty if CONTINUATION has all fields.")
def _(p):
    p.send(start_block(p, 0), rest(p, 0))
    p.answer(1)


for name, between in (("priority", frame(PRIORITY, 0, 1, bytes(4) + b"\1")), ("ping", frame(PING, 0, 0, bytes(8))),
                      ("unknown", frame(0x42, 0, 1, b"x")), ("settings", settings()), ("data", frame(DATA, 0, 1, b"x")),
                      ("headers", frame(HEADERS, 5, 3, b"\x82")), ("window", frame(WINDOW_UPDATE, 0, 1, ONE))):
    connection(f"continuation-{name}-between", "9113 6.10",
               f"No other frame ({name}) between HEADERS and CONTINUATION.",
               lambda p, between=between: start_block(p) + between + rest(p), PROTOCOL_ERROR)
connection("continuation-other-stream", "9113 6.10", "CONTINUATION of another stream.",
           lambda p: start_block(p) + rest(p, stream=3), PROTOCOL_ERROR)
connection("continuation-stream-0", "9113 6.10", "CONTINUATION on stream 0.",
           lambda p: start_block(p) + rest(p, stream=0), PROTOCOL_ERROR)
connection("continuation-alone", "9113 6.10", "CONTINUATION without HEADERS.", lambda p: rest(p, 0), PROTOCOL_ERROR)


@case("continuation-after-end", "9113 6.10", MUST, "CONTINUATION after END_HEADERS.")
def _(p):
    open_stream(p)
    p.send(frame(CONTINUATION, END_HEADERS, 1, hpack.literal(b"x-a", b"1")))
    p.connection_error(PROTOCOL_ERROR)


@case("continuation-flood", "9113 10.5.1", SHOULD, "A field block without end is refused (100,000 frames).")
def _(p):
    p.send(start_block(p))
    for _ in range(100):
        p.send(frame(CONTINUATION, 0, 1, hpack.literal(b"x", b"y")) * 1000)
    p.connection_error(ENHANCE_YOUR_CALM, PROTOCOL_ERROR, 2, 9)


@case("continuation-flood-empty", "9113 10.5", SHOULD, "Empty frames without end are refused (100,000 frames).")
def _(p):
    p.send(start_block(p))
    for _ in range(100):
        p.send(frame(CONTINUATION, 0, 1) * 1000)
    p.connection_error(ENHANCE_YOUR_CALM, PROTOCOL_ERROR, 2, 9)
