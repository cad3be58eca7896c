"""Reuse, closing, pipelining, half-closed clients, Expect and Upgrade (RFC 9112 9, RFC 9110 7.8 and 10.1.1)."""

from case import (Answers, HALF_CLOSE, INTERIM, MUST, SHOULD, Slowly, WaitForOrigin, answer, answered, any_of, by_origin,
                  case, chunked, forwarded, get, got_body, post, refused, saw, saw_body, sound, summary, that)

PERSIST = "9112 9.3"
CLOSES = "9112 9.6"
OK = answer(body=b"hello")

case("keep-alive", PERSIST, SHOULD, "A connection is reused.", get(), forwarded(reused=True))
case("keep-alive-post", PERSIST, SHOULD, "The same after a body.", post(b"Content-Length: 5", body=b"hello"),
     forwarded(saw_body(b"hello"), reused=True))
case("keep-alive-chunked", PERSIST, SHOULD, "The same after chunks.", chunked(b"5\r\nhello\r\n0\r\n\r\n"),
     forwarded(reused=True))
case("keep-alive-origin-closes", PERSIST, SHOULD,
     "The origin's `Connection: close` does not close the client's connection.", get(),
     forwarded(got_body(b"hello"), reused=True), answer=answer(b"200 OK", b"Connection: close", body=b"hello"),
     close=True)
case("keep-alive-404", PERSIST, SHOULD, "The same after 404.", get(), forwarded(status=404, reused=True),
     answer=answer(b"404 Not Found"))
case("keep-alive-many", PERSIST, SHOULD, "A hundred requests one after the other.",
     [step for n in range(100) for step in (get(), Answers(n + 1))],
     forwarded(count=100, reused=True), replies=100)


def closed(o):
    """Announced and closed."""
    if b"close" not in o.first.elements(b"connection"):
        return f"no `Connection: close` in the answer: {o.first.values(b'connection')!r}"
    return None if o.ended else "left open"


case("close", CLOSES, MUST, "`Connection: close` of the client: the connection closes after the answer.",
     get(b"/CASE/a", b"Connection: close"),
     forwarded(that("left open", lambda o: o.ended), reused=False))
case("close-said", CLOSES, SHOULD, "The response before closing has `Connection: close`.", get(b"/CASE/a", b"Connection: close"),
     forwarded(closed, reused=False))
case("close-capitals", "9110 7.6.1", MUST, "Connection options are case-insensitive.", get(b"/CASE/a", b"Connection: CLOSE"),
     forwarded(reused=False))
case("close-in-list", "9110 7.6.1", MUST, "`close` may be one of several options.",
     get(b"/CASE/a", b"Connection: x-a , close"),
     forwarded(reused=False))
case("close-second-line", "9110 7.6.1", MUST, "`close` may be in a second line.",
     get(b"/CASE/a", b"Connection: x-a", b"Connection: close"),
     forwarded(reused=False))
case("close-then-request", CLOSES, MUST, "A request after `Connection: close` is not processed.",
     [get(b"/CASE/a", b"Connection: close") + get(b"/CASE/b")], forwarded(count=1, reused=False), probe=False)
case("http10-closes", PERSIST, MUST, "HTTP/1.0 without keep-alive closes.", get(version=b"HTTP/1.0"),
     forwarded(reused=False))
case("http10-keep-alive", PERSIST, SHOULD, "HTTP/1.0 with keep-alive: kept with `Connection: keep-alive`, or closed.",
     get(b"/CASE/a", b"Connection: keep-alive", version=b"HTTP/1.0"),
     forwarded(that("kept open without `keep-alive`", lambda o: b"keep-alive" in o.first.elements(b"connection") or
                    not o.reused)))
case("http10-keep-alive-close", PERSIST, MUST, "`close` wins over `keep-alive`.",
     get(b"/CASE/a", b"Connection: keep-alive, close"), forwarded(reused=False))

PIPE = "9112 9.3.2"


def in_order(count):
    return that("another order", lambda o: [r.values(b"x-target") for r in o.answers]
                == [[b"/%s/%d" % (o.case_id, n)] for n in range(count)])


def slow_first(io, request, case_id):
    """The response to the first request waits until the next request on the connection arrives, or for a moment."""
    if request.target.endswith(b"/0"):
        io.sock.settimeout(0.3)
        try:
            io.fill()
        except TimeoutError:
            pass
        io.sock.settimeout(30)
    io.send(answer(b"200 OK", b"X-Target: " + request.target, case=case_id))
    return True


