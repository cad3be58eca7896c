"""Malformed requests (RFC 9113 8.1 to 8.3, 8.5)."""

import hpack
from h2case import MUST, SHOULD, case, check
from h2wire import DATA, END_HEADERS, END_STREAM, HEADERS, frame

NAMES = "9113 8.2.1"
PSEUDO = "9113 8.3.1"
HOP = "9113 8.2.2"
LENGTH = "9113 8.1.1"


def bad(name, section, text, make, level=MUST):
    """A head that makes the request malformed. Other requests on the connection are served."""

    @case(f"bad-{name}", section, level, text)
    def run(p):
        p.headers(1, make(p))
        p.malformed(1)
        p.healthy()


def field(name, section, text, key, value=b"1", level=MUST):
    bad(name, section, text, lambda p: p.fields((key, value)), level)


field("name-upper-case", NAMES, "A name with a capital letter.", b"X-A")
field("name-space", NAMES, "A name with a space.", b"x a")
field("name-colon", NAMES, "A name with a colon inside.", b"x:a")
field("name-empty", NAMES, "An empty name.", b"")
field("name-control", NAMES, "A name with a control character.", b"x\x01a")
field("name-nul", NAMES, "A name with NUL.", b"x\0a")
field("name-crlf", NAMES, "A name with CRLF.", b"x-a: 1\r\nx-b")
field("name-non-ascii", NAMES, "A name outside ASCII.", b"x\xc3\xa9")
field("name-del", NAMES, "A name with DEL.", b"x\x7fa")
field("name-delimiter", "9110 5.1", "A name with a delimiter.", b"x(a", level=SHOULD)
field("value-nul", NAMES, "A value with NUL.", b"x-a", b"1\x002")
field("value-cr", NAMES, "A value with CR.", b"x-a", b"1\r2")
field("value-lf", NAMES, "A value with LF.", b"x-a", b"1\n2")
field("value-crlf", NAMES, "A value with CRLF and another field.", b"x-a", b"1\r\nx-b: 2")
field("value-space-before", NAMES, "A value that begins with a space.", b"x-a", b" 1")
field("value-space-after", NAMES, "A value that ends with a space.", b"x-a", b"1 ")
field("value-tab-before", NAMES, "A value that begins with a tab.", b"x-a", b"\t1")
field("value-tab-after", NAMES, "A value that ends with a tab.", b"x-a", b"1\t")

for key, value in ((b"connection", b"x-a"), (b"connection", b"close"), (b"keep-alive", b"timeout=5"),
                   (b"proxy-connection", b"keep-alive"),
                   (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"identity"), (b"upgrade", b"h2c"),
                   (b"te", b"gzip"),
                   (b"te", b"trailers, gzip")):
    field(f"hop-{key.decode()}-{value.decode().split('=')[0].replace(', ', '-')}", HOP,
          f"`{key.decode()}: {value.decode()}`.", key, value)


@case("te-trailers", HOP, MUST, "`te: trailers` is allowed.")
def _(p):
    p.headers(1, p.fields((b"te", b"trailers")))
    p.answer(1)


# --- Pseudo-header fields --------------------------------------------------------------------------------------------


def without(name):
    return lambda p: [pair for pair in p.fields() if pair[0] != name]


bad("pseudo-unknown", "9113 8.3", "An unknown pseudo-header field.", lambda p: [(b":foo", b"1"), *p.fields()])
bad("pseudo-status", "9113 8.3", "A response's pseudo-header field.", lambda p: [(b":status", b"200"), *p.fields()])
bad("pseudo-after", "9113 8.3", "A pseudo-header field after a field.",
    lambda p: [p.fields()[0], (b"x-a", b"1"), *p.fields()[1:]])
bad("pseudo-after-authority", "9113 8.3", "The same, of `:authority`.",
    lambda p: [*p.fields()[:3], (b"x-a", b"1"), p.fields()[3]])
for key in (b":method", b":scheme", b":path"):
    bad(f"no-{key.decode()[1:]}", PSEUDO, f"No `{key.decode()}`.", without(key))
