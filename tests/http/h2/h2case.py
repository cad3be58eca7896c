"""The register of HTTP/2 cases. A case is a function of a `Peer`, which raises `Wrong`; see `peer.py` for the vocabulary."""

from origin import answer as response  # noqa: F401  (for the modules of cases)
from peer import Wrong

MUST, SHOULD = "MUST", "SHOULD"
CASES = []


class Case:
    def __init__(self, name, section, level, text, run, answer, raw, early):
        self.name, self.section, self.level, self.text, self.run = name, section, level, text, run
        self.answer, self.raw, self.early, self.close = answer, raw, early, False


def case(name, section, level, text, *, answer=None, raw=False, early=False):
    """Registers a case. `raw`: the case sends its own preface. `answer`: the origin's response."""

    def register(run):
        if any(other.name == name for other in CASES):
            raise ValueError(f"two cases are named {name}")
        CASES.append(Case(name, section, level, text, run, answer, raw, early))
        return run

    return register


def held():
    """Makes the origin withhold its response for ever, so that the stream stays open."""
    return lambda io, request, case_id: io.gone() or False


def check(condition, text):
    if not condition:
        raise Wrong(text)
