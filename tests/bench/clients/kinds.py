"""The kinds of clients that hold a connection and do not use it.

A class is a kind: the bytes that a connection sends when it opens, in reply to received bytes, and each second. Sockets
and clocks are in hostile.py.
"""

import h2client
import h2wire as h2

AUTHORITY = "shop.test"
READ_ALL, READ_NOTHING = "all", "nothing"
WINDOW_OF_A_GIB = 1 << 30


class Client:
    """Connects and sends nothing."""

    count, port, handshake = 5_000, "http1", False
    # Everything, nothing, or this number of bytes a second.
    reads = READ_ALL
    # Bytes of the socket's receive buffer; None: the kernel's default.
    receive_buffer = None

    def __init__(self):
        # Received statuses and frames that show that the server gives up on the client.
        self.signals = []
        # Ready: from here on only the server can change something.
        self.ready = True
        # The server holds nothing for it any more, though the connection may be open.
        self.ended = False

    def begin(self):
        return b""

    def received(self, data):
        return b""

    def each_second(self):
        return b""

    def record(self, what):
        if what not in self.signals:
            self.signals.append(what)

    def open_streams(self):
        return 0


class SilentPlain(Client):
    """connects, sends nothing"""

    def received(self, data):
        if data.startswith(b"HTTP/1."):
            self.record(data[9:12].decode("latin-1"))
        return b""


class SilentTls(Client):
    """connects to the TLS listener, sends nothing"""

    port = "tls"

    def received(self, data):
        if data[:1] == b"\x15":
            self.record("TLS alert")
        return b""


class Http2(Client):
    """Reads frames, acknowledges SETTINGS and PING, and records the signs that the server gives up on the client."""

    count, port = 500, "h2c"

    def __init__(self):
        super().__init__()
        self.frames, self.streams = h2client.Frames(), set()

    def open_streams(self):
        return len(self.streams)

    def received(self, data):
        answer = b""
        for kind, flags, stream, payload in self.frames.feed(data):
            answer += self.frame(kind, flags, stream, payload)
        return answer

    def frame(self, kind, flags, stream, payload):
        if kind == h2.GOAWAY:
            self.record(f"GOAWAY {h2.code_name(int.from_bytes(payload[4:8]))}")
        elif kind == h2.RST_STREAM:
            self.record(f"RST_STREAM {h2.code_name(int.from_bytes(payload))}")
            self.close(stream)
        elif kind == h2.SETTINGS and not flags & h2.ACK:
            return h2.frame(h2.SETTINGS, h2.ACK, 0) + self.settings_came()
        elif kind == h2.PING and not flags & h2.ACK:
            return h2.frame(h2.PING, h2.ACK, 0, payload)
        elif kind in (h2.HEADERS, h2.DATA) and flags & h2.END_STREAM:
            self.close(stream)
        return b""

    def settings_came(self):
        return b""

    def close(self, stream):
        had = bool(self.streams)
        self.streams.discard(stream)
        self.ended = had and not self.streams


class SilentTlsH2(Http2):
    """ends its TLS handshake with ALPN h2, then sends nothing"""

    count, port, handshake = 5_000, "tls", True

    def received(self, data):
        # Silent: an acknowledgement of SETTINGS before the preface would be a client error.
        super().received(data)
        return b""


class SilentH2(Http2):
    """HTTP/2 preface and SETTINGS, then nothing"""

    count = 5_000

    def begin(self):
        return h2.PREFACE + h2.settings()


class Idle(Client):
    """keep-alive: one request, reads the answer, then nothing"""

    def __init__(self):
        super().__init__()
        self.ready, self.answer = False, b""

    def begin(self):
        return f"GET / HTTP/1.1\r\nHost: {AUTHORITY}\r\n\r\n".encode()

    def received(self, data):
        if self.ready:
            self.record(data[9:12].decode("latin-1") if data.startswith(b"HTTP/1.") else "bytes")
            return b""
        self.answer += data
        head, end, body = self.answer.partition(b"\r\n\r\n")
        if end:
            if head[9:12] != b"200":
                self.record(head[9:12].decode("latin-1"))
            length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
            self.ready = not length.strip().isdigit() or len(body) >= int(length)
        return b""


class IdleH2(Http2):
    """HTTP/2: one request, reads the answer, then nothing"""

    count = 5_000

    def __init__(self):
        super().__init__()
        self.ready = False

    def begin(self):
        head = h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, 1, h2client.block("GET", "/", AUTHORITY))
        return h2.PREFACE + h2.settings() + head

    def close(self, stream):
        self.ready = True


class Slow(Client):
    """An HTTP/1 client that sends a byte a second and reads a status."""

    count = 500

    def received(self, data):
        if data.startswith(b"HTTP/1."):
            self.record(data[9:12].decode("latin-1"))
        return b""


