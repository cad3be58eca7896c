"""Lengths and chunks of requests (RFC 9112 6 and 7): what decides where a request ends."""

from case import (HALF_CLOSE, MUST, SHOULD, Slowly, WaitForOrigin, any_of, case, chunked, first_wrong, forwarded, get, post,
                  refused, saw,
                  saw_body, sound, summary, that)

LENGTH = "9110 8.6"
CODING = "9112 6.1"
CHUNK = "9112 7.1"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"


def bad_length(name, value, text, section="9112 6.3"):
    """An invalid length makes the framing ambiguous: 400, and the connection closes."""
    case(f"length-{name}", section, MUST, text, post(b"Content-Length: " + value, body=b"hello"), refused(closes=True),
         alone=True)


bad_length("plus", b"+5", "`+5` is no length.")
bad_length("minus", b"-5", "`-5` is no length.")
bad_length("hex", b"0x5", "`0x5` is no length.")
bad_length("two-words", b"5 5", "`5 5` is no length.")
bad_length("fraction", b"5.0", "`5.0` is no length.")
bad_length("semicolon", b"5;", "`5;` is no length.")
bad_length("empty", b"", "An empty length is invalid.")
bad_length("word", b"five", "A word is no length.")
bad_length("non-ascii", b"\xd9\xa5", "A digit outside ASCII is no length.")
bad_length("nul", b"5\x00", "NUL after a length is no length.")
bad_length("different-list", b"5, 6", "A list of different lengths gets 400.")
case("length-overflow", "9110 8.6", MUST, "A length of 2^64 + 5 does not become 5.",
     post(b"Content-Length: 18446744073709551621", body=b"hello"), refused(400, 413, closes=True), alone=True)
case("length-30-digits", "9110 8.6", MUST, "A length of 30 digits does not wrap around.",
     post(b"Content-Length: 100000000000000000000000000005", body=b"hello"), refused(400, 413, closes=True), alone=True)
