import unittest
from collections.abc import Callable
from typing import Any

from pointsman import Error, Peer, _answer, config, testing
from pointsman._trace import error_text

# This file is all that an author wrote, and lies in this folder.
FOLDER = __file__.rpartition("/")[0] + "/"


def decode(text: str) -> int:
    return int(text)


def recurse(depth: int) -> None:
    if depth == 0:
        raise Error("too deep")
    recurse(depth - 1)


def wrap() -> None:
    try:
        decode("x")
    except ValueError as error:
        raise Error("no number") from error


def line_of(function: Callable[..., object], below: int) -> str:
    """A line of a function, counted from its first."""
    return f"test_trace.py:{function.__code__.co_firstlineno + below}"


class Trace(unittest.TestCase):
    def setUp(self) -> None:
        testing.reset()

    def check(self, act: Callable[[], object], expected: str) -> None:
        """The last place is the line of this file that calls `act`, in here."""
        try:
            act()
        except Exception as error:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            self.assertEqual(error_text(error, FOLDER), expected)
        else:
            self.fail("nothing was raised")

    def test_the_author_s_lines_are_named_from_the_innermost_on(self) -> None:
        def call() -> None:
            decode("x")

        text = "ValueError: invalid literal for int() with base 10: 'x'"
        self.check(call, f"{text} ({line_of(decode, 1)}, {line_of(call, 1)})")

    def test_lines_of_the_package_and_of_the_standard_library_are_not_named(self) -> None:
        def missing() -> None:
            config.text("/stable")

        def no_json() -> None:
            import json

            json.loads("")

        self.check(missing, f"config: `/stable` is missing ({line_of(missing, 1)})")
        text = "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"
        self.check(no_json, f"{text} ({line_of(no_json, 3)})")
        peer = Peer.http("127.0.0.1:80")
        peer.address = 1  # type: ignore[assignment]
        with self.assertRaises(Error) as caught:
            _answer.to_host(peer)
        self.assertEqual(error_text(caught.exception, "/elsewhere/"), "Peer: `address` is 1, not a text")

    def test_a_recursion_is_named_once(self) -> None:
        def call() -> None:
            recurse(50)

        self.check(call, f"too deep ({line_of(recurse, 2)}, {line_of(recurse, 3)}, {line_of(call, 1)})")

    def test_a_long_stack_is_cut(self) -> None:
        source = "def f0(): raise KeyError('x')\n" + "".join(f"def f{n}(): f{n - 1}()\n" for n in range(1, 20))
        names: dict[str, Any] = {}
        exec(compile(source, f"{FOLDER}many.py", "exec"), names)
        places = ", ".join(f"many.py:{line}" for line in range(1, 11))
        self.check(names["f19"], f"KeyError: 'x' ({places}, ...)")

    def test_a_cause_follows(self) -> None:
        cause = f"ValueError: invalid literal for int() with base 10: 'x' ({line_of(decode, 1)}, {line_of(wrap, 2)})"
        self.check(wrap, f"no number ({line_of(wrap, 4)}): {cause}")

    def test_an_exception_without_text_is_its_kind(self) -> None:
        self.assertEqual(error_text(AssertionError(), FOLDER), "AssertionError")
        self.assertEqual(error_text(Error("no such shop"), FOLDER), "no such shop")
