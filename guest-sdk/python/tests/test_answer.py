import unittest
from typing import Any

from pointsman import (
    Alpn,
    BindTo,
    ConnectProxy,
    Error,
    Header,
    Pass,
    Peer,
    Quirks,
    Response,
    Route,
    TcpKeepalive,
    Tls,
    Upgrade,
    Verify,
    _answer,
    testing,
)

# The records of the contract, as the host reads them.
TIMEOUTS = ("connect_ms", "total_connect_ms", "read_ms", "write_ms", "idle_ms")
HTTP = ("alpn", "max_h2_streams", "h2_ping_interval_ms", "h2_stream_window", "h2_connection_window", "upgrade", "quirks")
SOCKET = ("dscp", "tcp_recv_buf", "tcp_fast_open")
REWRITE = ("authority", "path_and_query", "remove_headers", "set_headers", "add_headers")
RETRY = ("attempts", "on_status")


def read(record: Any, fields: tuple[str, ...]) -> list[Any]:
    return [getattr(record, field) for field in fields]


def route_of(answer: Peer | Route) -> Any:
    decision = _answer.to_host(answer)
    assert isinstance(decision, _answer.Connect)
    return decision.value


class Records(unittest.TestCase):
    def test_a_plain_peer_leaves_everything_open(self) -> None:
        for answer in (Peer.http("127.0.0.1:9101"), Route(Peer("127.0.0.1:9101"))):
            route = route_of(answer)
            peer = route.peer
            self.assertEqual(peer.address, "127.0.0.1:9101")
            self.assertEqual(read(peer, ("tls", "connect_proxy", "bind_to", "tcp_keepalive", "isolation")), [None] * 5)
            self.assertEqual(read(peer.timeouts, TIMEOUTS), [None] * 5)
            self.assertEqual(
                read(peer.http, HTTP), [Alpn.H1, None, None, None, None, Upgrade.WEBSOCKET, Quirks(0)]
            )
            self.assertEqual(read(peer.socket, SOCKET), [None, None, False])
            self.assertEqual(read(route.rewrite, REWRITE), [None, None, [], [], []])
            self.assertEqual(read(route.retry, RETRY), [None, []])
            self.assertIsNone(route.note)

    def test_every_field_of_a_peer_is_set_in_its_record(self) -> None:
        proxy = ConnectProxy("192.0.2.1:3128", {"proxy-authorization": "Basic eDp5"})
        peer = Peer.http(
            "10.0.0.1:80",
            connect_proxy=proxy,
            bind_to=BindTo("127.0.0.1", (40_000, 40_100), True),
            connect_ms=1,
            total_connect_ms=2,
            read_ms=3,
            write_ms=4,
            idle_ms=0,
            tcp_keepalive=TcpKeepalive(60, 5, 3),
            alpn=Alpn.H2,
            max_h2_streams=6,
            h2_ping_interval_ms=7,
            h2_stream_window=8,
            h2_connection_window=9,
            upgrade=Upgrade.DENY,
            quirks=Quirks.KEEP_HOP_BY_HOP | Quirks.ACCEPT_INVALID_CONTENT_LENGTH,
            dscp=46,
            tcp_recv_buf=4096,
            tcp_fast_open=True,
            isolation="batch",
        )
        host = route_of(peer).peer
        self.assertEqual(read(host.timeouts, TIMEOUTS), [1, 2, 3, 4, 0])
        self.assertEqual(read(host.http, HTTP), [Alpn.H2, 6, 7, 8, 9, Upgrade.DENY, Quirks(0b1001)])
        self.assertEqual(read(host.socket, SOCKET), [46, 4096, True])
        self.assertEqual(host.connect_proxy.headers, [Header("proxy-authorization", b"Basic eDp5")])
        self.assertEqual(host.bind_to, BindTo("127.0.0.1", (40_000, 40_100), True))
        self.assertEqual(host.tcp_keepalive, TcpKeepalive(60, 5, 3, 0))
        self.assertEqual((host.isolation, host.tls), ("batch", None))

    def test_https_checks_the_certificate_in_full(self) -> None:
        self.assertEqual(Peer.https("shop.example:443").tls, Tls(verify=Verify.FULL))

    def test_every_tls_option_sets_its_field(self) -> None:
        peer = Peer.https(
            "203.0.113.7:443",
            sni="shop.example",
            verify=Verify.CHAIN_ONLY,
            alternative_cn="old.example",
            ca="internal",
            client_cert="proxy",
            curves="X25519",
            second_key_share=False,
            read_ms=5,
        )
        expected = Tls("shop.example", Verify.CHAIN_ONLY, "old.example", "internal", "proxy", "X25519", False)
        self.assertEqual(route_of(peer).peer.tls, expected)
        self.assertEqual(peer.read_ms, 5)

    def test_every_change_of_a_route_sets_its_field(self) -> None:
        route = Route(
            Peer.http("127.0.0.1:9101"),
            authority="shop.internal:8080",
            path_and_query="/v2?x=1",
            remove_headers=["x-debug"],
            set_headers={"x-shop": "north"},
            add_headers=[("via", b"\xff"), ("via", "é")],
            attempts=2,
            on_status=(502, 503),
            note="v2",
        )
        host = route_of(route)
        added = [Header("via", b"\xff"), Header("via", "é".encode())]
        changes = ["shop.internal:8080", "/v2?x=1", ["x-debug"], [Header("x-shop", b"north")], added]
        self.assertEqual(read(host.rewrite, REWRITE), changes)
        self.assertEqual(read(host.retry, RETRY), [2, [502, 503]])
        self.assertEqual(host.note, "v2")

    def test_values_of_enumerations_are_their_positions(self) -> None:
        for cases in (Alpn, Upgrade, Verify):
            self.assertEqual([case.value for case in cases], [0, 1, 2])
        self.assertEqual([quirk.value for quirk in Quirks], [1, 2, 4, 8])

    def test_a_route_keeps_nothing_for_the_next(self) -> None:
        Route(Peer.http("a:1")).remove_headers.append("x")
        self.assertEqual(Route(Peer.http("a:1")), Route(Peer.http("a:1"), remove_headers=[]))


