"""Field lines of requests (RFC 9112 5, RFC 9110 5)."""

from case import HOST, MUST, SHOULD, any_of, case, forwarded, get, refused, saw, saw_target, that

LINES = "9112 5"


def bad_line(name, line, text, level=SHOULD, section=LINES, or_closed=False):
    case(f"field-{name}", section, level, text, get(b"/CASE/a", line), refused(or_closed=or_closed))


bad_line("space-before-colon", b"X-A : 1", "White space between name and colon gets 400.", MUST, "9112 5.1")
bad_line("tab-before-colon", b"X-A\t: 1", "A tab between name and colon gets 400.", MUST, "9112 5.1")
case("field-space-before-colon-length", "9112 5.1", MUST, "`Content-Length : 5` gets 400.",
     get(b"/CASE/a", b"Content-Length : 5", method=b"POST", body=b"hello"), refused(), alone=True)
case("field-space-before-colon-te", "9112 5.1", MUST, "`Transfer-Encoding : chunked` gets 400.",
     get(b"/CASE/a", b"Transfer-Encoding : chunked", method=b"POST", body=b"5\r\nhello\r\n0\r\n\r\n"), refused(),
     alone=True)
case("field-space-before-colon-host", "9112 5.1", MUST, "`Host : x` gets 400.", get(host=b"Host : CASE.test\r\n"),
     refused())
bad_line("no-name", b": 1", "A field without a name is refused.")
bad_line("no-colon", b"X-A", "A line without a colon is refused.")
bad_line("name-space", b"X A: 1", "A name with a space is refused.")
bad_line("name-paren", b"X(A: 1", "A name with a delimiter is refused.")
bad_line("name-quote", b'"X-A": 1', "A name in quotes is refused.")
bad_line("name-at", b"X@A: 1", "A name with `@` is refused.")
bad_line("name-nul", b"X\0A: 1", "A name with NUL is refused.")
bad_line("name-non-ascii", b"X\xc3\xa9: 1", "A name outside ASCII is refused.")
bad_line("name-control", b"X\x01A: 1", "A name with a control character is refused.")
bad_line("name-del", b"X\x7fA: 1", "A name with DEL is refused.")
case("field-fold", "9112 5.2", MUST, "A folded value is refused, or unfolded with spaces.",
     get(b"/CASE/a", b"X-A: 1\r\n 2"),
     any_of(refused(), forwarded(that("not one line `1 2`", lambda o: [v.split() for v in o.seen[0].values(b"x-a")]
                                      == [[b"1", b"2"]]))))
case("field-fold-te", "9112 5.2", MUST, "A folded Transfer-Encoding is refused, or means chunked.",
     get(b"/CASE/a", b"Transfer-Encoding:\r\n chunked", method=b"POST", body=b"5\r\nhello\r\n0\r\n\r\n"),
     any_of(refused(), forwarded(that("another body", lambda o: o.seen[0].body == b"hello"))), alone=True)
case("field-fold-last", "9112 5.2", MUST, "A line of white space after the last field: refused, or dropped.",
     get(b"/CASE/a", b"X-A: 1", b" "), any_of(refused(), forwarded(saw(b"x-a", b"1"))))


def bad_value(name, value, text):
    """To be refused, or replaced by spaces (RFC 9110 5.5)."""
    spaced = value.replace(b"\0", b" ").replace(b"\r", b" ").replace(b"\n", b" ")
    case(f"value-{name}", "9110 5.5", MUST, text, get(b"/CASE/a", b"X-A: " + value),
         any_of(refused(), forwarded(saw(b"x-a", spaced))))


bad_value("nul", b"a\0b", "NUL in a value: refused, or a space.")
bad_value("cr", b"a\rb", "A bare CR in a value: refused, or a space.")
bad_value("cr-injection", b"a\rX-B: 2", "A bare CR does not begin a field.")
case("value-lf-injection", "9112 2.2", MUST, "A line that ends with LF alone is refused, or is a line.",
     get(b"/CASE/a", b"X-A: a\nX-B: 2"), any_of(refused(), forwarded(saw(b"x-a", b"a"), saw(b"x-b", b"2"))))
for name, value in (("control", b"a\x01b"), ("del", b"a\x7fb")):
    case(f"value-{name}", "9110 5.5", SHOULD, "A control character in a value: refused, or a space; never cut.",
         get(b"/CASE/a", b"X-A: " + value),
         any_of(refused(), lambda o: None if o.seen and b"x-a: a" in o.seen[0].raw_head.lower()
                and b"b\r\n" in o.seen[0].raw_head.lower().split(b"x-a: a")[1][:5] else "cut or lost"))
