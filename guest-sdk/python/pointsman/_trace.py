"""What the log says of an exception that ended a decision."""

from __future__ import annotations

from .error import Error

_PACKAGE = __file__.rpartition("/")[0] + "/"

# As much of an exception as helps, and fits in the text that the host logs.
_MOST_PLACES = 10
_MOST_CAUSES = 4


def error_text(error: BaseException, folder: str) -> str:
    """What the log says of an exception that ended a decision: its text, the author's lines that it passed, its cause.

    The author's files are below `folder`, which ends with `/`.
    """
    texts: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(texts) < _MOST_CAUSES:
        texts.append(_error_text(cause, folder))
        cause = cause.__cause__
    return ": ".join(texts).encode("utf-8", "replace").decode()


def _error_text(error: BaseException, folder: str) -> str:
    text = str(error)
    if not isinstance(error, Error):
        kind = type(error).__name__
        text = f"{kind}: {text}" if text else kind
    places = _places(error, folder)
    if len(places) > _MOST_PLACES:
        places[_MOST_PLACES:] = ["..."]
    return f"{text} ({', '.join(places)})" if places else text


def _places(error: BaseException, folder: str) -> list[str]:
    """The author's lines that an exception passed, the innermost first: `table.py:4`."""
    places: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(folder) and not file.startswith(_PACKAGE):
            place = f"{file.removeprefix(folder)}:{trace.tb_lineno}"
            # A recursion is named once.
            if place not in places[-1:]:
                places.append(place)
        trace = trace.tb_next
    return places[::-1]
