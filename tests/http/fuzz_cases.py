"""Cases of the fuzzer: valid and nearly valid requests and handshakes, and mutations of them.

A case is the bytes that one connection sends. `@T@` stands for its token, see fuzz_origin.py.
"""

import random
import re

import h2client
import h2wire as h2

HTTP1 = [line.encode("latin-1") for line in [
    "GET /@T@ HTTP/1.1\r\nHost: shop.test\r\nX-Token: @T@\r\n\r\n",
    "GET /a/../@T@?q=@T@&r=%20%00 HTTP/1.1\r\nHost: shop.test:80\r\nCookie: a=@T@\r\nCookie: b=2\r\n\r\n",
    "HEAD /@T@ HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: shop.test\r\nX-Token: @T@\r\nMax-Forwards: 0\r\n\r\n",
    "TRACE /@T@ HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "GET /@T@ HTTP/1.0\r\nHost: shop.test\r\nConnection: keep-alive\r\n\r\n",
    "GET /@T@ HTTP/1.0\r\n\r\n",
    "GET http://shop.test/@T@ HTTP/1.1\r\nHost: other.test\r\n\r\n",
    "GET /@T@ HTTP/1.1\r\nHost: shop.test\r\nConnection: close, x-token\r\nX-Token: @T@\r\n\r\n",
    "GET /@T@ HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n@T@",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 42\r\n\r\n@T@@T@++++",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 0\r\n\r\n",
    "PUT /@T@ HTTP/1.1\r\nHost: shop.test\r\nExpect: 100-continue\r\nContent-Length: 19\r\n\r\n@T@",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n13\r\n@T@\r\n5\r\nabcde\r\n0\r\n\r\n",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\nTrailer: x-end\r\n\r\n"
    "13;name=\"value\"\r\n@T@\r\n000\r\nX-End: @T@\r\n\r\n",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET /@T@ HTTP/1.1\r\nHost: shop.test\r\n\r\nGET /2@T@ HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\n\r\nabcdeGET /2@T@ HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
    "GET /2@T@ HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    # Nearly valid.
    "\r\n\r\nGET /@T@ HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "GET /@T@ HTTP/1.1\nHost: shop.test\n\n",
    "GET  /@T@  HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "GET /@T@ HTTP/1.1\r\nHost : shop.test\r\nX-Token: @T@\r\n folded\r\n\r\n",
    "GET /@T@ HTTP/1.1\r\nHost: shop.test\r\nHost: other.test\r\n\r\n",
    "GET /@T@ HTTP/1.1\r\nHost: shop.test/@T@\r\n\r\n",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5, 5\r\n\r\nabcde",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nContent-Length: +5\r\n\r\nabcde",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 0x5\r\n\r\nabcde",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\nContent-Length: 36\r\n\r\n"
    "0\r\n\r\nGET /2@T@ HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: xchunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"
    "5\r\nabcde\r\n0\r\n\r\n",
    "POST /@T@ HTTP/1.0\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nabcde\r\n5;\0x\r\nabcde\r\n0\r\n\r\n",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5\nabcde\n0\n\n",
    "POST /@T@ HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff5\r\nabcde\r\n0\r\n\r\n",
    "GET /@T@ HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-Proto: https\r\nForwarded: for=192.0.2.1\r\n\r\n",
    # Headers of the PROXY protocol where none is expected.
    "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET /@T@ HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\xdc\4\1\xbbGET /@T@ HTTP/1.1\r\nHost: shop.test\r\n\r\n",
]]

BYTES = [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"\x0b", b"\x7f", b"\xff", b"\xc3\xa9", b"0", b"-",
         b"#", b"@", b"\r\n\r\n", b"0\r\n\r\n", b"chunked", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
         b"Host: a\r\n", b"Connection: content-length\r\n", b"Expect: 100-continue\r\n", b"A" * 300, b"A: b\r\n" * 300,
         b"A" * 70_000]
NUMBERS = [b"0", b"-1", b"00000005", b"4", b"6", b"65536", b"2147483648", b"18446744073709551616", b"1e3", b"0x10", b"5 5"]


def change_bytes(chance, data):
    """One mutation that ignores the grammar."""
    at = chance.randrange(len(data) + 1)
    match chance.randrange(6):
        case 0:
            return data[:at] + chance.choice(BYTES) + data[at:]
        case 1:
            return data[:at] + data[at + chance.randrange(1, 9):]
        case 2 if at < len(data):
            return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1:]
        case 3:
            return data[:at]
        case 4:
            return data[:at] + data[max(0, at - chance.randrange(1, 60)):]
        case _:
            numbers = list(re.finditer(rb"\d+", data))
            if not numbers:
                return data
            found = chance.choice(numbers)
            return data[:found.start()] + chance.choice(NUMBERS) + data[found.end():]


