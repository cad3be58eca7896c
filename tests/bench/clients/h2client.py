"""The header block of a request, and a splitter of what a server sends; frames are in tests/http/h2wire.py."""

from h2wire import DATA, string


def block(method, path, authority):
    """The pseudo-headers of a request, none of which enters the dynamic table."""
    first = {"GET": b"\x82", "POST": b"\x83"}[method]
    return first + b"\x86" + b"\x04" + string(path.encode()) + b"\x01" + string(authority.encode())


class Frames:
    """Splits what a server sends into frames. The payload of DATA is dropped on arrival."""

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
