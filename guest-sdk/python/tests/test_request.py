import unittest

from pointsman import ClientTls, Failure, Header, Stage, testing


class Url(unittest.TestCase):
    def check(self, url: str, *expected: str | None) -> None:
        request = testing.get(url)
        self.assertEqual((request.scheme, request.authority, request.path, request.query), expected)

    def test_a_url_is_taken_apart(self) -> None:
        self.check("https://Shop.Example:8443/cart?x=1", "https", "shop.example:8443", "/cart", "x=1")
        self.check("http://shop.example", "http", "shop.example", "/", None)
        self.check("http://shop.example?a?b", "http", "shop.example", "/", "a?b")
        self.check("/cart?", "http", "", "/cart", "")

    def test_the_host_is_the_authority_without_port(self) -> None:
        hosts = {
            "http://shop.example/": "shop.example",
            "http://shop.example:8080/": "shop.example",
            "http://203.0.113.7:80/": "203.0.113.7",
            "http://[2001:db8::1]/": "[2001:db8::1]",
            "http://[2001:db8::1]:8080/": "[2001:db8::1]",
            "/": "",
        }
        for url, host in hosts.items():
            self.assertEqual(testing.get(url).host, host)


class Parts(unittest.TestCase):
    def test_segments_are_decoded_after_they_are_split(self) -> None:
        segments = {
            "/": [],
            "/cart//items/": ["cart", "items"],
            "/a%2Fb/caf%C3%A9": ["a/b", "café"],
            "/%FF/%2/100%/%zz/a+b/%e2%82": ["\ufffd", "%2", "100%", "%zz", "a+b", "\ufffd"],
            "/../%2e%2E": ["..", ".."],
        }
        for path, expected in segments.items():
            self.assertEqual(testing.get(path).path_segments, expected)

    def test_query_parameters_are_decoded(self) -> None:
        cases = [
            ("/", "a", None),
            ("/?", "a", None),
            ("/?a", "a", ""),
            ("/?a=1&b=2&a=3", "a", "1"),
            ("/?na%6De=caf%C3%A9+noir", "name", "café noir"),
            ("/?a=b=c?d%2B", "a", "b=c?d+"),
        ]
        for url, name, expected in cases:
            self.assertEqual(testing.get(url).query_param(name), expected, url)

    def test_all_query_parameters_keep_their_order(self) -> None:
        self.assertEqual(testing.get("/?b=1&&a=2&b=3").query_params, [("b", "1"), ("a", "2"), ("b", "3")])

    def test_cookies_come_from_all_their_headers(self) -> None:
        headers = [("Cookie", "a=1;b = 2; c=x=y; flag"), ("cookie", b"d=4; a=5; e=\xff")]
        request = testing.get("/", headers=headers)
        self.assertEqual([request.cookie(name) for name in ("a", "b", "c", "d")], ["1", "2", "x=y", "4"])
        self.assertIsNone(request.cookie("flag"))
        self.assertEqual(request.cookies[-1], ("e", "\ufffd"))
        self.assertEqual(len(request.cookies), 6)

    def test_headers_are_found_without_regard_to_case(self) -> None:
        request = testing.get("/", headers=[("X-Shop", "north"), ("x-id", b"\xff"), ("x-shop", "süd")])
        self.assertEqual(request.header("X-SHOP"), "north")
        self.assertEqual(request.header("x-id"), "\ufffd")
        self.assertEqual(request.header_bytes("x-id"), b"\xff")
        self.assertEqual(request.header_values("x-shop"), [b"north", "süd".encode()])
        self.assertIsNone(request.header("x-none"))
        self.assertIsNone(request.header_bytes("x-none"))
        self.assertEqual([name for name, _ in request.headers], ["x-shop", "x-shop", "x-id"])
        self.assertEqual(request.headers[2], Header("x-id", b"\xff"))
        self.assertEqual(request.headers[1].text, "süd")


class Facts(unittest.TestCase):
    def test_a_request_without_more_has_these(self) -> None:
        request = testing.request("POST", "http://shop.example/")
        self.assertEqual((request.method, request.client_ip, request.listener), ("POST", "192.0.2.1", "test"))
        self.assertEqual((request.tls, request.headers, request.attempts), (None, [], []))

    def test_https_has_tls_and_sni(self) -> None:
        tls = testing.get("https://shop.example:8443/").tls
        assert tls is not None
        self.assertEqual(tls.sni, "shop.example")

    def test_they_are_set_by_name(self) -> None:
        tls = ClientTls(None, "TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", bytes([7] * 32))
        request = testing.get("/", client_ip="2001:db8::1", listener="public", tls=tls)
        self.assertEqual((request.client_ip, request.listener, request.tls), ("2001:db8::1", "public", tls))

    def test_attempts_are_numbered_and_tell_what_failed(self) -> None:
        failed = [testing.refused("a:1"), testing.timed_out("b:2"), testing.closed("c:3"), testing.status("d:4", 503)]
        attempts = testing.get("/", attempts=failed).attempts
        self.assertEqual([attempt.number for attempt in attempts], [1, 2, 3, 4])
        described = [f"{attempt.failure} at {attempt.stage}" for attempt in attempts]
        self.assertEqual(described, ["refused at connect", "timeout at connect", "closed at receive", "status at receive"])
        self.assertEqual((attempts[3].status, attempts[3].request_sent), (503, True))

    def test_cases_have_the_names_of_the_contract(self) -> None:
        self.assertEqual([str(Stage.CONNECT_PROXY), str(Failure.PROXY_REFUSED)], ["connect-proxy", "proxy-refused"])
        self.assertEqual([stage.value for stage in Stage], list(range(7)))
        self.assertEqual([failure.value for failure in Failure], list(range(9)))
