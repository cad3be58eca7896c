#!/usr/bin/env python3
"""Builds routers with bugs in a project that `pointsman new` made, and compares what their authors see.

    run.py POINTSMAN LANGUAGE FOLDER

A bug at run time has its text, and its file and line where the language knows them, in the decision's log or error. A
build that fails shows the compiler's lines, and at last the step and the program; one that succeeds shows warnings.
"""

import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).parent

# The router's file, and for each path of a request what is in the log, or what the module's error is.
ROUTERS = {
    "rust": ("src/lib.rs", "router.rs", {
        "/panic": r"^panicked at src/lib\.rs:\d+:\d+: the table is empty$",
        "/index": r"^panicked at src/lib\.rs:\d+:\d+: index out of bounds: the len is 0 but the index is 3$",
        "/none": r"^panicked at src/lib\.rs:\d+:\d+: called `Option::unwrap\(\)` on a `None` value$",
        "/shared": r"shared: too-long$",
    }),
    "c": ("router.c", "router.c", {
        "/assert": r"^assertion failed at router\.c:\d+ \(select_peer\): .*table\.len > 0$",
        "/abort": r"^abort was called$",
        "/print": r"^path /print, printed$",
        "/shared": r"shared: too-long$",
    }),
    "cpp": ("router.cpp", "router.cpp", {
        "/assert": r"^assertion failed at router\.cpp:\d+ \(.*select_peer.*\): .*!table\.empty\(\)$",
        "/at": r"^out_of_range was thrown in -fno-exceptions mode with message \"vector\"$",
        "/abort": r"^abort was called$",
        "/print": r"^path /print, printed$",
        "/shared": r"shared: too-long$",
    }),
    "zig": ("router.zig", "router.zig", {
        "/panic": r"^the table is empty$",
        "/index": r"^index out of bounds: index 3, len 0$",
        "/shared": r"shared: too-long$",
    }),
    "go": ("router.go", "router.go", {
        "/panic": r"panic: the table is empty at router\.go:\d+$",
        "/index": r"panic: runtime error: index out of range \[3\] with length 0 at router\.go:\d+$",
        "/goroutine": r"\S+/router\.go:\d+",
        "/deadlock": r"^fatal error: all goroutines are asleep - deadlock!$",
        "/print": r"^no line end$",
        "/shared": r"shared: too-long$",
    }),
    "as": ("assembly/router.ts", "router.ts", {
        "/assert": r"^the table is empty at assembly/router\.ts:8:\d+$",
        "/throw": r"^the table is empty at assembly/router\.ts:9:\d+$",
        "/index": r"^Index out of range at ~lib/array\.ts:\d+:\d+$",
        "/shared": r"shared: too-long$",
    }),
}

# What does not compile, and what compiles with a warning (the text that a build then shows); not all languages warn.
BROKEN = {
    "rust": "pub fn wrong() -> u32 { \"a\" }\n",
    "c": "int wrong(void) { return \"a\" }\n",
    "cpp": "int wrong() { return \"a\"; }\n",
    "zig": "comptime { const wrong: u32 = \"a\"; _ = wrong; }\n",
    "go": "var wrong uint32 = \"a\"\n",
    "as": "export const wrong: u32 = \"a\";\n",
}
WARNED = {
    "rust": ("fn not_called() {}\n", "not_called"),
    "c": ("static int not_called(void) { return 1; }\n", "not_called"),
    "cpp": ("static int not_called() { return 1; }\n", "not_called"),
}


def main(pointsman, language, folder):
    file, router, cases = ROUTERS[language]
    source = pathlib.Path(folder) / file
    text = (HERE / router).read_text()

    def build(more=""):
        source.write_text(text + more)
        return subprocess.run([pointsman, "build", folder], capture_output=True, text=True)

    failed = build(BROKEN[language])
    lines = failed.stderr.splitlines()
    expect(failed.returncode == 1, "a broken router is built", failed.stderr)
    expect(re.search(r"^error: .* failed: `\S+( -m \S+)?` ended with exit status: \d+", lines[-1]), "the last line", failed.stderr)
    expect(source.name in failed.stderr, "the compiler's lines", failed.stderr)
    expect(max(map(len, lines)) < 400 and '{"' not in failed.stderr, "more than the compiler's lines", failed.stderr)

    more, warning = WARNED.get(language, ("", ""))
    built = build(more)
    expect(built.returncode == 0, "a router with bugs is not built", built.stderr)
    expect(warning in built.stderr, "a warning is not shown", built.stderr)

    for path, wanted in cases.items():
        command = [pointsman, "decide", "--config", "pointsman.toml", f"http://shop.example{path}"]
        decided = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        (call,) = json.loads(decided.stdout)["asked"]
        seen = [line["message"] for line in call["log"]] + [call["answered"]]
        expect(any(re.search(wanted, line) for line in seen), f"{path}: no line matches {wanted}", "\n".join(seen))
        print(f"{path}: " + "; ".join(seen))


def expect(holds, what, shown):
    if not holds:
        sys.exit(f"failing: {what}:\n{shown}")


if __name__ == "__main__":
    main(*sys.argv[1:])
