import subprocess
import sys
import unittest

# In a process of its own, since it changes the standard library for good.
PROGRAM = """
import sys
from pointsman import _stdlib, testing
from pointsman.log import Level

_stdlib.bind()
import random, secrets, time, uuid

assert time.time() > 1_767_225_600 and random.random() != random.random() and testing.log_lines() == []
_stdlib.end_of_build()
print("cart", 3)
print("a\\nb", end="")
print("c", file=sys.stderr)
assert testing.log_lines() == [(Level.INFO, "cart 3"), (Level.INFO, "a"), (Level.WARN, "c")]
testing.clock(1_500)
assert (time.time(), time.time_ns(), time.monotonic()) == (1.5, 1_500_000_000, 1.5)
testing.random([1 << 63] * 100)
assert random.choice("abcd") == "a" and 0 <= random.random() < 1 and random.randint(1, 6) in range(1, 7)
testing.random([0x0102030405060708, 0xff])
assert secrets.token_bytes(9) == bytes([8, 7, 6, 5, 4, 3, 2, 1, 255])
testing.random([1, 2])
assert uuid.uuid4().int & 0xff == 0
for call, message in {
    lambda: __import__("csv"): "`csv` is not in the component: import it at the top of a file",
    lambda: open("/etc/hosts"): "there are no files in a component, and so no '/etc/hosts'",
}.items():
    try:
        call()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        assert str(error) == message, error
    else:
        raise AssertionError(message)
sys.__stdout__.write("passed")
"""


class StandardLibrary(unittest.TestCase):
    def test_it_is_bound_to_the_host(self) -> None:
        ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
        self.assertEqual((ended.stdout, ended.stderr), ("passed", ""))
