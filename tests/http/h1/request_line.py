"""Request lines, methods, targets and versions (RFC 9112 2 and 3)."""

from case import (MUST, SHOULD, HALF_CLOSE, HOST, Slowly, answered, any_of, case, forwarded, get, post, refused, saw,
                  saw_target, summary, that, unseen)

# Invalid parts of a request line: "a server SHOULD respond with a 400 (Bad Request)" (RFC 9112 3).
LINE = "9112 3"


def bad_line(name, line, text, section=LINE, level=SHOULD, statuses=(400,), or_closed=False):
    case(name, section, level, text, line + b"\r\n" + HOST + b"\r\n", refused(*statuses, or_closed=or_closed))


bad_line("line-method-paren", b"GE(T /CASE/a HTTP/1.1", "A method with a delimiter in it is refused.", "9112 3.1")
bad_line("line-method-nul", b"GE\0T /CASE/a HTTP/1.1", "A method with NUL in it is refused.", "9112 3.1")
bad_line("line-method-non-ascii", b"G\xc3\x89T /CASE/a HTTP/1.1", "A method outside ASCII is refused.", "9112 3.1")
bad_line("line-method-colon", b"GET: /CASE/a HTTP/1.1", "A method with a colon is refused.", "9112 3.1")
bad_line("line-no-method", b" /CASE/a HTTP/1.1", "A request line that begins with a space is refused.")
bad_line("line-no-target", b"GET HTTP/1.1", "A request line without target is refused.")
bad_line("line-four-words", b"GET /CASE/a HTTP/1.1 extra", "A word after the version is refused.")
bad_line("line-garbage-before", b"Extra lineGET /CASE/a HTTP/1.1", "Four words that end with a version are refused.")
bad_line("line-tab-separated", b"GET\t/CASE/a\tHTTP/1.1\x01", "Tabs and a control character are no request line.")
case("line-tls-hello", LINE, SHOULD, "A TLS handshake on a plain port is refused or closed.",
     b"\x16\x03\x01\x00\x05CASE\x00\r\n\r\n", refused(or_closed=True))

bad_line("target-space", b"GET /CASE/a b HTTP/1.1", "A space in the target is refused.", "9112 3.2")
bad_line("target-tab", b"GET /CASE/a\tb HTTP/1.1", "A tab in the target is refused.", "9112 3.2")
bad_line("target-nul", b"GET /CASE/a\0b HTTP/1.1", "NUL in the target is refused.", "9112 3.2")
bad_line("target-cr", b"GET /CASE/a\rb HTTP/1.1", "A bare CR in the target is refused.", "9112 2.2", MUST)
bad_line("target-control", b"GET /CASE/a\x01b HTTP/1.1", "A control character in the target is refused.", "9112 3.2")
bad_line("target-del", b"GET /CASE/a\x7fb HTTP/1.1", "DEL in the target is refused.", "9112 3.2")
bad_line("target-word", b"GET foo HTTP/1.1", "A target that is a word is refused.", "9112 3.2")
bad_line("target-relative", b"GET CASE/a HTTP/1.1", "A target without its first slash is refused.", "9112 3.2.1")
bad_line("target-at-host", b"GET @evil.example/x HTTP/1.1", "A target `@host/x` is refused.", "9112 3.2")
bad_line("target-query-only", b"GET ?CASE HTTP/1.1", "A target that is only a query is refused.", "9112 3.2.1")
bad_line("target-asterisk-get", b"GET * HTTP/1.1", "`*` with another method than OPTIONS is refused.", "9112 3.2.4")
bad_line("target-authority-get", b"GET CASE.test:80 HTTP/1.1", "The authority form with GET is refused.", "9112 3.2.3")
bad_line("target-no-host", b"GET http:///CASE/a HTTP/1.1", "An http URI with an empty host is refused.", "9110 4.2.1",
         MUST)