def change_lines(chance, data):
    """One change of whole lines."""
    lines = data.split(b"\r\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(5):
        case 0:
            lines.insert(other, lines[one])
        case 1:
            lines[one], lines[other] = lines[other], lines[one]
        case 2:
            del lines[one]
        case 3:
            lines[one] = chance.choice([lines[one].upper(), lines[one].lower(), lines[one].replace(b": ", b":\t", 1),
                                        lines[one].replace(b":", b" :", 1), b" " + lines[one], lines[one] + b" "])
        case _:
            return data + chance.choice(HTTP1)
    return b"\r\n".join(lines)


def http1(chance):
    data = chance.choice(HTTP1)
    for _ in range(chance.choice((0, 1, 1, 2, 3, 5))):
        data = chance.choice((change_bytes, change_lines))(chance, data) or b"\r\n"
    return data


# ---- HTTP/2 ----

PSEUDO = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/@T@"), (b":authority", b"shop.test")]
UPLOAD = [(b":method", b"POST"), *PSEUDO[1:]]
ODD_FIELDS = [
    (b"Upper", b"x"), (b"x-crlf", b"a\r\nx-injected: 1"), (b"x-nul", b"a\0b"), (b"", b"empty"), (b"x space", b"x"),
    (b"x-colon:y", b"x"), (b"x-outer", b" a "), (b"connection", b"close"), (b"te", b"gzip"),
    (b"transfer-encoding", b"chunked"), (b"content-length", b"3"),
    (b"content-length", b"5"), (b"content-length", b"5, 5"), (b"content-length", b"-1"), (b"host", b"other.test"),
    (b"host", b"a b"), (b":path", b"/two"), (b":status", b"200"), (b":path", b"/a b HTTP/1.1\r\nx: y"),
    (b":authority", b"a@b"), (b":method", b"GE T"),
    (b"cookie", b"a=@T@"), (b"cookie", b"b=2"), (b"expect", b"100-continue"), (b"x-token", b"@T@"), (b"upgrade", b"h2c"),
    (b":scheme", b"https"), (b":protocol", b"websocket"), (b":path", b"*"), (b":path", b""), (b"x-long", b"a" * 20_000),
]


def fields(chance, base):
    """A header block's fields, seldom all right."""
    found = list(base)
    for _ in range(chance.choice((0, 0, 1, 2))):
        match chance.randrange(4):
            case 0:
                found.insert(chance.randrange(len(found) + 1), chance.choice(ODD_FIELDS))
            case 1:
                found.append(chance.choice(ODD_FIELDS))
            case 2:
                found[chance.randrange(len(found))] = chance.choice(ODD_FIELDS)
            case _ if len(found) > 1:
                del found[chance.randrange(len(found))]
    return found


def block(chance, found, token):
    """HPACK: each field as a literal, with or without an entry in the dynamic table."""
    coded = b""
    for name, value in found:
        value = value.replace(b"@T@", token)
        first = chance.choice((b"\x00", b"\x10", b"\x40"))
        coded += first + h2.string(name) + h2.string(value)
    return coded


def stream(chance, number, token):
    """The frames of one request, as RFC 9113 has them but for its fields."""
    upload = chance.random() < 0.5
    head = block(chance, fields(chance, UPLOAD if upload else PSEUDO), token)
    end = 0 if upload else h2.END_STREAM
    frames = []
    if len(head) > 16_000 or chance.random() < 0.2:
        pieces = [head[at:at + 9_000] for at in range(0, len(head), 9_000)]
        frames.append(h2.frame(h2.HEADERS, end, number, pieces[0]))
        frames += [h2.frame(h2.CONTINUATION, 0, number, piece) for piece in pieces[1:]]
        frames.append(h2.frame(h2.CONTINUATION, h2.END_HEADERS, number))
    else:
        frames.append(h2.frame(h2.HEADERS, end | h2.END_HEADERS, number, head))
    if upload:
        frames += [h2.frame(h2.DATA, 0, number, token * chance.randrange(3)) for _ in range(chance.randrange(3))]
        match chance.randrange(3):
            case 0:
                frames.append(h2.frame(h2.DATA, h2.END_STREAM, number))
            case 1:
                frames.append(h2.frame(h2.DATA, h2.END_STREAM, number, token))
            case _:
                trailers = block(chance, fields(chance, [(b"x-end", b"@T@")]), token)
                frames.append(h2.frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, number, trailers))
    return frames


def odd_frame(chance):
    """Any type, flags, stream and payload."""
    payload = chance.randbytes(chance.choice((0, 1, 4, 5, 6, 8, 12, 100)))
    kind, number = chance.choice((*range(10), 12, 255)), chance.choice((0, 1, 2, 3, 5, 1 << 31))
    return h2.frame(kind, chance.randrange(256), number, payload)


