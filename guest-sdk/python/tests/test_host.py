import unittest
from collections.abc import Callable
from typing import Any

from pointsman import Error, clock, config, log, random, shared, testing, upstreams
from pointsman.log import Level
from pointsman.shared import Reason
from pointsman.upstreams import Health, Upstream


class HostCase(unittest.TestCase):
    def setUp(self) -> None:
        testing.reset()

    def fails(self, message: str, function: Any, *arguments: Any) -> None:
        with self.assertRaises(Error) as caught:
            function(*arguments)
        self.assertEqual(str(caught.exception), message)


class Config(HostCase):
    def test_values_are_found_by_their_pointer(self) -> None:
        testing.config('{"name": "shop", "on": true, "ports": [80, 81], "upstreams": ["a:1"], "share": 2.5, "a/b": {"~": 1}}')
        self.assertEqual(config.text("/name"), "shop")
        self.assertEqual(config.texts("/upstreams"), ["a:1"])
        self.assertEqual(config.integer("/ports/1"), 81)
        self.assertEqual((config.number("/share"), config.number("/ports/0")), (2.5, 80.0))
        self.assertTrue(config.flag("/on"))
        self.assertEqual((config.get("/ports"), config.get("/a~1b/~0"), config.get("name")), ("[80,81]", "1", None))
        self.assertEqual(config.parse()["ports"], [80, 81])

    def test_defaults_replace_absent_values(self) -> None:
        self.assertEqual((config.json(), config.parse()), ("{}", {}))
        self.assertEqual(config.text("/name", "shop"), "shop")
        self.assertEqual((config.number("/percent", 10), config.integer("/percent", 10)), (10, 10))
        self.assertFalse(config.flag("/on"))
        self.assertIsNone(config.get("/name"))

    def test_a_missing_value_is_named(self) -> None:
        for function in (config.text, config.texts, config.number, config.integer):
            self.fails("config: `/x` is missing", function, "/x")

    def test_a_value_of_the_wrong_type_is_an_error_even_with_a_default(self) -> None:
        testing.config({"text": "80", "number": 80.5, "list": ["a", 1], "null": None})
        self.fails("config: `/number` is `80.5`, not a text", config.text, "/number", "")
        self.fails("config: `/text` is `\"80\"`, not a list", config.texts, "/text")
        self.fails("config: `/list/1` is `1`, not a text", config.texts, "/list")
        self.fails("config: `/text` is `\"80\"`, not a number", config.number, "/text", 1)
        self.fails("config: `/null` is `null`, not a number", config.number, "/null")
        self.fails("config: `/number` is `80.5`, not a whole number", config.integer, "/number", 1)
        self.fails("config: `/text` is `\"80\"`, not true or false", config.flag, "/text")

    def test_a_test_sets_an_object(self) -> None:
        with self.assertRaises(ValueError):
            testing.config("{")
        with self.assertRaises(ValueError):
            testing.config("[]")
        testing.config({"a": "é"})
        self.assertEqual(testing.config_json(), '{"a":"é"}')


class Log(HostCase):
    def test_each_line_is_recorded_once_with_its_level(self) -> None:
        log.info("cart")
        log.warn(3)
        log.error("\ud800")
        expected = [(Level.INFO, "cart"), (Level.WARN, "3"), (Level.ERROR, "?")]
        self.assertEqual(testing.log_lines(), expected)
        self.assertEqual(testing.log_lines(), [])

    def test_each_level_has_a_function(self) -> None:
        for function in (log.trace, log.debug, log.info, log.warn, log.error):
            function("x")
        self.assertEqual([level for level, _ in testing.log_lines()], list(Level))


class Shared(HostCase):
    def test_a_counter_counts_within_its_ttl(self) -> None:
        testing.clock(1_000)
        self.assertEqual(shared.add("hits", 1, ttl_ms=1_000), 1)
        testing.clock(1_999)
        self.assertEqual((shared.add("hits", 1, 1_000), shared.counter("hits")), (2, 2))
        testing.clock(2_000)
        self.assertEqual((shared.counter("hits"), shared.add("hits", 5)), (None, 5))

    def test_a_value_is_kept_until_it_is_replaced_or_removed(self) -> None:
        self.assertIsNone(shared.get("colour"))
        shared.set("colour", "green")
        self.assertFalse(shared.compare_and_set("colour", None, "red"))
        self.assertFalse(shared.compare_and_set("colour", b"blue", "red"))
        self.assertTrue(shared.compare_and_set("colour", "green", b"red"))
        self.assertEqual((shared.get("colour"), shared.counter("colour")), (b"red", None))
        shared.delete("colour")
        self.assertIsNone(shared.get("colour"))

    def test_an_error_has_a_reason(self) -> None:
        shared.set("value", "x")
        shared.add("counter", (1 << 63) - 1)
        calls: dict[Reason, Callable[[], object]] = {
            Reason.OTHER_KIND: lambda: shared.add("value", 1),
            Reason.OVERFLOW: lambda: shared.add("counter", 1),
            Reason.TOO_LONG: lambda: shared.set("k" * 257, "x"),
        }
        for reason, call in calls.items():
            with self.assertRaises(shared.Error) as caught:
                call()
            self.assertEqual(caught.exception.reason, reason)
        self.assertEqual(str(caught.exception), "shared: too-long")

    def test_numbers_that_the_host_cannot_take_are_refused(self) -> None:
        self.assertRaises(ValueError, shared.add, "hits", 1 << 63)
        self.assertRaises(ValueError, shared.set, "k", "v", -1)
        self.assertRaises(ValueError, shared.set, "k", "v", 1 << 32)


class Upstreams(HostCase):
    def test_upstreams_are_found(self) -> None:
        seen = Upstream("a:1", Health.HEALTHY, in_flight=2, latency_us=300, failures=1)
        testing.upstream(seen)
        testing.group("backends", [seen, Upstream("b:2")])
        self.assertEqual((upstreams.get("a:1"), upstreams.get("c:3")), (seen, Upstream("c:3")))
        self.assertEqual(upstreams.group("backends"), [seen, Upstream("b:2", Health.UNKNOWN, 0, None, 0)])
        self.fails("there is no group `none`; the operator defines it", upstreams.group, "none")


class TimeAndChance(HostCase):
    def test_the_clock_does_not_advance_until_it_is_set(self) -> None:
        self.assertEqual(clock.now_ms(), testing.NEW_YEAR_MS)
        testing.clock(7)
        self.assertEqual(clock.now_ms(), 7)

    def test_numbers_are_within_their_range(self) -> None:
        top = (1 << 64) - 1
        testing.random([0, top, top // 2, 7])
        self.assertEqual([random.below(10), random.below(10), random.below(10), random.below(0)], [0, 9, 4, 0])
        testing.random([5])
        self.assertEqual((random.bits(), random.bits()), (5, 0))

    def test_two_picked_items_differ(self) -> None:
        items, top = ["a", "b", "c"], (1 << 64) - 1
        for first in range(3):
            for second in range(2):
                testing.random([top // 3 * first + 1000, top // 2 * second + 1000])
                picked = random.pick_two(items)
                assert picked is not None
                self.assertEqual(len(set(picked)), 2)
        self.assertIsNone(random.pick_two(items[:1]))
        self.assertIsNone(random.pick([]))
        self.assertEqual(random.pick(items), "a")