bad_line("target-bad-port", b"GET http://CASE.test:8a/ HTTP/1.1", "An absolute target with a port `8a` is refused.",
         "9112 3.2.2")
bad_line("target-userinfo", b"GET http://user@CASE.test/ HTTP/1.1",
         "User information in an absolute target is an error.",
         "9110 4.2.4")
case("target-non-ascii", "9112 3.2", SHOULD,
     "Bytes outside ASCII in a target are refused, or forwarded percent-encoded.",
     get(b"/CASE/\xc3\xa9"), any_of(refused(), forwarded(saw_target(b"/CASE/%C3%A9"))))
case("target-fragment", "9112 3.2", SHOULD, "A fragment in the target is refused or taken off.", get(b"/CASE/a#frag"),
     any_of(refused(), forwarded(saw_target(b"/CASE/a"))))

case("target-absolute", "9112 3.2.2", MUST, "Absolute form is accepted, and the origin gets origin form.",
     get(b"http://CASE.test/CASE/a?x=1"), forwarded(saw_target(b"/CASE/a?x=1"), saw(b"host", b"CASE.test")))
case("target-absolute-other-host", "9112 3.2.2", MUST, "The authority of an absolute target replaces Host.",
     get(b"http://CASE.test/CASE/a", host=b"Host: other.test\r\n"),
     any_of(refused(), forwarded(saw_target(b"/CASE/a"), saw(b"host", b"CASE.test"))))
case("target-absolute-scheme-case", "9110 4.2.3", MUST, "The scheme's letters may have any case.",
     get(b"HTTP://CASE.test/CASE/a"), forwarded(saw_target(b"/CASE/a")))
case("target-absolute-no-path", "9112 3.2.1", MUST, "An absolute target without path becomes `/`.",
     get(b"http://CASE.test"), forwarded(saw_target(b"/")))
case("target-absolute-query-only", "9112 3.2.1", MUST, "An absolute target with query but no path becomes `/?x`.",
     get(b"http://CASE.test?x=1"), forwarded(saw_target(b"/?x=1")))
case("target-options-asterisk", "9112 3.2.4", MUST, "`OPTIONS *` stays `*`, or is answered by the proxy.",
     get(b"*", method=b"OPTIONS"), any_of(forwarded(saw_target(b"*", b"OPTIONS")),
                                          answered(unseen, status=(200, 204, 400, 403, 404, 405, 501))))
case("target-options-absolute", "9112 3.2.4", MUST, "`OPTIONS http://host` is no absolute form to the origin.",
     get(b"http://CASE.test", method=b"OPTIONS"),
     any_of(forwarded(that("an absolute target at the origin", lambda o: o.seen[0].target in (b"*", b"/"))),
            answered(unseen, status=(200, 204, 400, 403, 404, 405, 501))))

for name, path in (("escapes", b"/CASE/%2F%41%zz?%00"), ("slashes", b"/CASE//a///b/"), ("dots", b"/CASE/b/../a/./c"),
                   ("query", b"/CASE/a??x=1&&y=[]|{}?"), ("marks", b"/CASE/a;p=1,b:c@d!$&'()*+=~-._")):
    case(f"target-kept-{name}", "9110 7.7", MUST, f"Path and query are not rewritten: `{path.decode()[5:]}`.",
         get(path),
         any_of(forwarded(saw_target(path)), refused()) if name in ("escapes", "query")
         else forwarded(saw_target(path)))
case("target-8000", LINE, SHOULD, "A request line of 8,000 bytes is accepted.", get(b"/CASE/" + b"a" * 7980), forwarded())
case("target-too-long", LINE, MUST, "A target of 200,000 bytes gets 414 (or 431).", get(b"/CASE/" + b"a" * 200_000),
     refused(414, 431))

case("method-unknown", "9110 9.1", SHOULD, "An unknown method is forwarded as it is, or gets 405 or 501.",
     get(method=b"FROBNICATE"), any_of(forwarded(saw_target(b"/CASE/a", b"FROBNICATE")), refused(405, 501)))
