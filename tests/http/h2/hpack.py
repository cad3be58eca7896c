"""HPACK (RFC 7541): a decoder for the proxy's output, and an encoder for valid and invalid input."""

from h2wire import integer, string

STATIC = [(name.encode(), value.encode()) for name, _, value in (line.partition("=") for line in """\
:authority\n:method=GET\n:method=POST\n:path=/\n:path=/index.html\n:scheme=http\n:scheme=https\n:status=200\n:status=204
:status=206\n:status=304\n:status=400\n:status=404\n:status=500\naccept-charset\naccept-encoding=gzip, deflate
accept-language\naccept-ranges\naccept\naccess-control-allow-origin\nage\nallow\nauthorization\ncache-control
content-disposition\ncontent-encoding\ncontent-language\ncontent-length\ncontent-location\ncontent-range\ncontent-type
cookie\ndate\netag\nexpect\nexpires\nfrom\nhost\nif-match\nif-modified-since\nif-none-match\nif-range
if-unmodified-since\nlast-modified\nlink\nlocation\nmax-forwards\nproxy-authenticate\nproxy-authorization\nrange
referer\nrefresh\nretry-after\nserver\nset-cookie\nstrict-transport-security\ntransfer-encoding\nuser-agent\nvary\nvia
www-authenticate""".split("\n"))]

# Bits of each octet's code (RFC 7541 B). The code is canonical: within a length it counts upwards with the octet,
# so the lengths define it completely. EOS has 30 ones.
_LENGTHS = [13, 23] + [28] * 7 + [24, 30, 28, 28, 30] + [28] * 8 + [30] + [28] * 9 + [
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13,
    6] + [7] * 22 + [
    8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15,
        11, 14, 13,
    28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23,
        22, 23, 23,
    24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22,
        23, 22, 22,
    23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26,
        28, 27, 27,
    27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
        27, 27, 27,
    26]


def _codes():
    codes, code, last = {}, -1, 0
    for bits, octet in sorted((bits, octet) for octet, bits in enumerate(_LENGTHS)):
        code = (code + 1) << (bits - last) if last else 0
        last = bits
        codes[octet] = (code, bits)
    return codes


_CODES = _codes()
_OCTETS = {pair: octet for octet, pair in _CODES.items()}
EOS = "1" * 30


def huffman_bits(data):
    return "".join(format(_CODES[octet][0], f"0{_CODES[octet][1]}b") for octet in data)


def huffman(data, extra=""):
    """The code of `data`, then bits that a case adds, padded with ones."""
    bits = huffman_bits(data) + extra
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big") if bits else b""


def unhuffman(data):
    out, code, bits = bytearray(), 0, 0
    for octet in data:
        for shift in range(7, -1, -1):
            code, bits = code << 1 | octet >> shift & 1, bits + 1
            if (code, bits) in _OCTETS:
                out.append(_OCTETS[code, bits])
                code = bits = 0
    if bits > 7 or code != (1 << bits) - 1:
        raise ValueError("Huffman padding")
    return bytes(out)


def literal(name, value, flags=0x00):
    """A literal field with a literal name. Flags: 0x00 not indexed, 0x10 never indexed, 0x40 indexed."""
    return bytes([flags]) + string(name) + string(value)


def huffman_literal(name, value):
    return b"\0" + integer(len(huffman(name)), 7, 0x80) + huffman(name) + integer(len(huffman(value)), 7,
        0x80) + huffman(value)


def indexed(index):
    return integer(index, 7, 0x80)


def resize(size):
    return integer(size, 5, 0x20)


def block(fields):
    return b"".join(literal(name, value) for name, value in fields)


class Decoder:
    def __init__(self):
        self.table, self.size = [], 4096

    def entry(self, index):
        if 1 <= index <= len(STATIC):
            return STATIC[index - 1]
        return self.table[index - len(STATIC) - 1]

    def decode(self, data):
        self.data, self.at, fields = data, 0, []
        while self.at < len(data):
            first = data[self.at]
            if first & 0x80:
                fields.append(self.entry(self.integer(7)))
            elif first & 0xE0 == 0x20:
                self.size = self.integer(5)
                self.evict()
            else:
                index = self.integer(6 if first & 0x40 else 4)
                name = self.entry(index)[0] if index else self.string()
                field = (name, self.string())
                fields.append(field)
                if first & 0x40:
                    self.table.insert(0, field)
                    self.evict()
        return fields

    def evict(self):
        while sum(len(name) + len(value) + 32 for name, value in self.table) > self.size:
            self.table.pop()

    def integer(self, prefix):
        value = self.data[self.at] & (1 << prefix) - 1
        self.at += 1
        if value == (1 << prefix) - 1:
            shift = 0
            while True:
                octet = self.data[self.at]
                self.at += 1
                value += (octet & 127) << shift
                shift += 7
                if octet < 128:
                    break
        return value

    def string(self):
        coded = self.data[self.at] & 0x80
        length = self.integer(7)
        data = self.data[self.at : self.at + length]
        self.at += length
        return unhuffman(data) if coded else data