class SlowHead(Slow):
    """HTTP/1 head, a byte a second"""

    def __init__(self):
        super().__init__()
        self.head = iter(f"GET / HTTP/1.1\r\nHost: {AUTHORITY}\r\nX-Slow: ".encode())

    def each_second(self):
        return bytes([next(self.head, ord("a"))])


class SlowHeadH2(Http2):
    """HEADERS without END_HEADERS, then CONTINUATION frames of a byte, one a second"""

    def __init__(self):
        super().__init__()
        self.ready = False

    def begin(self):
        return h2.PREFACE + h2.settings()

    def settings_came(self):
        if self.ready:
            return b""
        self.ready = True
        self.streams.add(1)
        # The value is within the limits of servers (nginx: 8 KiB), and takes longer than a run to complete.
        unfinished = h2client.block("GET", "/", AUTHORITY) + b"\x00" + h2.string(b"x-slow") + h2.integer(4_000, 7)
        return h2.frame(h2.HEADERS, h2.END_STREAM, 1, unfinished)

    def each_second(self):
        return h2.frame(h2.CONTINUATION, 0, 1, b"a") if self.ready else b""

    def frame(self, kind, flags, stream, payload):
        # No frame may come between HEADERS and the last CONTINUATION: an acknowledgement would be a client error.
        begun = self.ready
        answer = super().frame(kind, flags, stream, payload)
        return b"" if begun else answer


class SlowBody(Slow):
    """HTTP/1 body of 1,000,000 bytes as declared, a byte a second"""

    framing = "Content-Length: 1000000"
    piece = b"a"

    def begin(self):
        return f"POST /upload HTTP/1.1\r\nHost: {AUTHORITY}\r\n{self.framing}\r\n\r\n".encode()

    def each_second(self):
        return self.piece


class SlowBodyChunked(SlowBody):
    """HTTP/1 chunked body, a chunk of a byte each second"""

    framing = "Transfer-Encoding: chunked"
    piece = b"1\r\na\r\n"


class SlowBodyH2(Http2):
    """HTTP/2 body, a DATA frame of a byte each second"""

    def begin(self):
        self.streams.add(1)
        head = h2.frame(h2.HEADERS, h2.END_HEADERS, 1, h2client.block("POST", "/upload", AUTHORITY))
        return h2.PREFACE + h2.settings() + head

    def each_second(self):
        return h2.frame(h2.DATA, 0, 1, b"a")


class Unread(Http2):
    """Requests 100 MB on each of 100 streams once the server's SETTINGS have arrived."""

    count, window, streams_each = 40, 0, 100

    def __init__(self):
        super().__init__()
        self.ready = False

    def begin(self):
        return h2.PREFACE + h2.settings((h2.INITIAL_WINDOW_SIZE, self.window))

    def settings_came(self):
        if self.ready:
            return b""
        self.ready = True
        self.streams = {2 * number + 1 for number in range(self.streams_each)}
        block = h2client.block("GET", "/100m", AUTHORITY)
        return b"".join(h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, stream, block)
                        for stream in sorted(self.streams))


class WindowZero(Unread):
    """100 streams request 100 MB each with a window of 0"""


class WindowOpen(Unread):
    """100 streams request 100 MB each with windows of 2^30; the socket is not read"""

    window = WINDOW_OF_A_GIB

    def settings_came(self):
        if self.ready:
            return b""
        requests = super().settings_came()
        self.reads = READ_NOTHING
        return h2.frame(h2.WINDOW_UPDATE, 0, 0, (WINDOW_OF_A_GIB).to_bytes(4)) + requests


class SlowReader(Client):
    """HTTP/1: reads an answer of 10 MB at 1 KiB a second"""

    count, reads, receive_buffer = 500, 1_024, 4_096

    def __init__(self):
        super().__init__()
        self.began = False

    def begin(self):
        return f"GET /10m HTTP/1.1\r\nHost: {AUTHORITY}\r\n\r\n".encode()

    def received(self, data):
        if not self.began and data[9:12] != b"200":
            self.record(data[9:12].decode("latin-1"))
        self.began = True
        return b""


class Nobody(Client):
    """no hostile client, as a baseline"""

    count = 0


KINDS = {
    "nobody": Nobody,
    "silent-plain": SilentPlain,
    "silent-tls": SilentTls,
    "silent-tls-h2": SilentTlsH2,
    "silent-h2": SilentH2,
    "idle": Idle,
    "idle-h2": IdleH2,
    "slow-head": SlowHead,
    "slow-head-h2": SlowHeadH2,
    "slow-body": SlowBody,
    "slow-body-chunked": SlowBodyChunked,
    "slow-body-h2": SlowBodyH2,
    "window-zero": WindowZero,
    "window-open": WindowOpen,
    "slow-reader": SlowReader,
}
