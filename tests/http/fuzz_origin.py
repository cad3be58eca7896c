"""The fuzzer's origin: accepts exactly HTTP/1.1 as RFC 9112 defines it.

Each case has its own client address and a token wherever one can be, so that `x-forwarded-for`, which the proxy sets,
and the tokens show whose bytes a request consists of.
"""

import asyncio
import collections
import random
import re
import zlib

LARGEST_HEAD = 1 << 20
FORWARDED_FOR = re.compile(rb"(?i)\nx-forwarded-for: *([0-9.]+)\r")
TOKEN = re.compile(rb"zq([0-9a-f]{8})x([0-9a-f]{8})")
REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ (?:/[\x21\x22\x24-\x7e]*|\*) HTTP/1\.1")
# Such characters within a line do not end it: they are another kind of error.
ANY_TARGET = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ /[^\x00-\x20\x7f]* HTTP/1\.1")
ANY_VALUE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00\r\n]*")
FIELD = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*")
HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
CHUNK = re.compile(rb"[0-9A-Fa-f]{1,16}\r\n")


def address(number):
    """The client address of a case, from 127.1.0.0 up."""
    number %= 253 << 16
    return f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def number(ip):
    """The case whose address it is; None for any other client."""
    first, second, third, fourth = (int(part) for part in (ip or "0.0.0.0").split("."))
    return (second - 1 << 16) + (third << 8) + fourth if first == 127 and second else None


def token(ip):
    """A token that no other case can have after a changed byte: its second half is a checksum of the first."""
    number = b"%02x%02x%02x%02x" % tuple(int(part) for part in ip.split("."))
    return b"zq%sx%08x" % (number, zlib.crc32(number))


def tokens(data):
    """The addresses of the cases whose tokens are in the data."""
    for number, check in TOKEN.findall(data):
        if b"%08x" % zlib.crc32(number) == check:
            yield ".".join(str(part) for part in bytes.fromhex(number.decode()))


class Malformed(Exception):
    """Bytes that are no request; the message is the kind of the fault."""


class Request:
    """A head that keeps to the grammar, with its framing: `length` is None if the body is chunked."""

    def __init__(self, head):
        line, *fields = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        if not REQUEST_LINE.fullmatch(line):
            raise Malformed("target with bytes that no URI has" if ANY_TARGET.fullmatch(line) else "request line")
        self.method, self.target = line.split(b" ")[:2]
        self.fields = []
        for field in fields:
            found = FIELD.fullmatch(field)
            if not found:
                raise Malformed("control character in a value" if ANY_VALUE.fullmatch(field) else "header line")
            self.fields.append((found[1].lower(), found[2]))
        hosts, lengths, codings = (self.values(name) for name in (b"host", b"content-length", b"transfer-encoding"))
        if len(hosts) != 1 or not HOST.fullmatch(hosts[0]):
            raise Malformed("host: none, several, or no authority")
        if len(lengths) > 1 or (lengths and not re.fullmatch(rb"[0-9]{1,18}", lengths[0])):
            raise Malformed("content-length: several, or no number")
        if codings and (lengths or len(codings) > 1 or codings[0].lower() != b"chunked"):
            raise Malformed("transfer-encoding: with a length, or not `chunked`")
        self.length = None if codings else int(lengths[0]) if lengths else 0
        self.forwarded_for = self.values(b"x-forwarded-for")

    def values(self, name):
        return [value for field, value in self.fields if field == name]


async def head_of(reader):
    """The next head; None at a clean end. Raises `IncompleteReadError` if it is cut."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as cut:
        if not cut.partial:
            return None
        raise
    except asyncio.LimitOverrunError:
        raise Malformed("head without an end") from None


async def body_of(reader, request):
    """Reads the body to its end, and returns it decoded. Trailers are in it, so that their tokens are seen."""
    if request.length is not None:
        return await reader.readexactly(request.length)
    body = b""
    while True:
        line = await reader.readuntil(b"\n")
        if not CHUNK.fullmatch(line):
            raise Malformed("chunk size")
        size = int(line, 16)
        if size == 0:
            break
        data = await reader.readexactly(size + 2)
        if not data.endswith(b"\r\n"):
            raise Malformed("end of a chunk")
        body += data[:-2]
    while (line := await reader.readuntil(b"\n")) != b"\r\n":
        if not line.endswith(b"\r\n") or not FIELD.fullmatch(line[:-2]):
            raise Malformed("trailer line")
        body += line
    return body


async def count(data):
    """The number of complete requests in a client's bytes, and whether they contain nothing else."""
    reader, number = asyncio.StreamReader(limit=LARGEST_HEAD), 0
    reader.feed_data(data)
    reader.feed_eof()
    try:
        while (head := await head_of(reader)) is not None:
            await body_of(reader, Request(head))
            number += 1
    except (Malformed, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return number, False
    return number, True


class Origin:
    """Answers each request with the address of its client, and records violations."""

    def __init__(self, report):
        # Called with the kind of a violation, the client's address or None, and the bytes.
        self.report = report
        self.requests, self.seen, self.cut = 0, collections.Counter(), 0
        self.open = {}

    async def start(self):
        self.server = await asyncio.start_server(self.connection, "127.0.0.1", 0, limit=LARGEST_HEAD)
        return self.server.sockets[0].getsockname()[1]

    async def connection(self, reader, writer):
        self.open[asyncio.current_task()] = writer
        head = b""
        try:
            while (head := await head_of(reader)) is not None:
                if not await self.answer(reader, writer, head):
                    break
        except Malformed as fault:
            self.report(f"origin got a malformed request: {fault}", self.client(head), head or b"?")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            self.cut += 1  # The client or the proxy gave up halfway: that is allowed.
        finally:
            del self.open[asyncio.current_task()]
            writer.close()

    async def close(self):
        self.server.close()
        for writer in self.open.values():
            writer.transport.abort()
        if self.open:
            await asyncio.wait(list(self.open), timeout=5)

    def client(self, head):
        """Whose request it is, by the proxy's header, or otherwise by its tokens."""
        found = FORWARDED_FOR.search(head)
        return found[1].decode() if found else next(tokens(head), None)

    async def answer(self, reader, writer, head):
        request = Request(head)
        self.requests += 1
        if len(request.forwarded_for) != 1:
            self.report("origin got a request that the proxy did not make", self.client(head), head)
            return False
        ip = request.forwarded_for[0].decode("latin-1")
        self.seen[ip] += 1
        # The same for the same case, so that a run can be repeated.
        choice = random.Random(ip).randrange(16)
        early = choice == 0
        if early:
            self.write(writer, request, ip, choice)
        try:
            body = await body_of(reader, request)
        except Malformed as fault:
            raise Malformed(f"{fault} in a body") from None
        for other in set(tokens(head + body)) - {ip}:
            self.report("origin got bytes of another client", ip, head + body)
            self.report("origin got bytes of another client", other, head + body)
        if not early:
            self.write(writer, request, ip, choice)
        await writer.drain()
        return choice != 1

    def write(self, writer, request, ip, choice):
        body = f"ip={ip};".encode()
        close = b"Connection: close\r\n" if choice == 1 else b""
        if choice == 2:
            framing, body = b"Transfer-Encoding: chunked\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        else:
            framing = b"Content-Length: %d\r\n" % len(body)
        writer.write(b"HTTP/1.1 200 OK\r\n" + framing + close + b"\r\n" + (b"" if request.method == b"HEAD" else body))
