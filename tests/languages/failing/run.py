#!/usr/bin/env python3
"""Builds routers with bugs in a project that `pointsman new` made, and compares what their authors see.

    run.py POINTSMAN LANGUAGE FOLDER

Each router makes a mistake that the request's path chooses. What `pointsman decide` shows of it is in `shown/`: of a
release build in LANGUAGE.release.txt, and of one that says more (`--debug`) in LANGUAGE.txt. With UPDATE_SHOWN=1 in the
environment, both are written instead. docs/mistakes.md has the latter, and tests/tidy.rs compares.

A build that fails shows the compiler's lines, and at last the step and the program; one that succeeds shows warnings.
"""

import difflib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap

HERE = pathlib.Path(__file__).parent

# The router's file in a project, and here; and the files that it imports.
ROUTERS = {
    "rust": ("src/lib.rs", "router.rs"),
    "c": ("router.c", "router.c"),
    "cpp": ("router.cpp", "router.cpp"),
    "zig": ("router.zig", "router.zig"),
    "go": ("router.go", "router.go"),
    "js": ("router.js", "router.js", "table.js"),
    "ts": ("router.ts", "router.ts", "table.ts"),
    "python": ("router.py", "router.py", "table.py"),
    "as": ("assembly/router.ts", "router.as.ts"),
}

# In every language. `configure` is a value of a wrong type in the configuration, not a path.
MISTAKES = ["panic", "assert", "index", "null", "exit", "memory", "loop", "recursion", "configure", "answer"]

# What else is worth a look: output, an error of the host's, and what other ways to fail a language has.
MORE = {
    "c": ["print"],
    "cpp": ["print"],
    "go": ["goroutine", "deadlock", "print"],
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
    file, router, *imported = ROUTERS[language]
    source = pathlib.Path(folder) / file
    for name in imported:
        shutil.copy(HERE / name, source.with_name(name))
    text = (HERE / router).read_text()

    def build(more="", *options):
        source.write_text(text + more)
        return subprocess.run([pointsman, "build", folder, *options], capture_output=True, text=True)

    def compare(name, mistakes):
        shown = "".join(section(pointsman, folder, mistake) for mistake in mistakes)
        path = HERE / "shown" / f"{name}.txt"
        if "UPDATE_SHOWN" in os.environ:
            path.write_text(shown)
        before = path.read_text().splitlines(keepends=True)
        difference = difflib.unified_diff(before, shown.splitlines(keepends=True), path.name, "shown")
        expect(shown == "".join(before), "another text than before (UPDATE_SHOWN=1 writes it)", "".join(difference))

    mistakes = [*MISTAKES, "shared", *MORE.get(language, [])]
    if language not in BROKEN:
        # A bug in these languages is an exception, and an error of the compiler's is in their SDKs' own tests.
        built = build()
        expect(built.returncode == 0, "a router with bugs is not built", built.stderr)
        compare(language, mistakes)
        return

    failed = build(BROKEN[language])
    lines = failed.stderr.splitlines()
    expect(failed.returncode == 1, "a broken router is built", failed.stderr)
    expect(re.search(r"^error: .* failed: `\S+( -m \S+)?` ended with exit status: \d+", lines[-1]), "the last line", failed.stderr)
    expect(source.name in failed.stderr, "the compiler's lines", failed.stderr)
    expect(max(map(len, lines)) < 400 and '{"' not in failed.stderr, "more than the compiler's lines", failed.stderr)

    more, warning = WARNED.get(language, ("", ""))
    # A refused configuration is an error without a place, and each time the module is compiled for nothing.
    released = [mistake for mistake in mistakes if mistake != "configure"]
    for name, options, chosen in (f"{language}.release", [], released), (language, ["--debug"], mistakes):
        built = build(more, *options)
        expect(built.returncode == 0, "a router with bugs is not built", built.stderr)
        expect(warning in built.stderr, "a warning is not shown", built.stderr)
        compare(name, chosen)


def section(pointsman, folder, mistake):
    """What `pointsman decide` shows of a mistake: the lines of the log, and the outcome."""
    stable = 9101 if mistake == "configure" else "127.0.0.1:9101"
    command = [pointsman, "decide", "--module", "router.wasm", "--module-config", json.dumps({"stable": stable})]
    decided = subprocess.run([*command, f"http://shop.example/{mistake}"], cwd=folder, capture_output=True, text=True)
    if not decided.stdout:
        lines = decided.stderr.splitlines()
    else:
        report = json.loads(decided.stdout)
        (call,) = report["asked"]
        outcome = report["outcome"]
        lines = [f"log: {line['message']}" for line in call["log"]]
        lines.append(outcome["refused"]["reason"] if "refused" in outcome else call["answered"])
    return f"{mistake}:\n" + textwrap.indent("\n".join(without_addresses(lines)), "  ") + "\n"


def without_addresses(lines):
    """Of Go's tracebacks, the author's calls: the runtime's, and addresses, change with every version of the SDK."""
    kept = []
    for line in lines:
        is_frame = re.match(r"log: (\\t|goroutine [^1]|created by|[\w./*()-]+\()", line)
        if is_frame and not re.search(r"\bmain\.|router\.go", line):
            line = "log: ..."
        line = re.sub(r" gp=\S+| m=\S+| mp=\S+| [fs]p=\S+| pc=\S+| \+0x\w+", "", line)
        line = re.sub(r"\((0x[^)]*|\d+ in use)\)", "(...)", line)
        if line != "log: ..." or kept[-1:] != [line]:
            kept.append(line)
    return kept


def expect(holds, what, shown):
    if not holds:
        sys.exit(f"failing: {what}:\n{shown}")


if __name__ == "__main__":
    main(*sys.argv[1:])