for key, value in ((b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/b"), (b":authority", b"b.test")):
    bad(f"two-{key.decode()[1:]}", "9113 8.3", f"`{key.decode()}` twice.", lambda p,
        extra=(key, value): [*p.fields(), extra])
bad("no-authority", "9112 3.2", "Neither `:authority` nor `host`: HTTP/1.1 needs one.", without(b":authority"), SHOULD)
bad("path-empty", PSEUDO, "An empty `:path`.", lambda p: p.fields(path=b""))
bad("path-word", PSEUDO, "A `:path` without its slash.", lambda p: p.fields(path=p.path()[1:]))
bad("path-asterisk", PSEUDO, "`*` with GET.", lambda p: p.fields(path=b"*"))
bad("path-absolute", PSEUDO, "A `:path` that is a URI.", lambda p: p.fields(path=b"http://a.test" + p.path()))
bad("path-space", PSEUDO, "A space in `:path`.", lambda p: p.fields(path=p.path() + b" b"))
bad("path-request", PSEUDO, "A request line in `:path`.", lambda p: p.fields(path=p.path()
    + b" HTTP/1.1\r\nx-b: 2\r\n\r\n"))
bad("path-nul", PSEUDO, "NUL in `:path`.", lambda p: p.fields(path=p.path() + b"\0"))
bad("path-del", PSEUDO, "DEL in `:path`.", lambda p: p.fields(path=p.path() + b"\x7f"), SHOULD)
bad("path-fragment", PSEUDO, "A fragment in `:path`.", lambda p: p.fields(path=p.path() + b"#x"), SHOULD)
bad("method-empty", "9110 9.1", "An empty `:method`.", lambda p: p.fields(method=b""))
bad("method-space", "9110 9.1", "A space in `:method`.", lambda p: p.fields(method=b"GET /x"))
bad("method-crlf", NAMES, "CRLF in `:method`.", lambda p: p.fields(method=b"GET\r\n"))
bad("scheme-invalid", PSEUDO, "A `:scheme` that is invalid.", lambda p: p.fields(scheme=b"ht tp"), SHOULD)
for name, value in (("empty", b""), ("userinfo", b"user@a.test"), ("path", b"a.test/x"), ("space", b"a b"),
                    ("list", b"a.test, b.test"),
                    ("query", b"a.test?x"), ("port-letters", b"a.test:8a"), ("port-twice", b"a.test:80:90"),
                    ("port-large", b"a.test:99999"),
                    ("non-ascii", b"caf\xc3\xa9.test"), ("brackets", b"[::1"), ("crlf", b"a.test\r\nx-b: 2"),
                    ("nul", b"a\0b")):
    bad(f"authority-{name}", PSEUDO, f"`:authority` of {value!r}.", lambda p, value=value: p.fields(authority=value),
        SHOULD if name in ("port-large", "empty") else MUST)
bad("host-differs", PSEUDO, "`host` that differs from `:authority`.", lambda p: p.fields((b"host", b"other.test")),
    SHOULD)
bad("host-twice", "9112 3.2", "`host` twice.", lambda p: [*p.fields()[:3], (b"host", b"a.test"), (b"host", b"b.test")])
bad("host-invalid", "9112 3.2", "`host` that is no authority.", lambda p: [*p.fields()[:3], (b"host", b"a.test/x")])


@case("host-alone", PSEUDO, MUST, "`host` will do in place of `:authority`.")
def _(p):
    p.headers(1, [*p.fields()[:3], (b"host", p.case_id + b".test")])
    p.answer(1)
    check(p.seen()[0].values(b"host") == [p.case_id + b".test"], "another Host at the origin")


@case("host-equal", PSEUDO, MUST, "`host` next to an equal `:authority` is forwarded once.")
def _(p):
    p.headers(1, p.fields((b"host", p.case_id + b".test")))
    p.answer(1)
    check(p.seen()[0].values(b"host") == [p.case_id + b".test"], "another Host at the origin")


# --- CONNECT ---------------------------------------------------------------------------------------------------------


def refuses(name, text, make, level=MUST):
    @case(f"connect-{name}", "9113 8.5", level, text)
    def run(p):
        p.headers(1, make(p), END_HEADERS)
        one = p.stream(1)
        p.wait(lambda: p.over(1) or p.goaway is not None or (one.fields and one.status >= 400), "refusal")
        check(not p.seen(), "forwarded to the origin")
        p.healthy()


refuses("path", "CONNECT with `:path` and `:scheme`.", lambda p: p.fields(method=b"CONNECT"))
refuses("no-authority", "CONNECT without `:authority`.", lambda p: [(b":method", b"CONNECT")])
refuses("tunnel", "CONNECT opens no tunnel through a gateway.",
        lambda p: [(b":method", b"CONNECT"), (b":authority", p.case_id + b".test:443")])
bad("protocol-unasked", "8441 3", "`:protocol` without the setting for it.",
    lambda p: [(b":protocol", b"websocket"), *p.fields(method=b"CONNECT")])

# --- Lengths and trailers --------------------------------------------------------------------------------------------


def length(name, text, value, *bodies, level=MUST, section=LENGTH):
    """A content-length that the DATA frames contradict. The origin never gets a complete request: all frames are sent
    at once, since one that comes later than the declared bytes is too late to hold the request back."""

    @case(f"length-{name}", section, level, text)
    def run(p):
        fields = p.fields(*((b"content-length", v) for v in (value if isinstance(value, list) else [value])),
                          method=b"POST")
        last = len(bodies) - 1
        p.send(frame(HEADERS, END_HEADERS | (0 if bodies else END_STREAM), 1, hpack.block(fields)),
               *(frame(DATA, END_STREAM if n == last else 0, 1, body) for n, body in enumerate(bodies)))
        p.malformed(1)
        p.healthy()


length("short", "Less DATA than content-length says.", b"10", b"hello")
length("long", "More DATA than content-length says.", b"3", b"hello")
length("long-later", "More in a second frame.", b"5", b"hello", b"!")
length("short-two", "Less in two frames.", b"12", b"hello", b"hello")
length("none", "A content-length and no DATA.", b"5")
length("zero-but-data", "Content-length 0, and DATA.", b"0", b"x")
length("plus", "`+5`.", b"+5", b"hello")
length("minus", "`-5`.", b"-5", b"hello")
length("word", "A word.", b"five", b"hello")
length("overflow", "2^64 + 5.", b"18446744073709551621", b"hello")
length("different", "Two lengths that differ.", [b"5", b"6"], b"hello")
length("list-different", "A list of lengths that differ.", b"5, 6", b"hello")


for name, values in (("equal", [b"5", b"5"]), ("equal-list", [b"5, 5"])):

    @case(f"length-{name}", "9110 8.6", MUST, "The same length twice: malformed, or one value is forwarded.")
    def _(p, values=values):
        p.headers(1, p.fields(*((b"content-length", v) for v in values), method=b"POST"), END_HEADERS)
        p.data(1, b"hello", END_STREAM)
        p.wait(lambda: p.over(1) or p.goaway is not None, "end of the stream")
        for request in p.seen():
            check(not request.error, f"malformed at the origin: {request.error}")
        check(p.stream(1).reset in (None, 1) and p.stream(1).status in (None, 200, 400), p.summary())


@case("length-right", LENGTH, MUST, "A content-length that is right is forwarded.")
def _(p):
    p.headers(1, p.fields((b"content-length", b"10"), method=b"POST"), END_HEADERS)
    p.data(1, b"hello")
    p.data(1, b"")
    p.data(1, b"world", END_STREAM)
    p.answer(1)
    check(p.seen()[0].body == b"helloworld" and p.seen()[0].values(b"content-length") == [b"10"],
          "another body at the origin")


def trailers(name, text, fields, flags=END_HEADERS | END_STREAM, level=MUST, section="9113 8.1"):
    @case(f"trailers-{name}", section, level, text)
    def run(p):
        p.headers(1, p.fields(method=b"POST"), END_HEADERS)
        p.data(1, b"hello")
        p.headers(1, fields, flags)
        p.malformed(1)
        p.healthy()


trailers("no-end-stream", "A second HEADERS without END_STREAM.", [(b"x-t", b"1")], END_HEADERS)
trailers("pseudo", "A pseudo-header field in trailers.", [(b":path", b"/x")], section="9113 8.1")
trailers("method", "Another one.", [(b":method", b"GET"), (b"x-t", b"1")])
trailers("upper-case", "A capital letter in trailers.", [(b"X-T", b"1")], section=NAMES)
trailers("connection", "A connection's field in trailers.", [(b"connection", b"x")], section=HOP)
trailers("crlf", "CRLF in a trailer.", [(b"x-t", b"1\r\nx-u: 2")], section=NAMES)


@case("trailers", "9113 8.1", MUST, "Trailers are accepted; the body is complete and ends once.")
def _(p):
    p.headers(1, p.fields(method=b"POST"), END_HEADERS)
    p.data(1, b"hello")
    p.headers(1, [(b"x-t", b"1")])
    p.answer(1)
    check(p.seen()[0].body == b"hello" and not p.seen()[0].values(b"x-t"), "another body at the origin")


@case("head-too-large", "9113 10.5.1", SHOULD,
      "A field section of 2 MB gets 431, or its stream or connection ends; others are served.")
def _(p):
    p.headers(1, p.fields(), END_STREAM)
    p.send(*(frame(9, 0, 1, hpack.literal(b"x-%d" % n, b"v" * 16000)) for n in range(128)), frame(9, END_HEADERS, 1))
    p.wait(lambda: p.over(1) or p.goaway is not None or p.closed, "end")
    check(p.stream(1).status in (None, 431, 400), f"status {p.stream(1).status}")
    check(not p.seen(), "forwarded to the origin")