case("method-lower-case", "9110 9.1", MUST, "Methods are case-sensitive: `get` is not GET.", get(method=b"get"),
     any_of(forwarded(saw_target(b"/CASE/a", b"get")), refused(400, 405, 501)))
case("method-tokens", "9110 9.1", SHOULD, "A method may have any token character.", get(method=b"A!#$%&'*+-.^_`|~9"),
     any_of(forwarded(saw_target(b"/CASE/a", b"A!#$%&'*+-.^_`|~9")), refused(400, 405, 501)))
for method in (b"PUT", b"PATCH", b"DELETE"):
    case(f"method-{method.decode().lower()}", "9110 9.1", SHOULD, f"{method.decode()} with a body is forwarded.",
         get(b"/CASE/a", b"Content-Length: 5", method=method, body=b"hello"),
         forwarded(saw_target(b"/CASE/a", method), that("another body", lambda o: o.seen[0].body == b"hello")))
# A gateway that opens tunnels to targets of its clients' choice is an open proxy.
for name, target in (("authority", b"CASE.test:443"), ("path", b"/CASE/a"), ("no-port", b"CASE.test")):
    case(f"connect-{name}", "9110 9.3.6", MUST, f"CONNECT {target.decode()} opens no tunnel.",
         get(target, method=b"CONNECT"),
         lambda o: unseen(o) or (None if (o.first and 400 <= o.first.status) or (o.ended and not o.answers)
                                 else summary(o)),
         probe=False, to_end=False)
case("trace-max-forwards-0", "9110 7.6.2", MUST, "TRACE with Max-Forwards 0 is not forwarded.",
     get(b"/CASE/a", b"Max-Forwards: 0", method=b"TRACE"), answered(unseen, status=(200, 400, 403, 405, 501)))
case("trace-max-forwards-3", "9110 7.6.2", MUST, "Max-Forwards of TRACE counts down.",
     get(b"/CASE/a", b"Max-Forwards: 3", method=b"TRACE"),
     any_of(forwarded(saw(b"max-forwards", b"2")), refused(403, 405, 501)))
case("options-max-forwards-0", "9110 7.6.2", MUST, "OPTIONS with Max-Forwards 0 is not forwarded.",
     get(b"/CASE/a", b"Max-Forwards: 0", method=b"OPTIONS"), answered(unseen, status=(200, 204, 400, 403, 405, 501)))
case("options-max-forwards-5", "9110 7.6.2", MUST, "Max-Forwards of OPTIONS counts down.",
     get(b"/CASE/a", b"Max-Forwards: 5", method=b"OPTIONS"), forwarded(saw(b"max-forwards", b"4")))
case("options", "9110 9.3.7", SHOULD, "OPTIONS for a path is forwarded.", get(method=b"OPTIONS"),
     forwarded(saw_target(b"/CASE/a", b"OPTIONS")))
case("trace-body", "9110 9.3.8", MUST, "TRACE with a body is not forwarded with it.",
     get(b"/CASE/a", b"Content-Length: 5", method=b"TRACE", body=b"hello"),
     any_of(refused(400, 403, 405, 501), forwarded(that("forwarded with its body", lambda o: o.seen[0].body == b""))))

case("version-0.9", "9112 3", SHOULD, "A request line without version is not forwarded as HTTP/1.",
     [b"GET /CASE/a\r\n", HALF_CLOSE],
     refused(400, 426, 505, or_closed=True), probe=False)
bad_line("version-2.0", b"GET /CASE/a HTTP/2.0", "HTTP/2.0 in a request line is refused.", "9110 15.6.6",
         statuses=(400, 505))
bad_line("version-3.7", b"GET /CASE/a HTTP/3.7", "HTTP/3.7 is refused.", "9110 15.6.6", statuses=(400, 505))
bad_line("version-0.9-header", b"GET /CASE/a HTTP/0.9", "HTTP/0.9 in a request line is refused.", "9112 2.3",
         statuses=(400, 426, 505))
