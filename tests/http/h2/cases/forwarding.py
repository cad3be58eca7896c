"""From HTTP/2 to the HTTP/1.1 origin and back (RFC 9113 8, RFC 9110 7.6)."""

from h2case import MUST, SHOULD, case, check, response
from h2wire import END_HEADERS, END_STREAM, NO_ERROR

OK = response(body=b"hello")


def head(*lines, status=b"HTTP/1.1 200 OK"):
    return b"\r\n".join([status, b"X-Origin: CASE", *lines]) + b"\r\n\r\n"


CHUNKED = head(b"Transfer-Encoding: chunked")


def closing(data):
    """An origin that closes after these bytes."""
    return lambda io, request, case_id: io.send(data.replace(b"CASE", case_id)) or False


def post(p, *bodies, stream=1, extra=()):
    p.headers(stream, p.fields(*extra, method=b"POST"), END_HEADERS)
    for number, body in enumerate(bodies):
        p.data(stream, body, END_STREAM if number == len(bodies) - 1 else 0)


@case("forward-get", "9113 8.3.1", MUST, "GET becomes a correct HTTP/1.1 request.")
def _(p):
    p.headers(1, p.fields((b"x-a", b"1"), path=p.path(b"a?x=1&y")))
    p.answer(1)
    seen = p.seen()[0]
    check((seen.method, seen.target, seen.values(b"host"), seen.values(b"x-a"), seen.framing)
          == (b"GET", p.path(b"a?x=1&y"), [p.case_id + b".test"], [b"1"], "none"), f"at the origin: {seen.raw_head!r}")


for name, bodies in (("one", [b"hello"]), ("two", [b"hel", b"lo"]), ("empty-end", [b"hello", b""]),
                     ("empty-middle", [b"hel", b"", b"lo"]),
                     ("empty", [b""]), ("empty-ends", [b"", b"hello", b""])):

    @case(f"forward-body-{name}", "9112 7.1", MUST,
          f"An upload in {len(bodies)} DATA frames ({name}) ends once at the origin.")
    def _(p, bodies=bodies):
        for stream in (1, 3, 5):
            post(p, *bodies, stream=stream)
            p.answer(stream)
            p.healthy(stream + 100) if stream == 5 else None
        check([r.body for r in p.seen() if b"/probe" not in r.target] == [b"".join(bodies)] * 3,
              "other requests at the origin")


@case("forward-body-end-in-headers", "9113 8.1", MUST, "POST that ends with its head has no body.")
def _(p):
    p.headers(1, p.fields(method=b"POST"))
    p.answer(1)
    check(p.seen()[0].body == b"", "a body at the origin")


@case("forward-cookies", "9113 8.2.3", MUST, "Several cookie fields become one line.")
def _(p):
    p.headers(1, p.fields((b"cookie", b"a=1"), (b"x-a", b"1"), (b"cookie", b"b=2"), (b"cookie", b"c=3")))
    p.answer(1)
    check(p.seen()[0].values(b"cookie") == [b"a=1; b=2; c=3"], f"at the origin: {p.seen()[0].values(b'cookie')!r}")


@case("forward-via", "9110 7.6.3", MUST, "Via records that the request used HTTP/2.")
def _(p):
    p.headers(1)
    p.answer(1)
    check(any(v.startswith((b"2 ", b"2.0 ", b"http/2")) for v in p.seen()[0].elements(b"via")),
          f"Via at the origin: {p.seen()[0].values(b'via')!r}")


@case("forward-te", "9113 8.2.2", MUST, "`te` is forwarded with `Connection: te`, or not at all.")
def _(p):
    p.headers(1, p.fields((b"te", b"trailers")))
    p.answer(1)
    seen = p.seen()[0]
    check(not seen.values(b"te") or b"te" in seen.elements(b"connection"), "TE without Connection")


@case("forward-options-asterisk", "9113 8.3.1", MUST, "OPTIONS with `:path` of `*` stays `*`, or is answered.")
def _(p):
    p.headers(1, p.fields(method=b"OPTIONS", path=b"*"))
    p.answer(1, 200, 204, 400, 404, 405, 501)
    check(all(r.target == b"*" for r in p.seen()), "another target at the origin")


def says_continue(io, request, case_id):
    """An origin that sends 100 if it is expected, and then reads."""
    if b"100-continue" in request.elements(b"expect"):
        io.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    from wire import read_body
    read_body(request, io)
    io.send(response(case=case_id, body=b"done"))
    return True


@case("expect-continue", "9110 10.1.1", MUST, "A client that waits for 100 gets it, and then its answer.",
      answer=says_continue, early=True)
def _(p):
    p.headers(1, p.fields((b"expect", b"100-continue"), (b"content-length", b"5"), method=b"POST"), END_HEADERS)
    p.wait(lambda: p.stream(1).interims or p.over(1), "100")
    p.data(1, b"hello", END_STREAM)
    p.answer(1)
    check(p.seen()[0].body == b"hello", "another body")


@case("expect-continue-not-waiting", "9110 10.1.1", MUST, "A client that does not wait is answered too.",
      answer=says_continue, early=True)
def _(p):
    post(p, b"hello", extra=[(b"expect", b"100-continue"), (b"content-length", b"5")])
    p.answer(1)


# --- Answers ---------------------------------------------------------------------------------------------------------