case("length-different", "9112 6.3", MUST, "Two different lengths get 400.",
     post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello"), refused(closes=True), alone=True)
for name, lines in (("equal", [b"Content-Length: 5", b"Content-Length: 5"]), ("equal-list", [b"Content-Length: 5, 5"])):
    case(f"length-{name}", LENGTH, MUST, "The same length twice: refused, or one value is forwarded.",
         post(*lines, body=b"hello"), any_of(refused(), forwarded(saw(b"content-length", b"5"), saw_body(b"hello"))),
         alone=True)
case("length-zeros", LENGTH, SHOULD, "Zeros before a length are digits.", post(b"Content-Length: 0005", body=b"hello"),
     any_of(refused(), forwarded(saw_body(b"hello"))))
case("length-0", LENGTH, MUST, "A body of length 0 is a body.", post(b"Content-Length: 0"), forwarded(saw_body(b"")))
case("length-none", "9112 6.3", MUST, "POST without length and coding has no body.", [post() + get(b"/CASE/b")],
     forwarded(that("another body", lambda o: all(r.body == b"" for r in o.seen)), count=2), replies=2)
case("length-1mb", LENGTH, MUST, "A body of 1 MB is forwarded completely.",
     post(b"Content-Length: 1000000", body=b"0123456789" * 100_000),
     forwarded(saw_body(b"0123456789" * 100_000), reused=True))
case("length-get", "9110 9.3.1", SHOULD, "A body of GET is framed, forwarded or refused, never a request.",
     get(b"/CASE/a", b"Content-Length: 30", body=b"GET /b HTTP/1.1\r\nHost: a.b\r\n\r\n"),
     any_of(refused(), forwarded(that("another body", lambda o: len(o.seen[0].body) in (0, 30)))), alone=True)
case("length-slowly", LENGTH, MUST, "A body that arrives a byte at a time is complete.",
     [post(b"Content-Length: 20"), Slowly(b"01234567890123456789")], forwarded(saw_body(b"01234567890123456789")))


def cut(o):
    """The origin must not take a partial body for the whole."""
    if any(r.complete for r in o.seen):
        return f"complete at the origin ({summary(o)})"
    if o.answers and o.first.status < 400:
        return f"answered as if complete ({summary(o)})"
    return None


case("length-short-close", "9112 8", MUST, "A body that ends early does not reach the origin as whole.",
     [post(b"Content-Length: 10", body=b"hello"), HALF_CLOSE], cut, probe=False)
case("chunked-short-close", "9112 8", MUST, "Chunks without the last one do not reach the origin as whole.",
     [chunked(b"5\r\nhello\r\n"), HALF_CLOSE], cut, probe=False)

# --- Transfer-Encoding -----------------------------------------------------------------------------------------------


def both(o):
    if refused()(o) is None:
        return None
    if wrong := first_wrong([forwarded(saw_body(b"hello"), saw(b"content-length"), reused=False)], o):
        # The proxy may turn chunks into a length.
        return None if forwarded(saw_body(b"hello"), saw(b"content-length", b"5"), reused=False)(o) is None else wrong
    return None


TE = b"Transfer-Encoding: chunked"
case("coding-and-length", CODING, MUST,
     "Both framings: refused, or the coding wins, no length is forwarded, and the connection closes.",
     post(b"Content-Length: 5", TE, body=HELLO), both, alone=True)
case("coding-and-length-after", CODING, MUST, "The same with the length after the coding.",
     post(TE, b"Content-Length: 5", body=HELLO), both, alone=True)
case("coding-and-length-smuggle", CODING, MUST, "Both framings, a request inside: the origin never sees it.",
     post(b"Content-Length: 47", TE, body=b"0\r\n\r\nGET /CASE/smuggled HTTP/1.1\r\nX-A: 1234\r\n\r\n"),
     lambda o: "smuggled" if any(b"smuggled" in r.target for r in o.seen) or o.reused or len(o.answers) > 1
     else sound(o), alone=True)


def bad_coding(name, value, text, *statuses, section=CODING, level=MUST):
    case(f"coding-{name}", section, level, text, post(b"Transfer-Encoding: " + value, body=HELLO),
         refused(*(statuses or (400, 501))), alone=True)


bad_coding("gzip-chunked-501", b"gzip, chunked", "A coding that the proxy does not know gets 501.", 501, level=SHOULD)
bad_coding("unknown", b"xchunked", "`xchunked` is not chunked.")
bad_coding("suffix", b"chunkedx", "`chunkedx` is not chunked.")
bad_coding("chunked-gzip", b"chunked, gzip", "Chunked that is not last gets 400 (or 501, for gzip).",
           section="9112 6.3")
bad_coding("chunked-gzip-closes", b"gzip", "A last coding that is not chunked: no length, 400.", section="9112 6.3")
bad_coding("twice", b"chunked, chunked", "Chunked applied twice is refused.")
bad_coding("identity", b"identity", "`identity` is no coding any more.")
bad_coding("vertical-tab", b"\x0bchunked", "A vertical tab is no white space.")
bad_coding("quoted", b'"chunked"', "A quoted coding is invalid.")
bad_coding("parameter", b"chunked;a=b", "Chunked has no parameters.", section="9112 7")
bad_coding("nul", b"chunked\0", "NUL after chunked is refused.")
bad_coding("empty", b"", "An empty coding is not chunked.", level=SHOULD)
case("coding-gzip-chunked", CODING, MUST, "`gzip, chunked` never becomes `chunked`.",
     post(b"Transfer-Encoding: gzip, chunked", body=HELLO),
     any_of(refused(400, 415, 422, 501), forwarded(that("gzip was lost",
                                                        lambda o: b"gzip"
                                                        in o.seen[0].elements(b"transfer-encoding")))),
     alone=True)
case("coding-two-lines", CODING, MUST, "`chunked` and then `identity` in a second line is refused.",
     post(TE, b"Transfer-Encoding: identity", body=HELLO), refused(400, 501), alone=True)
case("coding-chunked-twice-lines", CODING, MUST, "`chunked` in two lines is refused.", post(TE, TE, body=HELLO),
     refused(400, 501), alone=True)
case("coding-1.0", CODING, MUST, "A coding in HTTP/1.0: refused, or the connection closes.",
     post(TE, b"Connection: keep-alive", version=b"HTTP/1.0", body=HELLO),
     any_of(refused(), forwarded(reused=False)), alone=True)
case("coding-capitals", "9112 7", MUST, "Names of codings have no case.",
     post(b"Transfer-Encoding: CHUNKED", body=HELLO),
     forwarded(saw_body(b"hello")))
case("coding-nominated", "9110 7.6.1", MUST, "`Connection: content-length` does not unframe the body.",
     post(b"Connection: content-length", b"Content-Length: 5", body=b"hello"),
     any_of(refused(), forwarded(saw_body(b"hello"))), alone=True)
case("coding-te-nominated", "9110 7.6.1", MUST, "`Connection: transfer-encoding` does not unframe the body.",
     post(b"Connection: transfer-encoding", TE, body=HELLO), any_of(refused(), forwarded(saw_body(b"hello"))),
     alone=True)

# --- Chunks ----------------------------------------------------------------------------------------------------------


def good_chunks(name, data, text, body=b"hello", level=MUST, section=CHUNK):
    case(f"chunk-{name}", section, level, text, chunked(data), forwarded(saw_body(body), reused=True))


def bad_chunks(name, data, text, level=MUST, section=CHUNK, statuses=(400,)):
    """Refused; the head and earlier bytes may be at the origin, but not as a complete request."""
    case(f"chunk-{name}", section, level, text, [chunked(data)],
         refused(*statuses, partly=True, or_closed=True, closes=True), alone=True)


good_chunks("one", HELLO, "A body of one chunk is forwarded with one last chunk.")
good_chunks("several", b"1\r\nh\r\n2\r\nel\r\n2\r\nlo\r\n0\r\n\r\n", "Several chunks are one body.")
good_chunks("none", b"0\r\n\r\n", "A body without chunks is empty, with one last chunk.", b"")
good_chunks("hex-lower", b"a\r\n0123456789\r\n0\r\n\r\n", "Sizes are hexadecimal, in lower case,", b"0123456789")
good_chunks("hex-upper", b"A\r\n0123456789\r\n0\r\n\r\n", "and in upper case.", b"0123456789")
good_chunks("zeros", b"0005\r\nhello\r\n0\r\n\r\n", "A size may begin with zeros.")
good_chunks("last-zeros", b"5\r\nhello\r\n000\r\n\r\n", "The last chunk may have several zeros.")
good_chunks("crlf-inside", b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "Data may look like a last chunk.", b"\r\n0\r\n\r\n")
good_chunks("large", b"30d40\r\n" + b"x" * 200_000 + b"\r\n0\r\n\r\n", "A chunk of 200,000 bytes is forwarded.",
            b"x" * 200_000)
good_chunks("extension", b"5;a=b\r\nhello\r\n0\r\n\r\n", "An extension is ignored.", section="9112 7.1.1")
good_chunks("extension-name", b"5;a\r\nhello\r\n0;b\r\n\r\n", "An extension without value, also of the last chunk.",
            section="9112 7.1.1")
good_chunks("extension-quoted", b'5;a="b;c \\"d"\r\nhello\r\n0\r\n\r\n', "An extension with a quoted value.",
            section="9112 7.1.1")
good_chunks("extension-space", b"5 ; a = b\r\nhello\r\n0\r\n\r\n", "White space around an extension.",
            section="9112 7.1.1")
good_chunks("trailer", b"5\r\nhello\r\n0\r\nX-Checksum: 1\r\n\r\n", "A trailer field is forwarded as one, or dropped.",
            section="9112 7.1.2")
case("chunk-slowly", CHUNK, MUST, "Chunks that arrive a byte at a time are one body.",
     [chunked(b""), Slowly(b"5;a=b\r\nhello\r\n0\r\nX-A: 1\r\n\r\n")], forwarded(saw_body(b"hello"), reused=True))
case("chunk-pieces", CHUNK, MUST, "Chunks that arrive while the origin waits are one body.",
     [chunked(b"5\r\nhel"), WaitForOrigin(0), b"lo\r\n3", b"\r\nabc\r\n0\r", b"\n\r\n"], forwarded(saw_body(b"helloabc")))
for field, line in (("length", b"Content-Length: 99"), ("host", b"Host: evil.test"),
                    ("coding", b"Transfer-Encoding: gzip"),
                    ("authorization", b"Authorization: Basic YQ==")):
    name = line.split(b":")[0].lower()
    case(f"chunk-trailer-{field}", "9110 6.5.1", MUST, f"A trailer {name.decode()} does not become a header.",
         chunked(b"5\r\nhello\r\n0\r\n" + line + b"\r\n\r\n"),
         any_of(refused(partly=True, or_closed=True),
                forwarded(that("merged into the head", lambda o, n=name,
                               v=line.split(b": ")[1]: v not in o.seen[0].values(n)))),
         alone=True)

bad_chunks("size-empty", b"\r\nhello\r\n0\r\n\r\n", "An empty size is refused.")
bad_chunks("size-word", b"g\r\nhello\r\n0\r\n\r\n", "A size that is no number is refused.")
bad_chunks("size-plus", b"+5\r\nhello\r\n0\r\n\r\n", "`+5` is no size.")
bad_chunks("size-minus", b"-5\r\nhello\r\n0\r\n\r\n", "`-5` is no size.")
bad_chunks("size-0x", b"0x5\r\nhello\r\n0\r\n\r\n", "`0x5` is no size.")
bad_chunks("size-space-before", b" 5\r\nhello\r\n0\r\n\r\n", "A space before a size is refused.")
bad_chunks("size-space-after", b"5 \r\nhello\r\n0\r\n\r\n", "A space after a size is refused.", SHOULD)
bad_chunks("size-two", b"5 5\r\nhello\r\n0\r\n\r\n", "Two sizes are refused.")
bad_chunks("size-underscore", b"0_5\r\nhello\r\n0\r\n\r\n", "`0_5` is no size.")
bad_chunks("size-nul", b"5\0\r\nhello\r\n0\r\n\r\n", "NUL after a size is refused.")
bad_chunks("size-overflow", b"10000000000000005\r\nhello\r\n0\r\n\r\n", "A size of 2^64 + 5 does not become 5.",
           statuses=(400, 413))
bad_chunks("size-max", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n", "A size of 2^64 - 1 is refused.", statuses=(400, 413))
bad_chunks("size-long", b"0" * 5000 + b"5x\r\nhello\r\n0\r\n\r\n",
           "A size line of 5,000 digits that ends badly is refused.",
           statuses=(400, 413))
bad_chunks("extension-empty", b"5;\r\nhello\r\n0\r\n\r\n", "A semicolon without a name is refused.", SHOULD,
           "9112 7.1.1")
bad_chunks("extension-nul", b"5;\0x\r\nhello\r\n0\r\n\r\n", "NUL in an extension is refused.", SHOULD, "9112 7.1.1")
bad_chunks("extension-cr", b"5;a\rb\r\nhello\r\n0\r\n\r\n", "A bare CR in an extension is refused.", section="9112 2.2")
bad_chunks("extension-lf", b"5;a\nhello\r\n0\r\n\r\n", "A bare LF ends no chunk line.", section=CHUNK)
bad_chunks("extension-long", b"5;a=" + b"b" * 1_000_000 + b"\r\nhello\r\n0\r\n\r\n", "Extensions of 1 MB get a 4xx.",
           SHOULD, "9112 7.1.1",
           (400, 413, 431))
bad_chunks("line-lf", b"5\nhello\r\n0\r\n\r\n", "A size line that ends with LF alone is refused.")
bad_chunks("line-cr", b"5\rhello\r\n0\r\n\r\n", "A size line that ends with CR alone is refused.")
bad_chunks("data-long", b"5\r\nhello!\r\n0\r\n\r\n", "Data beyond its size is refused.")
bad_chunks("data-no-crlf", b"5\r\nhello0\r\n\r\n", "Data without CRLF after it is refused.")
bad_chunks("data-lf", b"5\r\nhello\n0\r\n\r\n", "Data that LF alone ends is refused.")
bad_chunks("data-two", b"5\r\nhelloXX0\r\n\r\n", "Any two bytes are no CRLF.")
bad_chunks("trailer-no-colon", b"5\r\nhello\r\n0\r\nbad trailer\r\n\r\n", "A trailer line without colon is refused.",
           SHOULD, "9112 7.1.2")
bad_chunks("trailer-space-colon", b"5\r\nhello\r\n0\r\nX-A : 1\r\n\r\n",
           "A trailer with white space before its colon is refused.", MUST, "9112 5.1")
bad_chunks("trailer-nul", b"5\r\nhello\r\n0\r\nX-A: \0\r\n\r\n", "NUL in a trailer is refused.", SHOULD, "9110 5.5")
