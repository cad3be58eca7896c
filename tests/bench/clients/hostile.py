#!/usr/bin/env python3
"""One process with all hostile clients of a kind; started by clients.py.

    hostile.py KIND PORT COUNT LONGEST SOURCES

Writes a line of JSON each half second, and a last one with the durations of the connections and the server's signals.
Ends when all connections are gone, or LONGEST seconds after the last of them was opened.
"""

import collections
import errno
import json
import os
import resource
import select
import socket
import ssl
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(os.path.dirname(HERE)), "http"))

import kinds  # noqa: E402

SAMPLE_SECONDS = 0.5
# Connections that are being opened at the same time: fewer than the backlog of a listener (nginx: 511).
OPENING = 200
# A connection that is not ready by then makes room for the next, and stays open.
OPENING_SECONDS = 5
LARGEST_READ = 1 << 18


class Connection:
    """A client and its socket. `lasted` is set when the server has closed it."""

    def __init__(self, client, source, port, tls):
        self.client, self.tls, self.since = client, tls, time.monotonic()
        self.state, self.lasted, self.end, self.pending = "connecting", None, None, bytearray()
        self.draining, self.was_held = False, False
        self.socket = socket.socket()
        self.socket.setblocking(False)
        if client.receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, client.receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: ports are then unique by peer only.
        self.socket.bind((source, 0))
        self.failed = self.socket.connect_ex(("127.0.0.1", port)) not in (0, errno.EINPROGRESS)

    def interest(self):
        """The events that epoll watches."""
        events = select.EPOLLRDHUP
        if self.state == "connecting" or self.pending:
            events |= select.EPOLLOUT
        if self.state == "handshake" or self.client.reads == kinds.READ_ALL or self.draining:
            events |= select.EPOLLIN
        return events

    def opening(self):
        return self.lasted is None and (self.state != "open" or not self.client.ready)