numbered = [get(b"/CASE/%d" % n) for n in range(6)]
case("pipeline-two", PIPE, MUST, "Two requests in one segment are answered in order.", b"".join(numbered[:2]),
     forwarded(in_order(2), count=2, reused=True), replies=2)
case("pipeline-six", PIPE, MUST, "Six requests in one segment are answered in order.", b"".join(numbered),
     forwarded(in_order(6), count=6, reused=True), replies=6)
case("pipeline-slow", PIPE, MUST, "A slow first answer does not let the second overtake.", [numbered[0], numbered[1]],
     forwarded(in_order(2), count=2), replies=2, answer=slow_first)
case("pipeline-during", PIPE, MUST, "A request that arrives while the first is at the origin does not end it.",
     [numbered[0], WaitForOrigin(1), numbered[1]], forwarded(in_order(2), count=2, reused=True), replies=2, answer=slow_first)
case("pipeline-bodies", PIPE, MUST, "Requests with bodies of all kinds in one segment.",
     post(b"Content-Length: 5", body=b"hello", path=b"/CASE/0") + chunked(b"3\r\nabc\r\n0\r\n\r\n", path=b"/CASE/1")
     + get(b"/CASE/2") + post(b"Content-Length: 0", path=b"/CASE/3"),
     forwarded(in_order(4), that("other bodies", lambda o: [r.body for r in sorted(o.seen, key=lambda r: r.target)]
                                 == [b"hello", b"abc", b"", b""]), count=4, reused=True), replies=4)
case("pipeline-head", PIPE, MUST, "HEAD among pipelined requests has no body in its answer.",
     get(b"/CASE/0", method=b"HEAD") + get(b"/CASE/1"), forwarded(in_order(2), count=2, reused=True), replies=2,
     methods=[b"HEAD", b"GET"])
case("pipeline-split", PIPE, MUST, "The second request's head may arrive in two segments.",
     [numbered[0] + numbered[1][:10], Answers(1), numbered[1][10:]], forwarded(in_order(2), count=2, reused=True),
     replies=2)
case("pipeline-bad-second", PIPE, MUST, "A bad second request does not take the first one's answer.",
     get(b"/CASE/0") + b"GET /CASE/1 HTTP/1.1\r\n" + b"X A: 1\r\nHost: CASE.test\r\n\r\n",
     lambda o: sound(o) or (None if len(o.answers) == 2 and by_origin(o.first) and o.answers[1].status == 400
                            and len(o.seen) == 1
                            else summary(o)), replies=2)
case("half-close", CLOSES, SHOULD, "A client that has sent FIN after its request gets the answer.", [get(), HALF_CLOSE],
     forwarded(), probe=False)
case("half-close-slow", CLOSES, SHOULD, "The same if the FIN arrives while the origin still works.",
     [get(b"/CASE/0"), WaitForOrigin(1), HALF_CLOSE],
     forwarded(), probe=False, answer=slow_first)
case("half-close-body", CLOSES, SHOULD, "The same after a body.", [post(b"Content-Length: 5", body=b"hello"), HALF_CLOSE],
     forwarded(saw_body(b"hello")), probe=False)
case("half-close-pipelined", CLOSES, SHOULD, "The same after several requests.", [b"".join(numbered[:3]), HALF_CLOSE],
     forwarded(in_order(3), count=3), probe=False, replies=3)
case("half-close-refused", CLOSES, SHOULD, "The same for the proxy's own refusal.", [post(b"Content-Length: five"), HALF_CLOSE],
     refused(), probe=False)
case("early-answer", "9112 9.3", MUST,
     "An answer before the body's end: the client gets it, and the rest is not taken for a request.",
     [post(b"Content-Length: 61"), Slowly(b"GET /CASE/smuggled HTTP/1.1\r\nHost: CASE.test\r\nX-A: 123456\r\n\r\n")],
     lambda o: "smuggled" if any(b"smuggled" in r.target for r in o.seen) else
     (None if o.first and o.first.status == 413 and o.first.complete else f"no answer ({summary(o)})"),
     answer=lambda io, request, case_id: io.send(answer(b"413 Content Too Large", b"Connection: close", case=case_id))
     or io.gone() or False,
     early=True, alone=True)
case("early-answer-large", CLOSES, SHOULD, "A refusal of a large body reaches a client that sends all before it reads.",
     get(b"/CASE/a", b"Content-Length: 3000000", b"Transfer-Encoding: xchunked", method=b"POST", body=b"x" * 3_000_000),
     refused(400, 501), alone=True, probe=False)

# --- Expect ----------------------------------------------------------------------------------------------------------

EXPECT = "9110 10.1.1"
WAITS = get(b"/CASE/a", b"Content-Length: 5", b"Expect: 100-continue", method=b"POST")


