import unittest

from pointsman import testing
from pointsman.log import Level
from router import select_peer, sorry, to


class Failover(unittest.TestCase):
    def setUp(self) -> None:
        testing.reset()
        testing.config({"upstreams": ["127.0.0.1:9101", "127.0.0.1:9102"]})

    def test_the_first_upstream_is_preferred(self) -> None:
        self.assertEqual(select_peer(testing.get("/")), to("127.0.0.1:9101"))

    def test_the_second_follows_when_the_first_fails(self) -> None:
        request = testing.get("/", attempts=[testing.refused("127.0.0.1:9101")])
        self.assertEqual(select_peer(request), to("127.0.0.1:9102"))
        self.assertEqual(testing.log_lines(), [(Level.WARN, "127.0.0.1:9101 failed: refused")])

    def test_when_all_have_failed_the_module_answers(self) -> None:
        failed = [testing.timed_out("127.0.0.1:9101"), testing.status("127.0.0.1:9102", 503)]
        self.assertEqual(select_peer(testing.get("/", attempts=failed)), sorry())