def answer(name, section, text, origin, statuses=(200,), body=None, method=b"GET", level=MUST, more=None):
    @case(f"answer-{name}", section, level, text, answer=origin)
    def run(p):
        p.headers(1, p.fields(method=method))
        one = p.answer(1, *statuses)
        if body is not None:
            check(one.body == body, f"body {one.body[:40]!r}")
        for key, _ in one.fields:
            check(key == key.lower(), f"name {key!r}")
        hop = [key for key, _ in one.fields if key in (b"connection", b"transfer-encoding", b"keep-alive",
                                                       b"proxy-connection", b"upgrade")]
        check(not hop, f"fields of a connection in HTTP/2: {hop!r}")
        if more:
            more(one)
        p.healthy()


answer("length", "9113 8.1", "A body of a length.", OK, body=b"hello")
answer("chunked", "9113 8.1", "A chunked body.", CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", body=b"hello")
answer("close", "9113 8.1", "A body that ends with its connection.", closing(head() + b"hello"), body=b"hello")
answer("empty", "9113 8.1", "An empty body.", head(b"Content-Length: 0"), body=b"")
answer("head", "9113 8.1", "HEAD.", head(b"Content-Length: 5"), body=b"", method=b"HEAD")
answer("204", "9113 8.1", "204.", head(status=b"HTTP/1.1 204 No Content"), (204,), b"")
answer("304", "9113 8.1", "304 with a length.", head(b"Content-Length: 5", status=b"HTTP/1.1 304 Not Modified"), (304,),
       b"")
answer("hop", "9113 8.2.2", "Fields of the origin's connection.",
       head(b"Connection: keep-alive, X-Secret", b"X-Secret: 1", b"Keep-Alive: timeout=5",
       b"Proxy-Connection: keep-alive", b"Upgrade: h2c", b"Content-Length: 5") + b"hello",
       more=lambda one: check(not one.values(b"x-secret"), "x-secret passed on"))
answer("capitals", "9113 8.2", "Names of the origin in capitals.", head(b"X-LOUD: Value", b"Content-Length: 0"),
       more=lambda one: check(one.values(b"x-loud") == [b"Value"], "x-loud lost"))
answer("103", "9113 8.1", "103 before the answer.", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
       body=b"hello")
answer("100", "9113 8.1", "100 that was not requested.", b"HTTP/1.1 100 Continue\r\n\r\n" + OK, body=b"hello")
answer("103-then-close", "9110 15.2", "103 and then the end is a 502.", closing(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
       (502, 504))
answer("none", "9110 15.6.3", "An origin that closes is a 502.", closing(b""), (502,), level=SHOULD)
answer("none-head", "9110 15.6.3", "The same for HEAD: a status, and the stream's end.", closing(b""), (502,), b"",
       b"HEAD", SHOULD)
answer("garbage", "9110 15.6.3", "A response that is not HTTP is a 502.", closing(b"nothing\r\n\r\n"), (502,))
answer("101-unasked", "9113 8.6", "101 is a 502.", closing(head(b"Connection: upgrade", b"Upgrade: foo",
    status=b"HTTP/1.1 101 Switching Protocols")), (502,))
answer("length-twice", "9110 8.6", "The same length twice: one, or a 502.",
       closing(head(b"Content-Length: 5", b"Content-Length: 5") + b"hello"), (200, 502),
       more=lambda one: check(one.status == 502 or one.values(b"content-length") in ([b"5"], []), "two lengths"))
answer("length-different", "9112 6.3", "Two lengths that differ are a 502.",
       closing(head(b"Content-Length: 5", b"Content-Length: 6") + b"hello"), (502,))


@case("answer-trailers", "9113 8.1", SHOULD, "Trailers of the origin are forwarded as trailers, or dropped.",
      answer=head(b"Transfer-Encoding: chunked", b"Trailer: x-t") + b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n")
def _(p):
    p.headers(1)
    one = p.answer(1)
    check(one.body == b"hello" and one.trailers in (None, [(b"x-t", b"1")]), f"trailers {one.trailers!r}")


for name, data in (("length-short", head(b"Content-Length: 10") + b"hello"),
                   ("chunked-cut", CHUNKED + b"5\r\nhello\r\n")):

    @case(f"answer-{name}", "9113 8.1", MUST, "A body that ends early ends in RST_STREAM, not in END_STREAM.",
          answer=closing(data))
    def _(p):
        p.headers(1)
        p.wait(lambda: p.over(1), "end of the stream")
        one = p.stream(1)
        lengths_differ = one.ended and one.values(b"content-length") not in ([], [b"%d" % len(one.body)])
        check(one.status in (502, 504) or not one.ended or lengths_differ, f"looks complete: {one.body!r}")
        check(one.reset != NO_ERROR, "reset with NO_ERROR")
        p.healthy()


@case("answer-early", "9113 8.1", MUST, "An answer before the request's end reaches the client whole.", early=True,
      answer=lambda io, request, case_id: io.send(response(b"413 Content Too Large", b"Connection: close", case=case_id,
                                                           body=b"no")) or False)
def _(p):
    p.headers(1, p.fields(method=b"POST"), END_HEADERS)
    p.data(1, b"hello")
    p.wait(lambda: p.stream(1).fields and (p.over(1)), "answer")
    check(p.stream(1).status == 413 and p.stream(1).body == b"no", p.summary())
    p.healthy()
