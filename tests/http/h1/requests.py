"""Fields of requests on their way to the origin (RFC 9110 7.6)."""

from case import MUST, SHOULD, any_of, case, chunked, forwarded, get, post, saw, saw_body, that

HOP = "9110 7.6.1"

case("hop-nominated", HOP, MUST, "A field that Connection names is removed.",
     get(b"/CASE/a", b"Connection: x-hop", b"X-Hop: 1", b"X-End: 1"),
     forwarded(saw(b"x-hop"), saw(b"x-end", b"1")))
case("hop-nominated-list", HOP, MUST, "Several options, in any case, with empty members.",
     get(b"/CASE/a", b"Connection: , X-ONE ,,x-two,", b"X-One: 1", b"X-Two: 2"),
     forwarded(saw(b"x-one"), saw(b"x-two")))
case("hop-nominated-lines", HOP, MUST, "Several Connection lines.",
     get(b"/CASE/a", b"Connection: x-one", b"X-One: 1", b"Connection: x-two", b"X-Two: 2"),
     forwarded(saw(b"x-one"), saw(b"x-two")))
case("hop-nominated-1.0", HOP, MUST, "Also in HTTP/1.0.", get(b"/CASE/a", b"Connection: x-hop", b"X-Hop: 1",
    version=b"HTTP/1.0"),
     forwarded(saw(b"x-hop")))
case("hop-connection", HOP, MUST, "The client's Connection is not forwarded.", get(b"/CASE/a", b"Connection: x-hop"),
     forwarded(that("x-hop in Connection", lambda o: b"x-hop" not in o.seen[0].elements(b"connection"))))
case("hop-keep-alive", HOP, SHOULD, "Keep-Alive is removed.", get(b"/CASE/a", b"Keep-Alive: timeout=5"),
     forwarded(saw(b"keep-alive")))
case("hop-proxy-connection", HOP, SHOULD, "Proxy-Connection is removed.",
     get(b"/CASE/a", b"Proxy-Connection: keep-alive"),
     forwarded(saw(b"proxy-connection")))
case("hop-te", "9110 10.1.4", MUST, "TE is removed, or forwarded with `Connection: TE`.",
     get(b"/CASE/a", b"TE: trailers", b"Connection: TE"),
     forwarded(that("TE without Connection", lambda o: not o.seen[0].values(b"te") or b"te"
                    in o.seen[0].elements(b"connection"))))
case("hop-te-gzip", "9110 10.1.4", MUST, "TE never offers the origin a coding that the proxy does not know.",
     get(b"/CASE/a", b"TE: gzip"),
     forwarded(that("TE: gzip at the origin", lambda o: b"gzip" not in o.seen[0].elements(b"te"))))
case("via-added", "9110 7.6.3", MUST, "A gateway adds Via to a request.", get(),
     forwarded(that("no Via", lambda o: o.seen[0].values(b"via"))))
case("via-version", "9110 7.6.3", MUST, "Its entry begins with the HTTP version of the request.",
     get(version=b"HTTP/1.0"),
     forwarded(that("no entry `1.0 ...`", lambda o: any(v.startswith((b"1.0 ", b"http/1.0 ")) for v
                                                        in o.seen[0].elements(b"via")))))
case("via-kept", "9110 7.6.3", MUST, "Entries of others stay, in order, before the proxy's own.",
     get(b"/CASE/a", b"Via: 1.0 fred, 1.1 p.example"),
     forwarded(that("entries lost", lambda o: o.seen[0].elements(b"via")[:2] == [b"1.0 fred", b"1.1 p.example"])))

END_TO_END = [b"Authorization: Basic YWxhZGRpbg==", b"Cookie: a=1; b=2", b"Accept: text/*;q=0.5, */*",
              b"Accept-Encoding: gzip;q=0, br",
              b"If-None-Match: W/\"a\", \"b\"", b"Range: bytes=0-4", b"Referer: http://a.test/?x",
              b"User-Agent: a (b; c) d/1",
              b"Cache-Control: no-cache", b"Priority: u=1"]
case("end-to-end", "9110 7.6", MUST, "End-to-end fields go through untouched.", get(b"/CASE/a", *END_TO_END),
     forwarded(*(saw(*line.split(b": ", 1)) for line in END_TO_END)))
case("content-fields", "9110 7.7", MUST, "Fields of the content go through untouched.",
     post(b"Content-Length: 5", b"Content-Type: text/plain; charset=\"utf-8\"", b"Content-Encoding: x-unknown",
          b"Content-Language: de", body=b"\0\xff\r\nA"),
     forwarded(saw(b"content-type", b"text/plain; charset=\"utf-8\""), saw(b"content-encoding", b"x-unknown"),
               saw(b"content-language", b"de"), saw_body(b"\0\xff\r\nA")))
case("length-single", "9110 8.6", MUST, "A length is forwarded once.", post(b"Content-Length: 5", body=b"hello"),
     forwarded(any_of(saw(b"content-length", b"5"), saw(b"transfer-encoding", b"chunked")), saw_body(b"hello")))
case("get-no-framing", "9110 8.6", SHOULD, "GET without body gets no framing of one.", get(),
     forwarded(saw(b"content-length"), saw(b"transfer-encoding")))
case("chunked-reframed", "9112 7.1", MUST, "Chunks are forwarded in one framing.", chunked(b"5\r\nhello\r\n0\r\n\r\n"),
     forwarded(that("no framing", lambda o: o.seen[0].framing in ("length", "chunked")), saw_body(b"hello")))
case("cookies", "9110 5.3", SHOULD, "A long Cookie is forwarded.", get(b"/CASE/a", b"Cookie: a=" + b"x" * 4000),
     forwarded(saw(b"cookie", b"a=" + b"x" * 4000)))
case("max-forwards-get", "9110 7.6.2", SHOULD, "Max-Forwards of GET is ignored: the request is forwarded.",
     get(b"/CASE/a", b"Max-Forwards: 0"), forwarded())