bad_line("version-lower-case", b"GET /CASE/a http/1.1", "The protocol's name is case-sensitive.", "9112 2.3",
         statuses=(400, 505))
bad_line("version-two-digits", b"GET /CASE/a HTTP/1.10", "A version has one digit on each side.", "9112 2.3",
         statuses=(400, 505))
bad_line("version-leading-zero", b"GET /CASE/a HTTP/01.1", "A version has one digit, no leading zero.", "9112 2.3",
         statuses=(400, 505))
bad_line("version-no-minor", b"GET /CASE/a HTTP/1", "A version has a minor part.", "9112 2.3", statuses=(400, 505))
bad_line("version-other-protocol", b"GET /CASE/a ICAP/1.0", "Another protocol's version is refused.", "9112 2.3",
         statuses=(400, 505))
case("version-1.2", "9110 2.5", SHOULD, "HTTP/1.2 is processed as HTTP/1.1.", get(version=b"HTTP/1.2"),
     forwarded(that("not HTTP/1.1 to the origin", lambda o: o.seen[0].version == b"HTTP/1.1")))
case("version-own", "9110 7.6", MUST, "An intermediary sends its own version, not the client's HTTP/1.0.",
     get(version=b"HTTP/1.0"),
     forwarded(that("HTTP/1.0 with a 1.1 connection", lambda o: o.seen[0].version == b"HTTP/1.1"
                    or b"keep-alive" not in o.seen[0].elements(b"connection"))))

case("line-double-space", LINE, SHOULD, "Two spaces in a request line: refused, or parsed as one.",
     b"GET  /CASE/a HTTP/1.1\r\n" + HOST + b"\r\n", any_of(refused(), forwarded(saw_target(b"/CASE/a"))))
case("line-space-at-end", LINE, SHOULD, "A space after the version: refused, or ignored.",
     b"GET /CASE/a HTTP/1.1 \r\n" + HOST + b"\r\n", any_of(refused(400, 505), forwarded(saw_target(b"/CASE/a"))))
case("line-bare-lf", "9112 2.2", SHOULD, "A request line that ends with LF alone: refused, or forwarded with CRLF.",
     b"GET /CASE/a HTTP/1.1\n" + HOST + b"\r\n", any_of(refused(), forwarded(saw_target(b"/CASE/a"))))
case("line-bare-cr", "9112 2.2", MUST, "A request line that ends with CR alone is no line.",
     b"GET /CASE/a HTTP/1.1\r" + HOST + b"\r\n", refused(or_closed=True))
case("line-empty-before", "9112 2.2", SHOULD, "An empty line before the request line is ignored.",
     b"\r\n" + get(), forwarded())
case("line-empty-between", "9112 2.2", SHOULD, "A CRLF after a body, before the next request, is ignored.",
     [post(b"Content-Length: 5", body=b"hello") + b"\r\n" + get()], forwarded(count=2), replies=2)
case("line-slowly", "9112 2.2", MUST, "A head that arrives a byte at a time is accepted.",
     [Slowly(get(b"/CASE/a", b"X-A: 1"))],
     forwarded(saw(b"x-a", b"1")))
case("line-space-line-before", "9112 2.2", MUST, "White space before the first field: refused, or the line is dropped.",
     b"GET /CASE/a HTTP/1.1\r\n X-A: 1\r\n" + HOST + b"\r\n",
     any_of(refused(), forwarded(that("the line was forwarded", lambda o: not o.seen[0].values(b"x-a")))))
case("line-space-host-before", "9112 2.2", MUST, "A first field that begins with white space is not Host.",
     b"GET /CASE/a HTTP/1.1\r\n Host: evil.test\r\n" + HOST + b"\r\n",
     any_of(refused(), forwarded(saw(b"host", b"CASE.test"))))