def change_frames(chance, frames):
    at = chance.randrange(len(frames))
    frame = bytearray(frames[at])
    match chance.randrange(8):
        case 0:
            frames.insert(at, odd_frame(chance))
        case 1:
            frames.insert(chance.randrange(len(frames)), frames[at])
        case 2:
            del frames[at]
        case 3:
            other = chance.randrange(len(frames))
            frames[at], frames[other] = frames[other], frames[at]
        case 4 if len(frame) >= 9:  # type, flags, stream, length
            frame[chance.choice((2, 3, 4, 4, 8))] = chance.choice((0, 1, 3, 4, 5, 8, 9, 32, 255, chance.randrange(256)))
            frames[at] = bytes(frame)
        case 5 if frame:
            frame[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)
            frames[at] = bytes(frame)
        case 6:
            frames.insert(at, h2.frame(h2.RST_STREAM, 0, chance.choice((1, 3, 5)), b"\0\0\0\x08"))
        case _:
            frames.insert(at, chance.choice((
                h2.settings((h2.INITIAL_WINDOW_SIZE, chance.choice((0, 1, 65_535, (1 << 31) - 1, 1 << 31)))),
                h2.frame(h2.PING, 0, 0, b"12345678"),
                h2.frame(h2.WINDOW_UPDATE, 0, chance.choice((0, 1)), chance.choice((0, 1, (1 << 31) - 1)).to_bytes(4)),
                h2.frame(h2.SETTINGS, h2.ACK, 0), h2.frame(h2.PRIORITY, 0, 1, b"\0\0\0\x01\x10"),
                h2.frame(h2.GOAWAY, 0, 0, b"\0" * 8))))
    return frames or [odd_frame(chance)]


def http2(chance, token):
    frames = [h2.settings()]
    numbers = range(1, 1 + 2 * chance.choice((1, 1, 2, 4)), 2)
    streams = [stream(chance, number, token) for number in numbers]
    # Interleaved, each in its own order; heads with their continuations.
    while left := [one for one in streams if one]:
        one = chance.choice(left)
        frames.append(one.pop(0))
        while one and one[0][3] == h2.CONTINUATION:
            frames.append(one.pop(0))
    for _ in range(chance.choice((0, 0, 1, 2, 4))):
        frames = change_frames(chance, frames)
    return h2.PREFACE + b"".join(frames)


def requests_in_frames(data):
    """The maximum number of requests in these bytes: heads that may begin a stream."""
    return sum(kind == h2.HEADERS for kind, *_ in h2client.Frames().feed(data.removeprefix(h2.PREFACE)))


# ---- TLS ----

def counted(data, bytes_of_length):
    return len(data).to_bytes(bytes_of_length) + data


def record(chance, kind, data):
    return bytes([kind, 3, chance.choice((1, 3, 3, 4))]) + counted(data, 2)


ALPN_LISTS = [b"h2", b"http/1.1"], [b"h2"], [b"acme-tls/1"]


def client_hello(chance):
    """A ClientHello for TLS 1.2 and 1.3 (RFC 8446 4.1.2) that a server would continue."""
    extensions = [
        (0, counted(b"\0" + counted(b"shop.test", 2), 2)),  # server_name
        (10, counted(bytes.fromhex("001d0017"), 2)),  # supported_groups: x25519, P-256
        (13, counted(bytes.fromhex("040308040401050308050501"), 2)),  # signature_algorithms
        (16, counted(b"".join(counted(name, 1) for name in chance.choice(ALPN_LISTS)), 2)),
        (43, counted(chance.choice((b"\3\4\3\3", b"\3\4", b"\3\3")), 1)),  # supported_versions
        (45, b"\1\1"),  # psk_key_exchange_modes
        (51, counted(b"\0\x1d" + counted(chance.randbytes(32), 2), 2)),  # key_share
    ]
    chance.shuffle(extensions)
    coded = b"".join(kind.to_bytes(2) + counted(data, 2) for kind, data in extensions)
    ciphers = bytes.fromhex("130113021303c02bc02f")
    body = b"\3\3" + chance.randbytes(32) + counted(chance.randbytes(32), 1) + counted(ciphers, 2) + b"\1\0" + counted(coded, 2)
    return b"\1" + counted(body, 3)


def tls(chance):
    """A ClientHello, whole or in several records, and records that may follow it."""
    hello = client_hello(chance)
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        hello = change_bytes(chance, hello) or b"\1"
    hello = hello[:16_000]
    cut = chance.choice((len(hello), chance.randrange(len(hello))))
    data = b"".join(record(chance, 22, part) for part in (hello[:cut], hello[cut:]) if part)
    for _ in range(chance.randrange(3)):
        kind, length = chance.choice((20, 21, 22, 23, 24, 255)), chance.choice((0, 1, 2, 40, 16_500))
        data += record(chance, kind, chance.randbytes(length))
    return change_bytes(chance, data) or b"\x16" if chance.random() < 0.2 else data


def case(protocol, seed, number, token):
    """The bytes of a case, which depend on the seed, its number and its token alone."""
    chance = random.Random(f"{seed}/{number}")
    match protocol:
        case "http1":
            return http1(chance).replace(b"@T@", token)
        case "http2":
            return http2(chance, token)
        case "tls":
            return tls(chance)
