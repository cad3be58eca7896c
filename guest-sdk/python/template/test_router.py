import unittest

from pointsman import Error, testing
from router import select_peer


class Router(unittest.TestCase):
    def setUp(self) -> None:
        testing.reset()

    def test_the_header_chooses_the_canary(self) -> None:
        testing.config({"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102"})
        self.assertEqual(select_peer(testing.get("/", headers={"x-canary": "1"})).note, "canary")
        self.assertEqual(select_peer(testing.get("/")).note, "stable")

    def test_a_missing_address_is_named(self) -> None:
        with self.assertRaises(Error) as caught:
            select_peer(testing.get("/"))
        self.assertEqual(str(caught.exception), "config: `/stable` is missing")