class Crowd:
    """All connections, and one epoll for them."""

    def __init__(self, kind, port, count, sources):
        self.kind, self.port, self.left, self.sources = kind, port, count, sources
        self.epoll, self.connections, self.by_descriptor = select.epoll(), [], {}
        self.opening, self.count = collections.deque(), count
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.context.set_alpn_protocols(["h2"])

    def open_some(self):
        now = time.monotonic()
        self.opening = collections.deque(
            one for one in self.opening if one.opening() and now - one.since < OPENING_SECONDS)
        while self.left and len(self.opening) < OPENING:
            self.left -= 1
            number = self.count - self.left
            source = f"127.1.{number % self.sources}.1"
            one = Connection(self.kind(), source, self.port, self.context if self.kind.handshake else None)
            self.connections.append(one)
            self.by_descriptor[one.socket.fileno()] = one
            self.epoll.register(one.socket, one.interest())
            if one.failed:
                self.gone(one, "not connected")
            else:
                self.opening.append(one)

    def turn(self, seconds):
        for descriptor, events in self.epoll.poll(seconds):
            one = self.by_descriptor.get(descriptor)
            if one:
                self.handle(one, events)

    def handle(self, one, events):
        try:
            if one.state == "connecting":
                problem = one.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if problem:
                    raise OSError(problem, os.strerror(problem))
                self.connected(one)
            if one.state == "handshake":
                self.shake(one)
            if one.state == "open":
                self.exchange(one, events)
        except ConnectionResetError:
            self.gone(one, "RST")
        except BrokenPipeError:
            self.gone(one, "close")
        except ssl.SSLError as problem:
            self.gone(one, "close" if isinstance(problem, ssl.SSLEOFError) else f"TLS {problem.reason}")
        except OSError as problem:
            self.gone(one, "not connected" if one.state == "connecting" else errno.errorcode.get(problem.errno, "?"))
        if one.socket.fileno() >= 0:
            self.epoll.modify(one.socket, one.interest())

    def connected(self, one):
        one.since = time.monotonic()
        if one.tls:
            one.state = "handshake"
            one.socket = one.tls.wrap_socket(one.socket, do_handshake_on_connect=False, server_hostname=kinds.AUTHORITY)
        else:
            self.opened(one)

    def shake(self, one):
        try:
            one.socket.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        self.opened(one)

    def opened(self, one):
        one.state = "open"
        one.pending += one.client.begin()
        self.flush(one)

    def flush(self, one):
        if one.pending:
            try:
                sent = one.socket.send(one.pending)
                del one.pending[:sent]
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                pass

    def exchange(self, one, events):
        if events & select.EPOLLOUT:
            self.flush(one)
        reading = one.draining or one.client.reads == kinds.READ_ALL
        if reading and events & (select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR):
            self.read(one, LARGEST_READ)
        elif events & (select.EPOLLHUP | select.EPOLLERR):
            # No more bytes will arrive, and received ones can still be read.
            self.drain(one)
        elif events & select.EPOLLRDHUP:
            self.drain(one)

    def read(self, one, most):
        try:
            data = one.socket.recv(most)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        if not data:
            self.gone(one, "close")
            return
        one.pending += one.client.received(data)
        if one.client.ended and one.lasted is None:
            one.lasted, one.end = time.monotonic() - one.since, "streams ended"
        if not one.draining:
            self.flush(one)

    def drain(self, one):
        """The server has closed the connection: everything that it sent can be read now."""
        if one.lasted is None:
            one.lasted = time.monotonic() - one.since
        one.draining = True

    def gone(self, one, end):
        if one.lasted is None:
            one.lasted = time.monotonic() - one.since
        one.end = end
        descriptor = one.socket.fileno()
        self.epoll.unregister(descriptor)
        del self.by_descriptor[descriptor]
        one.socket.close()

    def each_second(self):
        for one in list(self.by_descriptor.values()):
            if one.state != "open" or one.draining:
                continue
            if isinstance(one.client.reads, int):
                try:
                    self.read(one, one.client.reads)
                except OSError:
                    self.gone(one, "RST")
                    continue
            if one.lasted is None:
                one.pending += one.client.each_second()
                if one.pending:
                    self.handle(one, select.EPOLLOUT)

    def look_for_orphans(self):
        """A client that does not read can't see the server's FIN behind the data. The kernel's table shows whether a process
        still holds the server's end: it has an inode then."""
        watched = [one for one in self.by_descriptor.values()
                   if one.state == "open" and one.client.reads != kinds.READ_ALL and not one.draining]
        if not watched:
            return
        held, local = set(), f":{self.port:04X}"
        with open("/proc/net/tcp") as table:
            for line in table:
                fields = line.split()
                if fields[1].endswith(local) and fields[9] != "0":
                    held.add(fields[2])
        for one in watched:
            address, port = one.socket.getsockname()
            name = f"{int.from_bytes(socket.inet_aton(address), 'little'):08X}:{port:04X}"
            if name in held:
                one.was_held = True
            elif one.was_held:
                self.drain(one)
                self.epoll.modify(one.socket, one.interest())

    def sample(self):
        connected = [one for one in self.connections if one.lasted is None and one.state != "connecting"]
        return {"t": time.monotonic(), "tried": len(self.connections), "connected": len(connected),
                "ready": sum(one.state == "open" and one.client.ready for one in connected),
                "streams": sum(one.client.open_streams() for one in connected)}

    def over(self):
        return not self.left and all(one.lasted is not None for one in self.connections) \
            and not any(one.draining for one in self.by_descriptor.values())

    def summary(self):
        lasted = sorted(one.lasted for one in self.connections if one.lasted is not None and one.state != "connecting")
        signals = collections.Counter()
        for one in self.connections:
            end = one.end or ("closed unread" if one.draining else "still connected")
            signals[", ".join([*one.client.signals, end])] += 1
        half = (len(self.connections) + 1) // 2
        return {
            "last": True, "tried": len(self.connections), "signals": dict(signals.most_common()),
            "still": sum(one.lasted is None for one in self.connections),
            "first_s": round(lasted[0], 1) if lasted else None,
            "half_s": round(lasted[half - 1], 1) if lasted and len(lasted) >= half else None,
            "all_s": round(lasted[-1], 1) if lasted and len(lasted) == len(self.connections) else None,
        }


def main():
    name, longest = sys.argv[1], float(sys.argv[4])
    port, count, sources = (int(sys.argv[at]) for at in (2, 3, 5))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    parent, begin = os.getppid(), time.monotonic()
    crowd = Crowd(kinds.KINDS[name], port, count, sources)
    next_sample, next_second = begin, begin + 1
    deadline = None
    # Ends with its parent, which would read the output.
    while (deadline is None or time.monotonic() < deadline) and os.getppid() == parent:
        crowd.open_some()
        if not crowd.left and deadline is None:
            deadline = time.monotonic() + longest
        if crowd.over() and count:
            break
        crowd.turn(0.02 if crowd.left else 0.1)
        now = time.monotonic()
        if now >= next_second:
            next_second += 1
            crowd.each_second()
        if now >= next_sample:
            next_sample += SAMPLE_SECONDS
            crowd.look_for_orphans()
            print(json.dumps(crowd.sample()), flush=True)
    print(json.dumps({**crowd.sample(), **crowd.summary()}), flush=True)


if __name__ == "__main__":
    main()
