"""Responses: status lines, fields, interim responses (RFC 9112 4, RFC 9110 6.6, 7.6 and 15.2)."""

from case import (MUST, SHOULD, all_of, answer, any_of, bad_gateway, case, forwarded, get, got, got_body, post,
                  refused, that)

STATUS = "9112 4"
HOP = "9110 7.6.1"


def response(name, section, level, text, answer, expect, *, request=None, **kwargs):
    case(f"answer-{name}", section, level, text, request or get(), expect, answer=answer, **kwargs)


def raw(line, *lines, body=b"hello"):
    """An answer whose first line is as given."""
    return b"\r\n".join([line, b"X-Origin: CASE", *lines, b"Content-Length: %d" % len(body)]) + b"\r\n\r\n" + body


def bad(name, section, level, text, answer, **kwargs):
    """An invalid response becomes a 502."""
    response(name, section, level, text, answer, bad_gateway, close=True, **kwargs)


for status in (b"200 OK", b"201 Created", b"206 Partial Content", b"301 Moved Permanently", b"404 Not Found",
               b"418 I'm a teapot",
               b"500 Internal Server Error", b"503 Service Unavailable", b"299 Odd", b"499 Odd", b"599 Odd"):
    number = int(status[:3])
    response(f"status-{number}", "9110 15", MUST, f"Status {number} is forwarded.", answer(status, body=b"hello"),
             forwarded(got_body(b"hello"), status=number, reused=True))
response("reason-empty", STATUS, MUST, "An empty reason is a reason.", raw(b"HTTP/1.1 200 "),
         forwarded(got_body(b"hello")))
response("reason-non-ascii", STATUS, SHOULD, "A reason may have bytes above 127.", raw(b"HTTP/1.1 200 caf\xc3\xa9"),
         forwarded(got_body(b"hello")))
response("version-own", "9110 7.6", MUST, "HTTP/1.0 of the origin becomes HTTP/1.1.", raw(b"HTTP/1.0 200 OK"),
         forwarded(got_body(b"hello"), that("the origin's version", lambda o: o.first.version == b"HTTP/1.1")),
         close=True)
response("version-1.0-client", "9110 7.6", SHOULD, "An HTTP/1.0 client gets the proxy's version too.",
         answer(body=b"hello"),
         forwarded(got_body(b"hello"), that("version", lambda o: o.first.version in (b"HTTP/1.1", b"HTTP/1.0"))),
         request=get(version=b"HTTP/1.0"))
response("version-1.2", "9110 2.5", SHOULD, "HTTP/1.2 of the origin is processed as 1.1, or a 502.",
         raw(b"HTTP/1.2 200 OK"),
         any_of(forwarded(got_body(b"hello"), that("version", lambda o: o.first.version == b"HTTP/1.1")), bad_gateway),
         close=True)
response("no-space-after-status", STATUS, SHOULD, "A status line without its second space: repaired, or a 502.",
         raw(b"HTTP/1.1 200"),
         any_of(forwarded(got_body(b"hello")), bad_gateway), close=True)
bad("status-4-digits", STATUS, SHOULD, "A status of four digits is invalid.", raw(b"HTTP/1.1 2000 OK"))
bad("status-2-digits", STATUS, SHOULD, "A status of two digits is invalid.", raw(b"HTTP/1.1 20 OK"))
bad("status-word", STATUS, SHOULD, "A word is no status.", raw(b"HTTP/1.1 abc OK"))
bad("status-none", STATUS, SHOULD, "A status line without status is invalid.", raw(b"HTTP/1.1"))
bad("status-099", "9110 15", SHOULD, "A status below 100 is invalid.", raw(b"HTTP/1.1 099 Odd"))
bad("status-joined", STATUS, SHOULD, "`HTTP/1.1200 OK` is invalid.", raw(b"HTTP/1.1200 OK"))
bad("status-control", STATUS, SHOULD, "A control character in a reason is refused.", raw(b"HTTP/1.1 200 O\x01K"))
bad("status-nul", STATUS, SHOULD, "NUL in a reason is refused.", raw(b"HTTP/1.1 200 O\0K"))
bad("status-protocol", STATUS, SHOULD, "Another protocol's status line is invalid.", raw(b"ICAP/1.1 200 OK"))
bad("status-2.0", "9110 2.5", SHOULD, "HTTP/2.0 in a status line is invalid.", raw(b"HTTP/2.0 200 OK"))
bad("garbage", STATUS, SHOULD, "A response that is not HTTP is a 502.", b"\x15\x03\x03\x00\x02\x02\x50 CASE\r\n\r\n")
bad("empty", "9110 15.6.3", SHOULD, "An origin that closes without an answer is a 502.", b"")
bad("cut-head", "9112 8", MUST, "A head that ends early is a 502.", b"HTTP/1.1 200 OK\r\nX-Origin: CASE\r\n")
response("reset", "9110 15.6.3", SHOULD, "An origin that resets is a 502.", lambda io, request, case_id: io.reset(),
         bad_gateway, alone=True)