def says_continue(io, request, case_id):
    """An origin that sends 100 itself."""
    if b"100-continue" in request.elements(b"expect"):
        io.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    from wire import read_body
    read_body(request, io)
    io.send(answer(b"200 OK", case=case_id, body=b"done"))
    return True


case("expect-continue", EXPECT, MUST, "A client that waits for 100 gets it, and then its answer.",
     [WAITS, INTERIM, b"hello"],
     forwarded(saw_body(b"hello"), that("no 100 before the body", lambda o: o.early_interim)), answer=says_continue,
     early=True)
case("expect-continue-silent", EXPECT, MUST,
     "An origin that never sends 100: the client sends its body, and gets a response.",
     [WAITS, b"hello"], forwarded(saw_body(b"hello")))
case("expect-continue-capitals", EXPECT, MUST, "`100-Continue` means the same.",
     [get(b"/CASE/a", b"Content-Length: 5", b"Expect: 100-Continue", method=b"POST"), INTERIM, b"hello"],
     forwarded(saw_body(b"hello"), that("no 100 before the body", lambda o: o.early_interim)), answer=says_continue,
     early=True)
case("expect-refused", EXPECT, MUST, "A final answer in place of 100 reaches the client.", 
     [WAITS, INTERIM, lambda c: c.send(b"hello") if c.out.early_interim else None], answered(status=(413,)),
     probe=False,
     to_end=False, early=True,
     answer=lambda io, request, case_id: io.send(answer(b"413 Content Too Large", b"Connection: close", case=case_id))
     or False)
case("expect-no-body", EXPECT, SHOULD, "Expect without a body is answered.", get(b"/CASE/a", b"Expect: 100-continue"),
     forwarded())
case("expect-1.0", EXPECT, MUST, "HTTP/1.0 never gets 100.",
     get(b"/CASE/a", b"Content-Length: 5", b"Expect: 100-continue", method=b"POST", version=b"HTTP/1.0", body=b"hello"),
     forwarded(saw_body(b"hello"), that("100 for HTTP/1.0", lambda o: not o.first.interims)), answer=says_continue,
     early=True)
case("expect-unknown", EXPECT, SHOULD, "An unknown expectation gets 417 or is forwarded.",
     get(b"/CASE/a", b"Expect: frobnicate"),
     any_of(refused(417), forwarded()))

# --- Upgrade ---------------------------------------------------------------------------------------------------------

WEBSOCKET = get(b"/CASE/a", b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")


def switches(io, request, case_id):
    """Switches protocols, and echoes five bytes."""
    if b"websocket" not in request.elements(b"upgrade") or b"upgrade" not in request.elements(b"connection"):
        io.send(answer(b"400 Bad Request", case=case_id))
        return True
    # The answer to the key in RFC 6455 1.3, which some proxies check.
    io.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Origin: " + case_id + b"\r\n\r\n")
    io.send(io.exactly(5).upper() + b"!")
    return False


case("upgrade-websocket", "9110 7.8", MUST, "WebSocket data is forwarded in both directions.",
     [WEBSOCKET, lambda c: c.read_until(lambda responses, _: responses), b"hello"],
     lambda o: None if o.answers and o.first.status == 101 and o.first.body == b"HELLO!"
     and b"upgrade" in o.first.elements(b"connection") else summary(o), answer=switches, probe=False, replies=1,
     alone=True)
case("upgrade-refused", "9110 7.8", MUST, "An origin may answer an upgrade with 200, and the connection stays usable.",
     WEBSOCKET,
     forwarded(got_body(b"hello")), answer=OK)
case("upgrade-alone", "9110 7.8", MUST, "Upgrade is forwarded only with `Connection: upgrade`.",
     get(b"/CASE/a", b"Upgrade: foo"),
     forwarded(that("Upgrade without Connection", lambda o: not o.seen[0].values(b"upgrade") or b"upgrade"
                    in o.seen[0].elements(b"connection"))))
case("upgrade-h2c", "9113 3.1", SHOULD, "An upgrade to h2c is not passed on.",
     get(b"/CASE/a", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
     forwarded(that("h2c at the origin", lambda o: b"h2c" not in o.seen[0].elements(b"upgrade")),
               saw(b"http2-settings")))
case("upgrade-1.0", "9110 7.8", MUST, "Upgrade in HTTP/1.0 is ignored.",
     get(b"/CASE/a", b"Connection: Upgrade", b"Upgrade: websocket", version=b"HTTP/1.0"),
     forwarded(that("upgraded", lambda o: not o.seen[0].values(b"upgrade"))))
