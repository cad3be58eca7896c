"""Where a response ends (RFC 9112 6.3), and that no client gets another's bytes (RFC 9112 9.2)."""

import threading
from collections import defaultdict

from case import (MUST, SHOULD, all_of, answer, any_of, bad_gateway, case, forwarded, get, got, got_body, noticed,
                  post, summary, that)

ENDS = "9112 6.3"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"


def response(name, section, level, text, answer, expect, *, request=None, **kwargs):
    case(f"body-{name}", section, level, text, request or get(), expect, answer=answer, **kwargs)


def head(*lines, status=b"HTTP/1.1 200 OK"):
    return b"\r\n".join([status, b"X-Origin: CASE", *lines]) + b"\r\n\r\n"


CHUNKED = head(b"Transfer-Encoding: chunked")
response("length", ENDS, MUST, "A body of a length.", answer(body=b"hello"), forwarded(got_body(b"hello"), reused=True))
response("length-0", ENDS, MUST, "A body of length 0.", answer(),
         forwarded(got_body(b""), got(b"content-length", b"0"), reused=True))
response("length-1mb", ENDS, MUST, "A body of 1 MB is forwarded completely.", answer(body=b"0123456789" * 100_000),
         forwarded(got_body(b"0123456789" * 100_000), reused=True))
response("chunked", ENDS, MUST, "A chunked body.", CHUNKED + HELLO, forwarded(got_body(b"hello"), reused=True))
response("chunked-empty", ENDS, MUST, "A chunked body without chunks.", CHUNKED + b"0\r\n\r\n",
         forwarded(got_body(b""), reused=True))
response("chunked-extension", "9112 7.1.1", MUST, "Chunks with extensions.",
         CHUNKED + b"5;a=\"b;c\"\r\nhello\r\n0;d\r\n\r\n",
         forwarded(got_body(b"hello"), reused=True))
