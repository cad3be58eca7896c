"""The file of results, and the parts of docs/performance.md that are generated from it."""

import json
import os

from . import places

PAGE = os.path.join(places.DOCS, "performance.md")


def load(path=places.RESULTS):
    try:
        with open(path) as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def save(part, value, path=places.RESULTS):
    """Replaces one part and keeps the others. One measurement per line, so that diffs are readable."""
    results = load(path)
    results[part] = value
    os.makedirs(os.path.dirname(path), exist_ok=True)
    text = "{\n" + ",\n".join(f'"{key}": {lines(results[key])}' for key in sorted(results)) + "\n}\n"
    with open(path, "w") as file:
        file.write(text)


def lines(value):
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join("  " + json.dumps(one) for one in value) + "\n]"
    if isinstance(value, dict):
        return "{\n" + ",\n".join(f'"{key}": {lines(inner)}' for key, inner in value.items()) + "\n}"
    return json.dumps(value)


def write_page(part, text, path=PAGE):
    """Replaces the text between the page's two comments for `part`."""
    begin, end = f"<!-- {part}: made by make bench -->", f"<!-- {part}: end -->"
    with open(path) as file:
        page = file.read()
    if begin not in page or end not in page:
        raise SystemExit(f"{path} has no place for {part}: {begin} ... {end}")
    before, rest = page.split(begin, 1)
    after = rest.split(end, 1)[1]
    with open(path, "w") as file:
        file.write(f"{before}{begin}\n{text.strip()}\n{end}{after}")


def table(head, rows, left=1):
    """A Markdown table; the first `left` columns are text, the others figures."""
    align = ["---"] * left + ["--:"] * (len(head) - left)
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, align, *rows])


def figure(value, digits=1, sign=False):
    """A number for readers; a dash if there is none."""
    if value is None:
        return "-"
    return f"{value:{'+' if sign else ''},.{digits}f}"
