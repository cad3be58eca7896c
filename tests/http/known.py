"""Cases in which Pointsman deviates, each with the reason. A case that passes must be removed from the list."""


def differences(known, chosen, failures):
    """Prints the differences between the failures of the chosen cases and the known ones; returns their number."""
    new = [name for name in failures if name not in known]
    mended = [case.name for case in chosen if case.name in known and case.name not in failures]
    if new:
        print(f"pointsman: not in known.py: {', '.join(new)}")
    for name in mended:
        print(f"pointsman: `{name}` passes: remove it from known.py")
    return len(new) + len(mended)


def because(reason, *names):
    return dict.fromkeys(names, reason)


H1 = {
    **because("Pingora sets the date of every response; it has no setting for that", "answer-date-kept"),
}

H2 = {
    **because(
        "the h2 crate ends the connection, as it must, but its GOAWAY says PROTOCOL_ERROR where a more specific code is"
        " required; it has no setting for that",
        "hpack-index-0", "hpack-index-beyond", "hpack-index-name-beyond", "hpack-index-huge", "hpack-index-endless",
        "hpack-string-cut", "hpack-literal-cut", "hpack-huffman-padding-long", "hpack-huffman-padding-zeros",
        "hpack-huffman-eos", "hpack-resize-beyond", "hpack-resize-after-field", "size-ping-0", "size-ping-7",
        "size-ping-9", "size-window-update-3", "size-window-update-5", "size-settings-5", "size-settings-ack",
        "size-goaway-7", "size-rst-3", "size-rst-5", "size-priority-4", "settings-window-max", "half-closed-data",
    ),
    **because(
        "the h2 crate bounds the CONTINUATION frames of a block by their number, against floods: as many as the largest"
        " head would fill and a quarter more, but five at least",
        "continuation-small",
    ),
    **because(
        "Pingora can send no interim response over HTTP/2: a client that waits for one gets 417 after 3 seconds",
        "expect-continue",
    ),
    **because("the http crate cuts off a fragment before Pointsman can see it; it is not forwarded", "bad-path-fragment"),
    **because(
        "the h2 crate takes another first frame; the connection ends with the clock of its first request",
        "preface-no-settings",
    ),
    **because(
        "the h2 crate drops pseudo-header fields of trailers before Pointsman can see them; no part of them is forwarded",
        "trailers-pseudo", "trailers-method",
    ),
}