class Responses(unittest.TestCase):
    def test_text_and_json_set_their_type(self) -> None:
        text = Response.text(404, "no such page", {"x-a": "1"})
        headers = [("content-type", "text/plain; charset=utf-8"), ("x-a", "1")]
        self.assertEqual(text, Response(404, b"no such page", headers))
        self.assertEqual(Response.json(200, {"a": 1}), Response(200, '{"a": 1}', {"content-type": "application/json"}))

    def test_a_response_is_its_own_record(self) -> None:
        response = Response(204)
        decision = _answer.to_host(response)
        assert isinstance(decision, _answer.Respond)
        self.assertIs(decision.value, response)

    def test_pass_is_a_case(self) -> None:
        self.assertEqual(_answer.to_host(Pass()), Pass())


class Wrong(unittest.TestCase):
    def check(self, answer: Any, message: str) -> None:
        with self.assertRaises(Error) as caught:
            testing.check(answer)
        self.assertEqual(str(caught.exception), message)

    def peer(self, message: str, **fields: Any) -> None:
        self.check(Peer.http("a:1", **fields), f"Peer: {message}")

    def test_a_value_that_a_record_cannot_hold_is_named(self) -> None:
        self.check(Peer(None), "Peer: `address` is None, not a text")  # type: ignore[arg-type]
        self.check(Peer("\ud800"), "Peer: `address` is '\\ud800', not a text that UTF-8 can hold")
        self.peer("`connect_ms` is 1.5, not a whole number from 0 to 4294967295", connect_ms=1.5)
        self.peer("`idle_ms` is 4294967296, not a whole number from 0 to 4294967295", idle_ms=1 << 32)
        self.peer("`dscp` is -1, not a whole number from 0 to 255", dscp=-1)
        self.peer("`alpn` is 'h2', not of type Alpn", alpn="h2")
        self.peer("`quirks` is 0, not of type Quirks", quirks=0)
        self.peer("`connect_proxy` is 'a:1', not of type ConnectProxy", connect_proxy="a:1")
        self.peer("`isolation` is b'x', not a text", isolation=b"x")

    def test_parts_of_a_peer_are_checked_too(self) -> None:
        ports = BindTo(port_range=[1, 2])  # type: ignore[arg-type]
        self.check(Peer.http("a:1", bind_to=ports), "BindTo: `port_range` is [1, 2], not a tuple of two numbers")
        verify: Any = "none"
        self.check(Peer.https("a:1", verify=verify), "Tls: `verify` is 'none', not of type Verify")
        keepalive = TcpKeepalive(60, 5, -3)
        message = "TcpKeepalive: `count` is -3, not a whole number from 0 to 4294967295"
        self.check(Peer.http("a:1", tcp_keepalive=keepalive), message)

    def test_routes_and_responses_are_checked(self) -> None:
        peer = Peer.http("a:1")
        address: Any = "a:1"
        self.check(Route(address), "Route: `peer` is 'a:1', not a Peer")
        note: Any = 7
        self.check(Route(peer, note=note), "Route: `note` is 7, not a text")
        number = "not a whole number from 0 to 65535"
        self.check(Route(peer, on_status=[70_000]), f"Route: `on_status` is 70000, {number}")
        self.check(Response(99_999), f"Response: `status` is 99999, {number}")
        response = Response(200)
        response.body = "text"  # type: ignore[assignment]
        self.check(response, "Response: `body` is 'text', not bytes")
        route = Route(peer)
        route.set_headers.append(("x", "y"))  # type: ignore[arg-type]
        self.check(route, "Route: `set_headers` is ('x', 'y'), not a Header of a text and bytes")

    def test_an_invalid_answer_is_reported(self) -> None:
        expected = "not a Peer, a Route, a Response or Pass()"
        self.check(None, f"`select_peer` returned None, {expected}")
        self.check(Pass, f"`select_peer` returned <class 'pointsman.route.Pass'>, {expected}")
