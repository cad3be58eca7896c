"""Strict HTTP/1.1 messages: exactly what RFC 9112 allows a sender to write.

Both ends of a case use this parser: what the proxy sends to the origin and to the client must be correct to the byte.
Problems are named in `error`. It never repairs anything.
"""

import re

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([!-~\x80-\xff]+) (HTTP/[0-9]\.[0-9])")
STATUS_LINE = re.compile(rb"(HTTP/[0-9]\.[0-9]) ([1-9][0-9]{2}) ([\t !-~\x80-\xff]*)")
FIELD_LINE = re.compile(rb"(" + TOKEN + rb"):[\t ]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[\t ]*")
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[\t ]*;[\t ]*" + TOKEN + rb"(?:=(?:" + TOKEN + rb'|"[^"\r\n]*"))?)*')

# No case expects a head or a trailer section that is longer than this.
HEAD_LIMIT = 1 << 20


class Malformed(Exception):
    """Bytes that no correct sender writes."""


class Message:
    """The common part of requests and responses."""

    def __init__(self, raw_head):
        self.raw_head = raw_head
        self.fields = []
        self.trailers = []
        self.body = b""
        self.framing = "none"  # or: length, chunked, close
        self.complete = False
        self.error = None

    def values(self, name):
        """The values of the field's lines, in order."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def elements(self, name):
        """The members of a list field, in lower case."""
        return [part.strip().lower() for value in self.values(name) for part in value.split(b",") if part.strip()]

    def names(self):
        return {key.lower() for key, _ in self.fields}


class Request(Message):
    def __init__(self, raw_head, method=b"", target=b"", version=b""):
        super().__init__(raw_head)
        self.method, self.target, self.version = method, target, version
        self.connection = 0  # the number of the origin's connection on which it arrived


class Response(Message):
    def __init__(self, raw_head, version=b"", status=0, reason=b""):
        super().__init__(raw_head)
        self.version, self.status, self.reason = version, status, reason
        self.interims = []


def fields(lines):
    """Parses field lines, without their CRLF."""
    found = []
    for line in lines:
        match = FIELD_LINE.fullmatch(line)
        if not match:
            raise Malformed(f"field line {line[:80]!r}")
        found.append((match[1], match[2]))
    return found


def head_lines(raw):
    """Splits a head that ends with an empty line; a bare CR or LF is an error."""
    lines = raw[:-4].split(b"\r\n")
    for line in lines:
        if b"\r" in line or b"\n" in line:
            raise Malformed(f"bare CR or LF in {line[:80]!r}")
    return lines


def content_length(message):
    """The one Content-Length, or None; several lines or a list are an error even if they agree."""
    values = message.values(b"content-length")
    if not values:
        return None
    if len(values) > 1 or not re.fullmatch(rb"[0-9]{1,18}", values[0]):
        raise Malformed(f"content-length {values!r}")
    return int(values[0])


def chunked_last(message):
    """Chunked must be the last coding, and be applied once."""
    codings = message.elements(b"transfer-encoding")
    if codings[-1:] != [b"chunked"] or codings.count(b"chunked") > 1:
        raise Malformed(f"transfer-encoding {message.values(b'transfer-encoding')!r}")
    message.framing = "chunked"


def parse_request_head(raw):
    lines = head_lines(raw)
    match = REQUEST_LINE.fullmatch(lines[0])
    if not match:
        raise Malformed(f"request line {lines[0][:80]!r}")
    request = Request(raw, match[1], match[2], match[3])
    request.fields = fields(lines[1:])
    length = content_length(request)
    coding = request.values(b"transfer-encoding")
    if coding and length is not None:
        raise Malformed("both Transfer-Encoding and Content-Length")
    if coding:
        chunked_last(request)
    elif length is not None:
        request.framing = "length"
    if len(request.values(b"host")) != 1 and request.version != b"HTTP/1.0":
        raise Malformed(f"host {request.values(b'host')!r}")
    return request


def parse_response_head(raw, method):
    lines = head_lines(raw)
    match = STATUS_LINE.fullmatch(lines[0])
    if not match:
        raise Malformed(f"status line {lines[0][:80]!r}")
    response = Response(raw, match[1], int(match[2]), match[3])
    response.fields = fields(lines[1:])
    length = content_length(response)
    coding = response.values(b"transfer-encoding")
    if coding and length is not None:
        raise Malformed("both Transfer-Encoding and Content-Length")
    if response.status < 200 or response.status in (204, 304) or method == b"HEAD":
        if response.status < 200 or response.status == 204:
            if coding or length is not None:
                raise Malformed(f"framing fields in a {response.status}")
    elif coding:
        chunked_last(response)
    else:
        response.framing = "close" if length is None else "length"
    return response


class Incomplete(Exception):
    """More bytes are needed."""


class Buffer:
    """Takes a message's parts from bytes that have arrived."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def until(self, mark):
        end = self.data.find(mark, self.at)
        if end < 0:
            if len(self.data) - self.at > HEAD_LIMIT:
                raise Malformed("endless head")
            raise Incomplete
        end += len(mark)
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def exactly(self, count):
        taken = self.data[self.at : self.at + count]
        if len(taken) < count:
            raise Incomplete
        self.at += count
        return taken

    def rest(self):
        return self.data[self.at :]


def read_body(message, source):
    """Reads what follows the head; `source` has `until` and `exactly`, which raise when there is no more."""
    if message.framing == "length":
        message.body = source.exactly(content_length(message))
    elif message.framing == "chunked":
        while True:
            line = source.until(b"\r\n")[:-2]
            match = CHUNK_LINE.fullmatch(line)
            if not match:
                raise Malformed(f"chunk line {line[:80]!r}")
            size = int(match[1], 16)
            if size == 0:
                break
            message.body += source.exactly(size)
            if source.exactly(2) != b"\r\n":
                raise Malformed("no CRLF after a chunk")
        lines = []
        while (line := source.until(b"\r\n")) != b"\r\n":
            lines.append(line[:-2])
        message.trailers = fields(lines)
    message.complete = True


def parse_responses(data, methods, ended):
    """The responses in `data`, of which the last may be incomplete, and the bytes that are left.

    `methods` are those of the requests, in order; `ended` says whether the connection was closed in an orderly way.
    """
    responses, interims = [], []
    buffer = Buffer(data)
    while buffer.at < len(data):
        method = methods[len(responses)] if len(responses) < len(methods) else b"GET"
        start = buffer.at
        try:
            response = parse_response_head(buffer.until(b"\r\n\r\n"), method)
        except Incomplete:
            return responses, interims, data[start:]
        except Malformed as error:
            response = Response(data[start:])
            response.error = str(error)
            responses.append(response)
            return responses, [], b""
        if response.status < 200 and response.status != 101:
            response.complete = True
            interims.append(response)
            continue
        response.interims, interims = interims, []
        responses.append(response)
        try:
            if response.framing == "close" or response.status == 101:
                response.body = buffer.rest()
                response.complete = ended
                return responses, [], b""
            read_body(response, buffer)
        except Incomplete:
            if response.framing == "length":
                response.body = buffer.rest()
            return responses, [], b""
        except Malformed as error:
            response.error = str(error)
            return responses, [], b""
    return responses, interims, b""