bad("field-no-colon", "9112 5", SHOULD, "A line without colon in an answer is a 502.",
    raw(b"HTTP/1.1 200 OK", b"no colon"))
bad("field-name-space", "9112 5", SHOULD, "A name with a space in an answer is a 502.",
    raw(b"HTTP/1.1 200 OK", b"X A: 1"))
bad("field-name-nul", "9112 5", SHOULD, "A name with NUL in an answer is a 502.", raw(b"HTTP/1.1 200 OK", b"X\0A: 1"))


def mended(name, section, text, line, field, value):
    """A 502, or an answer that is correct again."""
    response(name, section, MUST, text, raw(b"HTTP/1.1 200 OK", line), any_of(bad_gateway, forwarded(
        that("not mended", lambda o: [b" ".join(v.split()) for v in o.first.values(field)] in ([value], [])))),
             close=True, alone=True)


mended("field-space-colon", "9112 5.1", "White space before a colon in an answer is removed.", b"X-A : 1", b"x-a", b"1")
mended("field-fold", "9112 5.2", "A folded value in an answer is unfolded.", b"X-A: 1\r\n 2", b"x-a", b"1 2")
mended("field-nul", "9110 5.5", "NUL in an answer's value: a space, or a 502.", b"X-A: 1\x002", b"x-a", b"1 2")
mended("field-cr", "9110 5.5", "A bare CR in an answer's value: a space, or a 502.", b"X-A: 1\r2", b"x-a", b"1 2")
response("field-lf", "9112 2.2", SHOULD, "A line of an answer that ends with LF alone: a line, or a 502.",
         raw(b"HTTP/1.1 200 OK", b"X-A: 1\nX-B: 2"),
         any_of(bad_gateway, forwarded(got(b"x-a", b"1"), got(b"x-b", b"2"))), close=True)

for name, lines, gone in (("nominated", [b"Connection: x-secret", b"X-Secret: 1"], b"x-secret"),
                          ("nominated-list", [b"Connection: keep-alive, X-SECRET", b"x-secret: 1"], b"x-secret"),
                          ("keep-alive", [b"Keep-Alive: timeout=77"], b"keep-alive"),
                          ("proxy-connection", [b"Proxy-Connection: keep-alive"], b"proxy-connection"),
                          ("te", [b"TE: trailers"], b"te"),
                          ("upgrade", [b"Connection: upgrade", b"Upgrade: h2c"], b"upgrade")):
    response(f"hop-{name}", HOP, MUST if name.startswith(("nominated", "upgrade")) else SHOULD,
             f"{gone.decode()} of the origin stays on its connection.", raw(b"HTTP/1.1 200 OK", *lines),
             forwarded(got_body(b"hello"), that("passed on", lambda o,
                                                g=gone: not any(b"77" in v or g != b"keep-alive" for v
                                                    in o.first.values(g)))))
response("hop-connection", HOP, MUST, "The origin's Connection options are not the client's.",
         raw(b"HTTP/1.1 200 OK", b"Connection: x-secret"),
         forwarded(that("passed on", lambda o: b"x-secret" not in o.first.elements(b"connection"))))
response("hop-proxy-authenticate", "9110 11.7.1", SHOULD, "Proxy-Authenticate of the origin is for the proxy.",
         raw(b"HTTP/1.1 200 OK", b"Proxy-Authenticate: Basic realm=a"), forwarded(got(b"proxy-authenticate")))

KEPT = [b"ETag: W/\"a\"", b"Server: origin/1", b"Cache-Control: max-age=5", b"Vary: *", b"Location: /x?y#z",
        b"WWW-Authenticate: Basic realm=\"a, b\"",
        b"Content-Type: text/html; charset=utf-8", b"Content-Encoding: x-odd", b"X-Nobody-Knows: 1",
        b"Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT"]
