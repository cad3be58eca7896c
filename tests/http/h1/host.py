"""Host and authority (RFC 9112 3.2, RFC 9110 7.2)."""

from case import HOST, MUST, SHOULD, any_of, case, forwarded, get, refused, saw, that

HOST_RULE = "9112 3.2"


def bad_host(name, value, text, level=MUST):
    case(f"host-{name}", HOST_RULE, level, text, get(host=b"Host: " + value + b"\r\n"), refused())


case("host-none", HOST_RULE, MUST, "HTTP/1.1 without Host gets 400.", get(host=b""), refused())
case("host-twice", HOST_RULE, MUST, "Two different Host lines get 400.", get(host=HOST + b"Host: other.test\r\n"),
     refused())
case("host-twice-equal", HOST_RULE, MUST, "Two equal Host lines get 400.", get(host=HOST + HOST), refused())
case("host-twice-absolute", HOST_RULE, MUST, "Two Host lines get 400 with an absolute target, too.",
     get(b"http://CASE.test/CASE/a", host=HOST + HOST), refused())
case("host-none-absolute", HOST_RULE, MUST, "An absolute target does not make up for Host.",
     get(b"http://CASE.test/CASE/a", host=b""), refused())
bad_host("empty", b"", "An empty Host is no authority of an http URI.", SHOULD)
bad_host("path", b"a.test/path", "Host with a path gets 400.")
bad_host("list", b"a.test, b.test", "Host with two names gets 400.")
bad_host("space", b"a.test b.test", "Host with a space gets 400.")
bad_host("tab", b"a.test\tb.test", "Host with a tab gets 400.")
bad_host("query", b"a.test?x", "Host with a query gets 400.")
bad_host("fragment", b"a.test#x", "Host with a fragment gets 400.")
bad_host("userinfo", b"user@a.test", "Host with user information gets 400.")
bad_host("scheme", b"http://a.test", "Host that is a URI gets 400.")
bad_host("port-too-large", b"a.test:99999", "A port above 65,535 gets 400.", SHOULD)
bad_host("port-letters", b"a.test:8a", "A port with a letter gets 400.")
bad_host("port-negative", b"a.test:-1", "A negative port gets 400.")
bad_host("port-twice", b"a.test:80:90", "Two ports get 400.")
bad_host("non-ascii", b"caf\xc3\xa9.test", "Host outside ASCII gets 400.")
bad_host("backslash", b"a.test\\b", "Host with a backslash gets 400.")
bad_host("angle", b"<a.test>", "Host in angle brackets gets 400.")
bad_host("quote", b'"a.test"', "Host in quotes gets 400.")
bad_host("brackets-open", b"[::1", "An IPv6 literal that is not closed gets 400.")
bad_host("brackets-name", b"[a.test]", "A name in brackets gets 400.")
bad_host("brackets-after", b"[::1]x", "Text after an IPv6 literal gets 400.")
bad_host("bare-ipv6", b"::1", "An IPv6 address without brackets gets 400.")
bad_host("percent", b"a%zz.test", "A bad percent-encoding in Host gets 400.")
bad_host("nul", b"a.test\0.b", "NUL in Host gets 400.")


def good_host(name, value, text, *seen):
    case(f"host-{name}", HOST_RULE, MUST, text, get(host=b"Host: " + value + b"\r\n"),
         forwarded(that("another Host at the origin", lambda o: [v.lower() for v in o.seen[0].values(b"host")]
                        in [[s.replace(b"CASE", o.case_id)] for s in seen])))


good_host("port", b"CASE.test:8080", "Host with a port is accepted.", b"CASE.test:8080", b"CASE.test")
good_host("port-empty", b"CASE.test:", "Host with an empty port is accepted.", b"CASE.test:", b"CASE.test",
          b"CASE.test:80")
good_host("upper-case", b"CASE.TEST", "Host in capitals is accepted.", b"CASE.test")
good_host("ipv4", b"127.0.0.1:80", "Host with an IPv4 address is accepted.", b"127.0.0.1:80", b"127.0.0.1")
good_host("ipv6", b"[::1]:8080", "Host with an IPv6 literal is accepted.", b"[::1]:8080", b"[::1]")
good_host("underscore", b"my_CASE.test", "Host with an underscore is accepted.", b"my_CASE.test")
case("host-last", HOST_RULE, MUST, "Host need not be the first field.",
     b"GET /CASE/a HTTP/1.1\r\nX-A: 1\r\n" + HOST + b"\r\n",
     forwarded(saw(b"host", b"CASE.test")))
case("host-1.0-none", HOST_RULE, MUST, "HTTP/1.0 needs no Host.", get(host=b"", version=b"HTTP/1.0"),
     any_of(forwarded(), refused(404)))
case("host-nominated", "9110 7.6.1", MUST, "`Connection: host` does not take Host away.",
     get(b"/CASE/a", b"Connection: host"),
     any_of(refused(), forwarded(saw(b"host", b"CASE.test"))))
