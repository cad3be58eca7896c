"""Frames of HTTP/2 (RFC 9113) and header blocks (RFC 7541), as far as the clients of this folder need them."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
INITIAL_WINDOW_SIZE = 4
ERRORS = ["NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
          "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
          "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"]


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def settings(**values):
    """A SETTINGS frame; the only setting these clients use is `window`."""
    payload = b""
    if "window" in values:
        payload = INITIAL_WINDOW_SIZE.to_bytes(2) + values["window"].to_bytes(4)
    return frame(SETTINGS, 0, 0, payload)


def integer(value, bits, first=0):
    """RFC 7541 5.1: an integer with a prefix of `bits` bits in a byte whose other bits are `first`."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    coded, value = bytearray([first | most]), value - most
    while value >= 128:
        coded.append(value % 128 + 128)
        value //= 128
    coded.append(value)
    return bytes(coded)


def text(value):
    """A string literal without Huffman coding."""
    value = value.encode("latin-1")
    return integer(len(value), 7) + value


def block(method, path, authority):
    """The pseudo-headers of a request, none of which enters the dynamic table."""
    first = {"GET": b"\x82", "POST": b"\x83"}[method]
    return first + b"\x86" + b"\x04" + text(path) + b"\x01" + text(authority)


def error_name(payload):
    """The error code in the last four bytes of an RST_STREAM, or in bytes 4 to 8 of a GOAWAY."""
    code = int.from_bytes(payload)
    return ERRORS[code] if code < len(ERRORS) else str(code)


class Frames:
    """Splits what a server sends into frames. The payload of DATA is dropped as it comes."""

    def __init__(self):
        self.buffer, self.skip = bytearray(), 0

    def feed(self, data):
        if self.skip:
            dropped = min(self.skip, len(data))
            self.skip -= dropped
            data = data[dropped:]
        self.buffer += data
        found = []
        while len(self.buffer) >= 9:
            length, kind = int.from_bytes(self.buffer[:3]), self.buffer[3]
            flags, stream = self.buffer[4], int.from_bytes(self.buffer[5:9]) & 0x7FFFFFFF
            if kind == DATA:
                there = min(length, len(self.buffer) - 9)
                self.skip = length - there
                del self.buffer[:9 + there]
                found.append((kind, flags, stream, b""))
                continue
            if len(self.buffer) < 9 + length:
                break
            found.append((kind, flags, stream, bytes(self.buffer[9:9 + length])))
            del self.buffer[:9 + length]
        return found
