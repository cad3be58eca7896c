"""The client of a case: sends raw bytes in steps, and reads the replies with the strict parser."""

import socket
import time

import wire

# Longest wait for any event. A proxy that needs longer, even on a loaded machine, counts as one that never answers.
PATIENCE_SECONDS = 9
HALF_CLOSE = object()
INTERIM = object()  # wait for a 1xx, or for a final response


class Slowly:
    """Sends one byte in each segment."""

    def __init__(self, data):
        self.data = data


class Answers:
    """Waits for `count` final responses."""

    def __init__(self, count):
        self.count = count


class WaitForOrigin:
    """Waits until the origin has seen `count` requests of the case."""

    def __init__(self, count):
        self.count = count


class Outcome:
    """The outcome of a case, for its predicate."""

    def __init__(self):
        self.raw = b""
        self.answers = []  # final responses up to the probe's
        self.leftover = b""
        self.interims = []  # 1xx responses that no final one followed
        self.reused = False  # whether the probe was answered on the same connection
        self.ended = None  # "eof", "reset" or None: still open at the deadline
        self.seen = []  # requests at the origin, without the probe
        self.early_interim = False  # a 1xx had arrived when the step INTERIM ended
        self.extra = {}  # notes of programs

    @property
    def first(self):
        return self.answers[0] if self.answers else None


class Client:
    def __init__(self, address, origin, case_id, case):
        self.origin, self.case_id, self.case = origin, case_id, case
        self.out = Outcome()
        self.deadline = time.monotonic() + PATIENCE_SECONDS
        self.sock = socket.create_connection(address, timeout=PATIENCE_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.methods = case.methods

    def fill(self, data):
        return data.replace(b"CASE", self.case_id)

    def send(self, data):
        try:
            self.sock.settimeout(max(0.1, self.deadline - time.monotonic()))
            self.sock.sendall(self.fill(data))
        except OSError:
            pass  # responses to earlier bytes are read anyway

    def parsed(self):
        return wire.parse_responses(self.out.raw, self.methods, self.out.ended == "eof")

    def read_until(self, enough):
        """Reads until `enough(responses, interims)`, the end of the connection, or the deadline."""
        while True:
            responses, interims, _ = self.parsed()
            if self.out.ended or enough(responses, interims) or any(r.error for r in responses):
                return
            self.sock.settimeout(max(0.01, self.deadline - time.monotonic()))
            try:
                piece = self.sock.recv(1 << 18)
            except TimeoutError:
                return
            except OSError:
                self.out.ended = "reset"
                return
            if piece:
                self.out.raw += piece
            else:
                self.out.ended = "eof"

    def answers(self, count):
        self.read_until(lambda responses, _: sum(r.complete for r in responses) >= count)

    def step(self, step):
        if isinstance(step, bytes):
            self.send(step)
        elif isinstance(step, Slowly):
            data = self.fill(step.data)
            for at in range(len(data)):
                self.send(data[at : at + 1])
        elif isinstance(step, Answers):
            self.answers(step.count)
        elif isinstance(step, WaitForOrigin):
            with self.origin.changed:
                left = max(0.01, self.deadline - time.monotonic())
                self.origin.changed.wait_for(lambda: len(self.origin.seen[self.case_id]) >= step.count, left)
        elif step is HALF_CLOSE:
            self.sock.shutdown(socket.SHUT_WR)
        elif step is INTERIM:
            self.read_until(lambda responses, interims: responses or interims)
            responses, interims, _ = self.parsed()
            self.out.early_interim = bool(interims or (responses and responses[0].interims))
        else:
            step(self)

    def run(self):
        try:
            for step in self.case.send:
                self.step(step)
            self.answers(self.case.replies)
            if self.case.probe and not self.out.ended:
                self.send(b"GET /CASE/probe HTTP/1.1\r\nHost: CASE.test\r\nConnection: close\r\n\r\n")
                self.methods = self.methods + [b"GET"]
            if self.case.probe or self.case.to_end:
                self.read_until(lambda *_: False)
        finally:
            self.sock.close()
        responses, self.out.interims, self.out.leftover = self.parsed()
        probes = [r for r in responses if b"/probe" in b"".join(r.values(b"x-target"))]
        self.out.reused = bool(probes)
        self.out.answers = [r for r in responses if r not in probes]
        return self.out
