import unittest

from pointsman import Error, Peer, Request, testing
from router import select_peer


def percent(percent: float) -> None:
    testing.config({"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102", "percent": percent})


def side(request: Request) -> str | None:
    route = select_peer(request)
    address = "127.0.0.1:9102" if route.note == "canary" else "127.0.0.1:9101"
    assert route.peer == Peer.http(address)
    return route.note


def with_session(n: int) -> Request:
    return testing.get("/", headers={"cookie": f"theme=dark; session={n}"})


class Canary(unittest.TestCase):
    def test_the_share_is_as_configured(self) -> None:
        percent(10)
        canaries = sum(side(with_session(n)) == "canary" for n in range(2_000))
        self.assertTrue(150 < canaries < 250, canaries)

    def test_zero_is_nobody_and_a_hundred_everybody(self) -> None:
        percent(0)
        self.assertTrue(all(side(with_session(n)) == "stable" for n in range(500)))
        percent(100)
        self.assertTrue(all(side(with_session(n)) == "canary" for n in range(500)))

    def test_a_larger_share_keeps_those_who_were_in(self) -> None:
        percent(10)
        before = [n for n in range(1_000) if side(with_session(n)) == "canary"]
        percent(20)
        self.assertTrue(all(side(with_session(n)) == "canary" for n in before))

    def test_the_header_chooses_outright(self) -> None:
        percent(0)
        self.assertEqual(side(testing.get("/", headers={"x-canary": "always"})), "canary")
        percent(100)
        self.assertEqual(side(testing.get("/", headers={"x-canary": "never"})), "stable")

    def test_without_a_cookie_the_address_decides(self) -> None:
        percent(50)
        sides = {side(testing.get("/", client_ip=f"192.0.2.{n}")) for n in range(256)}
        self.assertEqual(sides, {"canary", "stable"})

    def test_a_missing_percentage_is_named(self) -> None:
        testing.config({"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102"})
        with self.assertRaises(Error) as caught:
            select_peer(testing.get("/"))
        self.assertEqual(str(caught.exception), "config: `/percent` is missing")