response("chunked-trailer", "9112 7.1.2", MUST, "Trailers of a response are forwarded as trailers, or dropped.",
         CHUNKED + b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", forwarded(got_body(b"hello"), got(b"x-t"), reused=True))
response("chunked-trailer-length", "9110 6.5.1", MUST, "A trailer Content-Length does not become a header.",
         CHUNKED + b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n", any_of(noticed, forwarded(got_body(b"hello"))),
         close=True)
response("chunked-large", ENDS, MUST, "200 chunks of 1,000 bytes.",
         CHUNKED + (b"3e8\r\n" + b"y" * 1000 + b"\r\n") * 200 + b"0\r\n\r\n",
         forwarded(got_body(b"y" * 200_000), reused=True))
response("chunked-capitals", "9112 7", MUST, "`Chunked` has no case.", head(b"Transfer-Encoding: Chunked") + HELLO,
         forwarded(got_body(b"hello"), reused=True))
response("close", ENDS, MUST, "A body that ends with its connection.", head() + b"hello", forwarded(got_body(b"hello")),
         close=True)
response("close-1.0", ENDS, MUST, "The same of an HTTP/1.0 origin.", head(status=b"HTTP/1.0 200 OK") + b"hello",
         forwarded(got_body(b"hello")), close=True)
response("close-1.0-client", ENDS, MUST, "The same for an HTTP/1.0 client, without chunks.", head() + b"hello",
         forwarded(got_body(b"hello"), got(b"transfer-encoding")), close=True, request=get(version=b"HTTP/1.0"))
response("chunked-1.0-client", "9112 6.1", MUST, "An HTTP/1.0 client never gets chunks.", CHUNKED + HELLO,
         forwarded(got_body(b"hello"), got(b"transfer-encoding")), request=get(version=b"HTTP/1.0"))
response("chunked-1.0-keep-alive", "9112 6.1", MUST, "Nor does one with keep-alive.", CHUNKED + HELLO,
         forwarded(got_body(b"hello"), got(b"transfer-encoding")),
         request=get(b"/CASE/a", b"Connection: keep-alive", version=b"HTTP/1.0"))

HEAD = {"request": get(method=b"HEAD"), "methods": [b"HEAD"]}
response("head", "9110 9.3.2", MUST, "HEAD has no body, whatever its length.", head(b"Content-Length: 5"),
         forwarded(got_body(b""), reused=True), **HEAD)
response("head-length-kept", "9110 8.6", SHOULD, "HEAD keeps the length of GET.", head(b"Content-Length: 12345"),
         forwarded(got(b"content-length", b"12345")), **HEAD)
response("head-chunked", "9112 6.3", MUST, "HEAD with Transfer-Encoding has no body.", CHUNKED, forwarded(reused=True),
         **HEAD)
response("head-none", "9112 6.3", MUST, "HEAD without any length has no body.", head(), forwarded(reused=True), **HEAD)
response("head-with-body", "9112 6.3", MUST, "A body that an origin sends for HEAD reaches no client.",
         head(b"Content-Length: 5") + b"CASE!",
         forwarded(), alone=True, **HEAD)
response("204", "9112 6.3", MUST, "204 has no body.", head(status=b"HTTP/1.1 204 No Content"),
         forwarded(status=204, reused=True))
response("204-length", "9110 8.6", MUST, "204 is forwarded without Content-Length.",
         head(b"Content-Length: 0", status=b"HTTP/1.1 204 No Content"),
         any_of(bad_gateway, forwarded(got(b"content-length"), status=204)))
response("204-chunked", "9112 6.1", MUST, "204 is forwarded without Transfer-Encoding.",
         head(b"Transfer-Encoding: chunked", status=b"HTTP/1.1 204 No Content"),
         any_of(bad_gateway, forwarded(got(b"transfer-encoding"), status=204)), alone=True, close=True)
response("304", "9112 6.3", MUST, "304 has no body, whatever its length.",
         head(b"Content-Length: 5", b"ETag: \"a\"", status=b"HTTP/1.1 304 Not Modified"),
         forwarded(status=304, reused=True))
response("304-with-body", "9112 6.3", MUST, "A body that an origin sends with 304 reaches no client.",
         head(b"Content-Length: 5", status=b"HTTP/1.1 304 Not Modified") + b"CASE!", forwarded(status=304), alone=True)


def bad(name, text, *lines, body=b"hello", section=ENDS, status=b"HTTP/1.1 200 OK", level=MUST):
    response(name, section, level, text, head(*lines, status=status) + body, bad_gateway, close=True, alone=True)


def one_length(o):
    return forwarded(got_body(b"hello"), that("not one length",
                                              lambda o: o.first.values(b"content-length") in ([b"5"], [])))(o)


bad("length-different", "Two different lengths are a 502.", b"Content-Length: 5", b"Content-Length: 6")
bad("length-list", "A list of different lengths is a 502.", b"Content-Length: 5, 6")
bad("length-plus", "`+5` is no length: a 502.", b"Content-Length: +5")
bad("length-word", "A word is no length: a 502.", b"Content-Length: five")
bad("length-minus", "`-5` is no length: a 502.", b"Content-Length: -5")
bad("length-overflow", "A length of 2^64 + 5 is a 502.", b"Content-Length: 18446744073709551621")
for name, lines in (("equal", [b"Content-Length: 5"] * 2), ("equal-list", [b"Content-Length: 5, 5"])):
    response(f"length-{name}", "9110 8.6", MUST, "The same length twice: a 502, or one value is forwarded.",
             head(*lines) + b"hello",
             any_of(bad_gateway, one_length), close=True, alone=True)
response("coding-and-length", "9112 6.3", MUST, "Both framings: a 502, or the coding wins and no length is forwarded.",
         head(b"Content-Length: 3", b"Transfer-Encoding: chunked") + HELLO,
         any_of(bad_gateway, forwarded(got_body(b"hello"), that("length passed on",
             lambda o: o.first.values(b"content-length") in ([], [b"5"])))),
         close=True, alone=True)
response("coding-unknown", "9112 6.1", MUST, "`gzip, chunked` never becomes `chunked`.",
         head(b"Transfer-Encoding: gzip, chunked") + HELLO,
         lambda o: None if bad_gateway(o) is None or (o.first and b"gzip" in o.first.elements(b"transfer-encoding"))
         else f"gzip was lost ({summary(o)})",
         close=True, alone=True)
response("coding-twice", "9112 6.1", MUST, "`chunked, chunked` of an origin is a 502, or noticed.",
         head(b"Transfer-Encoding: chunked, chunked") + HELLO,
         any_of(bad_gateway, noticed), close=True, alone=True)

CUT = "9112 8"
response("length-short", CUT, MUST, "A body shorter than its length: the client can tell.",
         head(b"Content-Length: 10") + b"hello", noticed, close=True)
response("length-short-1.0", CUT, SHOULD, "Also a client of HTTP/1.0.", head(b"Content-Length: 10") + b"hello", noticed,
         close=True,
         request=get(version=b"HTTP/1.0"))
response("chunked-cut", CUT, MUST, "Chunks without the last one: the client can tell.", CHUNKED + b"5\r\nhello\r\n",
         noticed, close=True)
response("chunked-cut-inside", CUT, MUST, "A chunk that ends early: the client can tell.", CHUNKED + b"a\r\nhello",
         noticed, close=True)
response("chunked-bad-size", "9112 7.1", MUST, "A chunk size that is invalid: the client can tell.",
         CHUNKED + b"5\r\nhello\r\nxyz\r\nhello\r\n0\r\n\r\n", noticed, close=True)
response("chunked-no-crlf", "9112 7.1", MUST, "A chunk longer than its size: the client can tell.",
         CHUNKED + b"5\r\nhello!!\r\n0\r\n\r\n", noticed, close=True)
response("chunked-overflow", "9112 7.1", MUST, "A chunk size of 2^64 + 5: the client can tell.",
         CHUNKED + b"10000000000000005\r\nhello\r\n0\r\n\r\n", noticed, close=True)
response("reset", CUT, MUST, "A reset within a body: the client can tell.",
         lambda io, request, case_id: io.send(head(b"Content-Length: 10").replace(b"CASE", case_id) + b"hello")
         or io.reset(), noticed)

# --- No client gets another's bytes ----------------------------------------------------------------------------------

OWN = "9112 9.2"
POISON = b"HTTP/1.1 200 OK\r\nX-Origin: CASE\r\nX-Poison: 1\r\nContent-Length: 6\r\n\r\npoison"


def clean(o):
    """The response is right, and no part of the poison follows it; the runner sends requests from other clients as well."""
    if o.raw.count(b"X-Poison") or b"x-poison" in o.raw.lower():
        return "the extra response reached the client"
    return None


response("extra-response", OWN, MUST, "A second response that was not requested reaches no client.",
         answer(body=b"hello") + POISON,
         all_of(clean, forwarded(got_body(b"hello"))), alone=True)
response("extra-bytes", OWN, MUST, "Bytes after a response reach no client.", answer(body=b"hello") + b"CASE" * 10,
         all_of(clean, forwarded(got_body(b"hello"))),
         alone=True)
response("extra-after-chunks", OWN, MUST, "A response after the last chunk reaches no client.", CHUNKED + HELLO + POISON,
         all_of(clean, forwarded(got_body(b"hello"))), alone=True)
response("extra-after-204", OWN, MUST, "A response after a 204 reaches no client.",
         head(status=b"HTTP/1.1 204 No Content") + POISON,
         all_of(clean, forwarded(status=204)), alone=True)
response("extra-after-head", OWN, MUST, "A response after that of HEAD reaches no client.",
         head(b"Content-Length: 5") + POISON,
         all_of(clean, forwarded()), alone=True, **HEAD)


TAKEN, SPOKEN = defaultdict(threading.Event), defaultdict(threading.Event)


def late(io, request, case_id):
    """Waits until the response was read, and then sends on the idle connection."""
    io.send(answer(case=case_id, body=b"hello"))
    if TAKEN[case_id].wait(5):
        io.send(POISON.replace(b"CASE", case_id))
    SPOKEN[case_id].set()
    return True


def takes(c):
    """Takes its answer, and waits until the origin has spoken again."""
    c.answers(1)
    TAKEN[c.case_id].set()
    SPOKEN[c.case_id].wait(5)


response("extra-late", OWN, MUST, "A response on an idle connection reaches no client.", late,
         all_of(clean, forwarded(got_body(b"hello"))), request=[get(), takes], alone=True, probe=False, to_end=False)


def abandons(c):
    """A client that leaves in the middle of a body."""
    c.read_until(lambda responses, _: responses)
    c.sock.close()
    c.out.ended = "eof"


response("client-leaves", OWN, MUST, "The rest of an answer whose client has gone reaches no client.",
         answer(body=b"z" * 3_000_000),
         lambda o: None, request=[get(), abandons], replies=0, probe=False, to_end=False, alone=True)
response("early-then-rest", OWN, MUST, "A body cut off by its client does not dirty the origin's connection.", None,
         lambda o: None, request=[post(b"Content-Length: 50", body=b"hello"),
                                  lambda c: c.sock.close() or setattr(c.out, "ended", "eof")],
         replies=0, probe=False, to_end=False, alone=True)
response("origin-close-honoured", "9112 9.6", MUST,
         "A connection that its origin closes after the answer is not used again.",
         lambda io, request, case_id: io.send(answer(b"200 OK", b"Connection: close", case=case_id)) or io.gone()
         or False,
         forwarded(reused=True), alone=True)