case("value-obs-text", "9110 5.5", SHOULD, "Bytes above 127 in a value go through untouched.",
     get(b"/CASE/a", b"X-A: caf\xc3\xa9 \xff"),
     forwarded(saw(b"x-a", b"caf\xc3\xa9 \xff")))
case("value-empty", "9110 5.5", MUST, "An empty value is a value.", get(b"/CASE/a", b"X-A:", b"X-B: "),
     forwarded(saw(b"x-a", b""), saw(b"x-b", b"")))
case("value-white-space", "9112 5.1", MUST, "White space around a value is no part of it.",
     get(b"/CASE/a", b"X-A: \t 1 2 \t "),
     forwarded(saw(b"x-a", b"1 2")))
case("value-no-space", "9112 5.1", MUST, "A value may follow its colon at once.", get(b"/CASE/a", b"X-A:1"),
     forwarded(saw(b"x-a", b"1")))
case("value-colons", "9112 5", MUST, "A value may have colons.", get(b"/CASE/a", b"X-A: :a:b:"),
     forwarded(saw(b"x-a", b":a:b:")))
case("value-long", "9112 5", SHOULD, "A value of 6,000 bytes is forwarded.", get(b"/CASE/a", b"X-A: " + b"v" * 6000),
     forwarded(saw(b"x-a", b"v" * 6000)))
case("field-names-case", "9110 5.1", MUST, "Names have no case.",
     get(b"/CASE/a", b"cOnTeNt-LeNgTh: 5", method=b"POST", host=b"hOsT: CASE.test\r\n", body=b"hello"),
     forwarded(saw(b"host", b"CASE.test"), that("another body", lambda o: o.seen[0].body == b"hello")))
case("field-unknown", "9110 5.1", MUST, "Unknown fields are forwarded.", get(b"/CASE/a", b"X-Nobody-Knows: 1"),
     forwarded(saw(b"x-nobody-knows", b"1")))
case("field-tokens", "9110 5.1", MUST, "A name may have any token character.", get(b"/CASE/a", b"x!#$%&'*+-.^_`|~9: 1"),
     forwarded(saw(b"x!#$%&'*+-.^_`|~9", b"1")))
case("field-underscore", "9110 5.1", MUST, "A name may have underscores.", get(b"/CASE/a", b"X_Y: 1"),
     forwarded(saw(b"x_y", b"1")))
case("field-order", "9110 5.3", MUST, "Lines of one name keep their order.",
     get(b"/CASE/a", b"X-A: 1", b"X-B: 2", b"X-A: 3", b"x-a: 2"),
     forwarded(that("another order", lambda o: b",".join(o.seen[0].values(b"x-a")).replace(b" ", b"") == b"1,3,2")))
case("field-many", "9110 5.4", SHOULD, "Sixty-four fields go through.",
     get(b"/CASE/a", *(b"X-%d: %d" % (n, n) for n in range(64))),
     forwarded(saw(b"x-0", b"0"), saw(b"x-63", b"63")))
case("field-too-many", "9110 5.4", MUST, "20,000 fields get a status of the class 4xx.",
     get(b"/CASE/a", *(b"X-%d: %d" % (n, n) for n in range(20_000))), refused(431, 400, 413))
case("field-too-many-431", "6585 5", SHOULD, "1,500 fields go through, or get 431.",
     get(b"/CASE/a", *(b"X-%d: 1" % n for n in range(1500))), any_of(refused(431), forwarded(saw(b"x-1499", b"1"))))
case("field-too-large", "9110 5.4", MUST, "A value of 300,000 bytes gets a status of the class 4xx.",
     get(b"/CASE/a", b"X-A: " + b"v" * 300_000), refused(431, 400, 413))
case("field-too-large-431", "6585 5", SHOULD, "A value of 300,000 bytes gets 431.",
     get(b"/CASE/a", b"X-A: " + b"v" * 300_000), refused(431))
case("head-bare-lf", "9112 2.2", SHOULD, "A head of LFs only: refused, or forwarded with CRLFs.",
     b"GET /CASE/a HTTP/1.1\nHost: CASE.test\nX-A: 1\n\n", any_of(refused(),
         forwarded(saw_target(b"/CASE/a"), saw(b"x-a", b"1"))))
case("head-cr-before-end", "9112 2.2", MUST, "CR CR LF at the end of a head is refused, or no CR is forwarded.",
     b"GET /CASE/a HTTP/1.1\r\n" + HOST + b"X-A: 1\r\n\r\r\n\r\n", any_of(refused(), forwarded(saw(b"x-a", b"1"))))
