"""An HTTP/2 client that sends any frames that a case specifies, and waits for the required reaction."""

import socket
import struct
import time

import hpack
from h2wire import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PREFACE,
                    PROTOCOL_ERROR, RST_STREAM, SETTINGS, WINDOW_UPDATE, WITH_PRIORITY, code_name, frame, settings)

PATIENCE_SECONDS = 8


class Wrong(Exception):
    """The expected reaction did not happen."""


class Stream:
    def __init__(self):
        self.fields, self.trailers, self.interims, self.body = None, None, [], b""
        self.ended, self.reset = False, None

    @property
    def status(self):
        return int(dict(self.fields)[b":status"]) if self.fields else None

    def values(self, name):
        return [value for key, value in self.fields if key == name]


class Peer:
    def __init__(self, address, case_id, origin):
        self.case_id, self.origin = case_id, origin
        self.sock = socket.create_connection(address, timeout=PATIENCE_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.deadline = time.monotonic() + PATIENCE_SECONDS
        self.buffer, self.frames, self.streams = b"", [], {}
        self.settings, self.acks, self.pongs = None, 0, []
        self.goaway = self.closed = None
        self.decoder = hpack.Decoder()
        self.auto_window = True  # whether received bytes are credited

    def close(self):
        self.sock.close()

    # --- Sending ---

    def send(self, *parts):
        try:
            self.sock.settimeout(max(0.1, self.deadline - time.monotonic()))
            self.sock.sendall(b"".join(parts))
        except OSError:
            pass  # reading shows the result

    def start(self, *pairs):
        """The preface; waits until both sides' settings are acknowledged."""
        self.send(PREFACE, settings(*pairs))
        self.wait(lambda: self.settings is not None and self.acks, "settings and their acknowledgement")
        return self

    def path(self, rest=b"a"):
        return b"/" + self.case_id + b"/" + rest

    def fields(self, *extra, method=b"GET", path=None, authority=None, scheme=b"http"):
        """A request's fields, those in front first."""
        return [(b":method", method), (b":scheme", scheme), (b":path", self.path() if path is None else path),
                (b":authority", self.case_id + b".test" if authority is None else authority), *extra]

    def headers(self, stream, fields=None, flags=END_HEADERS | END_STREAM):
        self.send(frame(HEADERS, flags, stream, hpack.block(self.fields() if fields is None else fields)))

    def data(self, stream, body=b"", flags=0):
        self.send(frame(DATA, flags, stream, body))

    # --- Receiving ---

    def read_frame(self):
        """Reads one frame and records it; False at the end of the connection."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            self.sock.settimeout(max(0.01, self.deadline - time.monotonic()))
            try:
                piece = self.sock.recv(1 << 16)
            except TimeoutError:
                raise Wrong(f"no reaction ({self.summary()})") from None
            except OSError:
                piece = b""
            if not piece:
                self.closed = True
                return False
            self.buffer += piece
            if self.buffer.startswith(b"HTTP/1.1 "):
                self.closed = True
                return False
        size = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = self.buffer[3], self.buffer[4], struct.unpack(">I", self.buffer[5:9])[0] & 0x7FFFFFFF
        payload, self.buffer = self.buffer[9 : 9 + size], self.buffer[9 + size :]
        self.frames.append((kind, flags, stream, payload))
        self.note(kind, flags, stream, payload)
        return True

    def note(self, kind, flags, stream, payload):
        if kind == SETTINGS:
            if flags & ACK:
                self.acks += 1
            else:
                self.settings = {**(self.settings or {}), **dict(struct.iter_unpack(">HI", payload))}
                self.send(frame(SETTINGS, ACK))
        elif kind == PING:
            if flags & ACK:
                self.pongs.append(payload)
            else:
                self.send(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            last, code = struct.unpack(">II", payload[:8])
            if self.goaway is None or code:
                self.goaway = code
            self.last_stream = last
        elif kind in (HEADERS, CONTINUATION):
            if kind == HEADERS:
                self.partial, self.ends = b"", flags & END_STREAM
                skip = bool(flags & PADDED) + 5 * bool(flags & WITH_PRIORITY)
                payload = payload[skip : len(payload) - (payload[0] if flags & PADDED else 0)]
            self.partial += payload
            if flags & END_HEADERS:
                self.message(self.stream(stream), self.decoder.decode(self.partial))
        elif kind == DATA:
            one = self.stream(stream)
            one.body += payload[1 : len(payload) - payload[0]] if flags & PADDED else payload
            one.ended = bool(flags & END_STREAM)
            if self.auto_window and payload:
                credit = struct.pack(">I", len(payload))
                self.send(frame(WINDOW_UPDATE, 0, 0, credit),
                          b"" if one.ended else frame(WINDOW_UPDATE, 0, stream, credit))
        elif kind == RST_STREAM:
            self.stream(stream).reset = struct.unpack(">I", payload)[0]

    def message(self, one, fields):
        if one.fields is None and dict(fields).get(b":status", b"").startswith(b"1"):
            one.interims.append(fields)
        elif one.fields is None:
            one.fields = fields
        else:
            one.trailers = fields
        one.ended = bool(self.ends)

    def stream(self, number):
        return self.streams.setdefault(number, Stream())

    def summary(self):
        parts = [f"stream {n}: " + (f"reset {code_name(s.reset)}" if s.reset is not None else f"status {s.status}"
                                    f"{'' if s.ended else ', not ended'}") for n, s in self.streams.items()]
        if self.goaway is not None:
            parts.append(f"GOAWAY {code_name(self.goaway)}")
        if self.closed:
            parts.append("closed" + (f" after {self.buffer[:30]!r}" if self.buffer else ""))
        return "; ".join(parts) or "no frame for it"

    def wait(self, condition, what):
        """Reads until the condition holds; fails at the end of the connection, or at the deadline."""
        while not condition():
            if self.closed or not self.read_frame():
                if condition():
                    return
                raise Wrong(f"no {what} ({self.summary()})")

    # --- Required reactions ---

    def over(self, number):
        one = self.stream(number)
        return one.ended or one.reset is not None

    def answer(self, number, *statuses):
        """The stream gets a complete response."""
        self.wait(lambda: self.over(number), f"answer on stream {number}")
        one = self.stream(number)
        if one.fields is None or not one.ended:
            raise Wrong(f"no answer on stream {number} ({self.summary()})")
        if one.status not in (statuses or (200,)):
            raise Wrong(f"status {one.status} on stream {number}")
        return one

    def connection_error(self, *codes):
        """GOAWAY with one of the codes, or the connection's end; after GOAWAY it must end as well."""
        while not self.closed and self.read_frame():
            pass
        if self.goaway not in (None, *codes):
            raise Wrong(f"GOAWAY {code_name(self.goaway)}, not {'/'.join(code_name(c) for c in codes)}")
        return self

    def stream_error(self, number, *codes):
        """RST_STREAM with one of the codes. An endpoint may treat it as a connection error (RFC 9113 5.4.1)."""
        one = self.stream(number)
        while one.reset is None and not self.closed and self.goaway is None:
            if not self.read_frame():
                break
        code = one.reset if one.reset is not None else self.goaway
        if code is None and not self.closed:
            raise Wrong(f"no error ({self.summary()})")
        if code not in (None, *codes):
            raise Wrong(f"{code_name(code)}, not {'/'.join(code_name(c) for c in codes)}")
        return self

    def malformed(self, number):
        """A stream error of type PROTOCOL_ERROR, or a 4xx; and nothing at the origin (RFC 9113 8.1.1)."""
        one = self.stream(number)
        while not self.over(number) and not self.closed and self.goaway is None:
            if not self.read_frame():
                break
        if one.fields is not None:
            if not 400 <= one.status < 500 or one.values(b"x-origin"):
                raise Wrong(f"accepted ({self.summary()})")
        elif one.reset not in (None, PROTOCOL_ERROR):
            raise Wrong(f"reset {code_name(one.reset)}, not PROTOCOL_ERROR")
        elif one.reset is None and self.goaway not in (None, PROTOCOL_ERROR):
            raise Wrong(f"GOAWAY {code_name(self.goaway)}, not PROTOCOL_ERROR")
        if any(r.complete for r in self.seen() if b"/healthy" not in r.target):
            raise Wrong("forwarded to the origin")
        return self

    def healthy(self, number=101):
        """Another stream of this connection still works, unless the connection was ended."""
        if self.closed or self.goaway is not None:
            return
        self.headers(number, self.fields(path=self.path(b"healthy/probe")))
        self.answer(number)

    def ping(self, payload=b"roundtrp"):
        """Everything sent before has been processed."""
        self.send(frame(PING, 0, 0, payload))
        self.wait(lambda: payload in self.pongs, "answer to PING")

    def seen(self):
        with self.origin.lock:
            return list(self.origin.seen[self.case_id])

    def wait_seen(self, count=1):
        with self.origin.changed:
            if not self.origin.changed.wait_for(lambda: len(self.origin.seen[self.case_id]) >= count, PATIENCE_SECONDS):
                raise Wrong("no request at the origin")
        return self.seen()