response("end-to-end", "9110 7.6", MUST, "End-to-end fields go through untouched.",
         answer(b"200 OK", *KEPT, body=b"hello"),
         forwarded(*(got(*line.split(b": ", 1)) for line in KEPT if not line.startswith(b"Server"))))
response("set-cookie", "9110 5.3", MUST, "Several Set-Cookie lines stay several, in order.",
         answer(b"200 OK", b"Set-Cookie: a=1", b"X-A: 1", b"Set-Cookie: b=2; Path=/"),
         forwarded(got(b"set-cookie", b"a=1", b"b=2; Path=/")))
response("value-long", "9112 5", SHOULD, "A value of 3,000 bytes is forwarded.",
         answer(b"200 OK", b"X-A: " + b"v" * 3000), forwarded(got(b"x-a", b"v" * 3000)))
response("value-obs-text", "9110 5.5", SHOULD, "Bytes above 127 in an answer's value go through.",
         answer(b"200 OK", b"X-A: caf\xc3\xa9"),
         forwarded(got(b"x-a", b"caf\xc3\xa9")))
response("via-kept", "9110 7.6.3", MUST, "The origin's Via stays first.", answer(b"200 OK", b"Via: 1.0 fred"),
         forwarded(that("lost", lambda o: o.first.elements(b"via")[:1] == [b"1.0 fred"])))
response("date-added", "9110 6.6.1", MUST, "An answer without Date gets one.", answer(body=b"hello", date=False),
         forwarded(that("not one Date", lambda o: len(o.first.values(b"date")) == 1)))
response("date-kept", "9110 6.6.1", SHOULD, "The origin's Date stays.",
         answer(b"200 OK", b"Date: Mon, 01 Jan 2024 00:00:00 GMT", date=False),
         forwarded(got(b"date", b"Mon, 01 Jan 2024 00:00:00 GMT")))
case("own-date", "9110 6.6.1", MUST, "The proxy's own 4xx has Date.", post(b"Content-Length: five"),
     all_of(refused(), that("no Date", lambda o: len(o.first.values(b"date")) == 1)))
case("own-framing", "9112 6.3", MUST, "The proxy's own answer is framed: the client need not wait for the end.",
     post(b"Content-Length: five"),
     all_of(refused(), that("framed by closing", lambda o: o.first.framing != "close")))

INTERIM = "9110 15.2"
FINAL = answer(body=b"hello")


def interims(*statuses):
    return lambda o: None if [r.status for r in o.first.interims] in ([*statuses],
        []) else f"interim: {[r.status for r in o.first.interims]}"


for status, text in ((100, b"Continue"), (102, b"Processing"), (103, b"Early Hints"), (199, b"Odd")):
    response(f"interim-{status}", INTERIM, MUST, f"A {status} before the answer: passed or dropped, then the answer.",
             b"HTTP/1.1 %d %s\r\nLink: </a>\r\n\r\n" % (status, text) + FINAL,
             forwarded(got_body(b"hello"), interims(status), reused=True))
response("interim-three", INTERIM, MUST, "Several 1xx before the answer.",
         b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + FINAL,
         forwarded(got_body(b"hello"), interims(103, 103, 103), reused=True))
response("interim-1.0", INTERIM, MUST, "An HTTP/1.0 client never gets 1xx.",
         b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + FINAL,
         forwarded(got_body(b"hello"), that("1xx for HTTP/1.0", lambda o: not o.first.interims)),
         request=get(version=b"HTTP/1.0"))
response("interim-then-close", INTERIM, MUST, "A 103 and then the end: a final 502.",
         b"HTTP/1.1 103 Early Hints\r\nX-Origin: CASE\r\n\r\n",
         bad_gateway, close=True, alone=True)
response("interim-then-garbage", INTERIM, MUST, "A 103 and then no HTTP: a final 502.",
         b"HTTP/1.1 103 Early Hints\r\n\r\nnothing CASE\r\n\r\n",
         bad_gateway, close=True, alone=True)
response("switch-unasked", "9110 7.8", MUST, "A 101 that was not requested is a 502.",
         b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo\r\nX-Origin: CASE\r\n\r\nhello",
         bad_gateway, close=True, alone=True)
