"""Cases, and the vocabulary for their expectations.

An expectation is a function of an `Outcome` that returns None if it is met, otherwise the problem in one line.
"""

from client import Answers, HALF_CLOSE, INTERIM, Slowly, WaitForOrigin  # noqa: F401  (the steps, for the modules of cases)
from origin import answer  # noqa: F401

MUST, SHOULD = "MUST", "SHOULD"
CASES = []
HOST = b"Host: CASE.test\r\n"


class Case:
    def __init__(self, name, section, level, text, send, expect, *, answer=None, close=False, early=False, replies=1,
                 probe=True, to_end=True, alone=False, methods=None):
        self.name, self.section, self.level, self.text = name, section, level, text
        self.send = send if isinstance(send, list) else [send]
        self.expect = expect
        self.answer, self.close, self.early = answer, close, early
        self.replies, self.probe, self.to_end, self.alone = replies, probe, to_end, alone
        self.methods = methods or [b"GET"] * replies


def case(*args, **kwargs):
    made = Case(*args, **kwargs)
    if any(other.name == made.name for other in CASES):
        raise ValueError(f"two cases are named {made.name}")
    CASES.append(made)


def get(path=b"/CASE/a", *lines, version=b"HTTP/1.1", method=b"GET", host=HOST, body=b""):
    """A request with these field lines."""
    return method + b" " + path + b" " + version + b"\r\n" + host + b"".join(line + b"\r\n" for line
        in lines) + b"\r\n" + body


def post(*lines, body=b"", path=b"/CASE/a", version=b"HTTP/1.1"):
    return get(path, *lines, version=version, method=b"POST", body=body)


def chunked(body, *lines, path=b"/CASE/a"):
    return post(b"Transfer-Encoding: chunked", *lines, body=body, path=path)


def by_origin(response):
    return bool(response.values(b"x-origin"))


# --- Expectations ----------------------------------------------------------------------------------------------------


def summary(o):
    """A short description of the outcome, for messages."""
    got = ", ".join(f"{r.status}{'' if by_origin(r) else ' of the proxy'}" for r in o.answers) or "no answer"
    return f"{got}; {o.ended or 'open'}; the origin saw {len(o.seen)}"


def sound(o):
    """Everything that the proxy wrote, to either side, is well-formed."""
    for response in o.answers:
        if response.error:
            return f"malformed answer: {response.error}"
        if by_origin(response) and o.case_id not in response.values(b"x-origin"):
            return f"an answer of another case: {response.values(b'x-origin')!r}"
    for request in o.seen:
        if request.error:
            return f"malformed at the origin: {request.error}"
    if o.leftover:
        return f"left over: {o.leftover[:60]!r}"
    return None


def refused(*statuses, or_closed=False, partly=False, closes=False):
    """The proxy itself answers with one of the statuses, and no complete request reaches the origin.

    `or_closed`: closing without a response is also allowed. `partly`: the head may have been forwarded before the
    error. `closes`: the connection must not be used again.
    """
    statuses = statuses or (400,)

    def check(o):
        if any(r.complete and not r.error for r in o.seen) or (o.seen and not partly):
            return f"forwarded ({summary(o)})"
        if any(r.error for r in o.seen):
            return f"malformed at the origin: {o.seen[0].error}"
        if not o.answers:
            return None if or_closed and o.ended and not o.leftover else f"not refused ({summary(o)})"
        first = o.first
        if first.error:
            return f"malformed answer: {first.error}"
        if by_origin(first):
            if not (partly and 400 <= first.status):
                return f"the origin's answer ({summary(o)})"
        elif first.status not in statuses and not (partly and first.status in (400, 502)):
            return f"status {first.status}"
        if len(o.answers) > 1:
            return f"more than one answer ({summary(o)})"
        if closes and o.reused:
            return "the connection was reused"
        return None

    return check


def forwarded(*checks, count=1, status=200, reused=None):
    """The origin gets `count` correct requests, and the client its answers."""

    def check(o):
        if wrong := sound(o):
            return wrong
        if len(o.answers) != count or any(not by_origin(r) or r.status != status for r in o.answers):
            return f"not answered by the origin ({summary(o)})"
        if any(not r.complete for r in o.answers):
            return "incomplete answer"
        if len(o.seen) != count or any(not r.complete for r in o.seen):
            return f"the origin saw {len(o.seen)} requests ({summary(o)})"
        for request in o.seen:
            if request.version not in (b"HTTP/1.1", b"HTTP/1.0"):
                return f"version {request.version!r}"
        if reused is not None and o.reused != reused:
            return "the connection was closed" if reused else "the connection was reused"
        return first_wrong(checks, o)

    return check


def answered(*checks, status=(200,), reused=None, complete=True):
    """The client gets one correct answer with one of the statuses, from the proxy or the origin."""

    def check(o):
        if wrong := sound(o):
            return wrong
        if len(o.answers) != 1 or o.first.status not in status:
            return f"answer ({summary(o)})"
        if complete and not o.first.complete:
            return "incomplete answer"
        if reused is not None and o.reused != reused:
            return "the connection was closed" if reused else "the connection was reused"
        return first_wrong(checks, o)

    return check


def first_wrong(checks, o):
    for check in checks:
        if wrong := check(o):
            return wrong
    return None


def all_of(*checks):
    return lambda o: first_wrong(checks, o)


def any_of(*checks):
    """The RFC allows several reactions."""

    def check(o):
        wrong = [c(o) for c in checks]
        return None if None in wrong else "neither: " + "; nor: ".join(wrong)

    return check


def bad_gateway(o):
    """The proxy's own 502 (or 504), correct and complete."""
    return answered(lambda o: "the origin's response was forwarded" if by_origin(o.first) else None, status=(502, 504))(o)


def noticed(o):
    """The client can detect that the response is incomplete: by its framing, by a reset, or by a 502 instead."""
    if not o.answers:
        return None if o.ended else f"no end ({summary(o)})"
    first = o.first
    if first.status in (502, 504) and not by_origin(first):
        return None
    if first.error:
        return None if o.ended else f"malformed: {first.error}"
    if first.complete:
        return f"looks complete, framed by {first.framing}"
    return None if o.ended else f"left open ({summary(o)})"


def that(text, condition):
    """A condition on the outcome, and the message if it fails."""
    return lambda o: None if condition(o) else text


def unseen(o):
    """No request at the origin."""
    return f"forwarded ({summary(o)})" if o.seen else None


def saw(name, *values):
    """The first request at the origin has exactly these lines of a field."""

    def check(o):
        found = o.seen[0].values(name)
        wanted = [value.replace(b"CASE", o.case_id) for value in values]
        return None if found == wanted else f"{name.decode()} at the origin: {found!r}"

    return check


def saw_target(target, method=None):
    def check(o):
        wanted = target.replace(b"CASE", o.case_id)
        if o.seen[0].target != wanted:
            return f"target at the origin: {o.seen[0].target!r}"
        return None if method in (None, o.seen[0].method) else f"method at the origin: {o.seen[0].method!r}"

    return check


def saw_body(body):
    return lambda o: None if o.seen[0].body == body else f"body at the origin: {o.seen[0].body[:60]!r}"


def got(name, *values):
    """The first answer has exactly these lines of a field."""

    def check(o):
        found = o.first.values(name)
        return None if found == list(values) else f"{name.decode()} in the answer: {found!r}"

    return check


def got_body(body):
    return lambda o: None if o.first.body == body else f"body of the answer: {o.first.body[:60]!r}"
