"""The origin behind the proxy: it records every received byte, and responds as the case specifies.

A request belongs to the case whose id (`j`, `k`, `q` or `z` and three digits) is somewhere in its bytes. Bytes on a
connection that are no correct request belong to the case of the previous request on it.
"""

import re
import socket
import struct
import threading
from email.utils import formatdate

import wire

CASE_ID = re.compile(rb"[jkqz][0-9]{3}")
# Longer than any proxy here waits, so that it is the proxy that gives up.
IDLE_SECONDS = 30


class Io:
    """One connection, for programs that write their own responses."""

    def __init__(self, sock, number):
        self.sock, self.number, self.data, self.at = sock, number, b"", 0

    def fill(self):
        piece = self.sock.recv(1 << 16)
        if not piece:
            raise EOFError
        self.data += piece

    def until(self, mark):
        return self._take(lambda buffer: buffer.until(mark))

    def exactly(self, count):
        return self._take(lambda buffer: buffer.exactly(count))

    def _take(self, take):
        while True:
            buffer = wire.Buffer(self.data, self.at)
            try:
                taken = take(buffer)
            except wire.Incomplete:
                self.fill()
                continue
            self.at = buffer.at
            return taken

    def send(self, data):
        self.sock.sendall(data)

    def reset(self):
        """Closes with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def gone(self):
        """Waits until the proxy closes; anything that it still sends is dropped."""
        try:
            while self.sock.recv(1 << 16):
                pass
        except OSError:
            pass


def answer(status=b"200 OK", *lines, body=b"", length=True, date=True, case=b"CASE"):
    """A response's bytes, marked as the origin's."""
    head = [b"HTTP/1.1 " + status, b"X-Origin: " + case, *lines]
    if date:
        head.append(b"Date: " + formatdate(usegmt=True).encode())
    if length:
        head.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(head) + b"\r\n\r\n" + body


class Origin:
    def __init__(self):
        self.programs = {}  # id -> Case
        self.seen = {}  # id -> [Request]
        self.strays = []  # bytes that belong to no case
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def add(self, case_id, case):
        with self.lock:
            self.programs[case_id] = case
            self.seen[case_id] = []

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            sock.settimeout(IDLE_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True).start()

    def _serve(self, sock, number):
        io, last = Io(sock, number), None
        try:
            while True:
                last, go_on = self._one(io, last)
                if not go_on:
                    return
        except (OSError, EOFError):
            pass
        finally:
            sock.close()

    def note(self, case_id, request):
        with self.lock:
            if case_id in self.seen:
                self.seen[case_id].append(request)
            else:
                self.strays.append(request.raw_head)
            self.changed.notify_all()

    def _one(self, io, last):
        start = io.at
        request = case_id = None
        try:
            head = io.until(b"\r\n\r\n")
            match = CASE_ID.search(head)
            case_id = match[0] if match else last
            request = wire.parse_request_head(head)
            request.connection = io.number
            case = self.programs.get(case_id)
            probe = b"/probe" in request.target
            early = case is not None and case.early and not probe
            self.note(case_id, request)
            if not early:
                wire.read_body(request, io)
            if case is None or probe or case.answer is None:
                io.send(self._default(case_id, request))
            elif callable(case.answer):
                return case_id, case.answer(io, request, case_id)
            else:
                io.send(case.answer.replace(b"CASE", case_id))
                if case.close:
                    return case_id, False
            return case_id, b"close" not in request.elements(b"connection") and request.version == b"HTTP/1.1"
        except (wire.Malformed, OSError, EOFError) as error:
            raw = io.data[start:]
            if isinstance(error, wire.Malformed) or (request is None and raw):
                if request is None:
                    match = CASE_ID.search(raw)
                    case_id = match[0] if match else last
                    request = wire.Request(raw)
                    request.connection = io.number
                    self.note(case_id, request)
                request.error = str(error) or "ended within the head"
                io.send(answer(b"400 Bad Request", b"Connection: close", body=b"strict origin",
                               case=case_id or b"none"))
            return case_id, False

    @staticmethod
    def _default(case_id, request):
        """Names the request, so that a client can tell to which request a response belongs."""
        body = b"" if request.method == b"HEAD" else b"origin " + (case_id or b"none")
        return answer(b"200 OK", b"X-Target: " + request.target[:200], body=body, case=case_id or b"none")
