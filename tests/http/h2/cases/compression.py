"""HPACK (RFC 7541, RFC 9113 4.3)."""

import hpack
from h2case import MUST, case, check
from h2wire import COMPRESSION_ERROR, END_HEADERS, END_STREAM, HEADERS, HEADER_TABLE_SIZE, frame, settings

DECODING = "7541 4.3"


def block(p, stream, data):
    p.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, data))


def bad(name, section, text, make, level=MUST):
    """A block that can't be decoded ends the connection: the tables are lost."""

    @case(f"hpack-{name}", section, level, text)
    def run(p):
        block(p, 1, make(p))
        p.connection_error(COMPRESSION_ERROR)


def good(name, section, text, make, value=b"1", level=MUST):
    """A block after which the origin sees `x-a` with the value."""

    @case(f"hpack-{name}", section, level, text)
    def run(p):
        block(p, 1, make(p))
        p.answer(1)
        check(p.seen()[0].values(b"x-a") == [value], f"x-a at the origin: {p.seen()[0].values(b'x-a')!r}")


def request(p):
    return hpack.block(p.fields())


bad("index-0", "7541 6.1", "Index 0.", lambda p: request(p) + b"\x80")
bad("index-beyond", "7541 2.3.3", "An index beyond both tables.", lambda p: request(p) + hpack.indexed(62))
bad("index-name-beyond", "7541 2.3.3", "A name's index beyond both tables.",
    lambda p: request(p) + hpack.integer(70, 4) + hpack.string(b"x"))
bad("index-huge", "7541 5.1", "An integer that is too large.", lambda p: request(p) + b"\xff" + b"\xff" * 9 + b"\x7f")
bad("index-endless", "7541 5.1", "An integer that does not end.", lambda p: request(p) + b"\xff" + b"\x80" * 40)
bad("string-cut", "7541 5.2", "A string that is longer than the block.", lambda p: request(p) + b"\0\x01x\x7fshort")
bad("literal-cut", "7541 6.2", "A literal without value.", lambda p: request(p) + b"\0\x01x")
bad("huffman-padding-long", "7541 5.2", "Padding of more than 7 bits.",
    lambda p: request(p) + b"\0\x01x" + hpack.integer(len(hpack.huffman(b"a")) + 1, 7, 0x80) + hpack.huffman(b"a")
    + b"\xff")
bad("huffman-padding-zeros", "7541 5.2", "Padding that is not of ones.",
    lambda p: request(p) + b"\0\x01x\x81" + b"\x18")
bad("huffman-eos", "7541 5.2", "EOS in a string.",
    lambda p: request(p) + b"\0\x01x" + hpack.integer(len(hpack.huffman(b"a", hpack.EOS)), 7, 0x80)
    + hpack.huffman(b"a", hpack.EOS))
bad("resize-beyond", "7541 6.3", "A table larger than SETTINGS allow.",
    lambda p: hpack.resize(4097 + (p.settings or {}).get(HEADER_TABLE_SIZE, 4096)) + request(p))
bad("resize-after-field", "7541 4.2", "A change of the table's size after a field.",
    lambda p: request(p) + hpack.resize(0))

good("literal", "7541 6.2.2", "A literal that is not indexed.", lambda p: request(p) + hpack.literal(b"x-a", b"1"))
good("never-indexed", "7541 6.2.3", "A literal that is never indexed.",
     lambda p: request(p) + hpack.literal(b"x-a", b"1", 0x10))
good("indexed", "7541 6.2.1", "A literal that is indexed.", lambda p: request(p) + hpack.literal(b"x-a", b"1", 0x40))
good("huffman", "7541 5.2", "A string in Huffman's code.", lambda p: request(p)
     + hpack.huffman_literal(b"x-a", b"a Value: (1, 2); ~"), b"a Value: (1, 2); ~")
good("huffman-empty", "7541 5.2", "An empty string in Huffman's code.",
     lambda p: request(p) + b"\0" + hpack.string(b"x-a") + b"\x80", b"")
good("integer-zeros", "7541 5.1", "An integer with zeros after it.",
     lambda p: request(p) + b"\0" + b"\x03x-a" + b"\x7f\x80\x00" + b"y" * 127, b"y" * 127)
good("static-name", "7541 6.2.2", "A name from the static table.",
     lambda p: request(p) + hpack.integer(19, 4) + hpack.string(b"text/x") + hpack.literal(b"x-a", b"1"))
good("static-request", "7541 6.1", "A request of indexed fields.",
     lambda p: b"\x82\x86" + hpack.literal(b":path", p.path()) + b"\x41" + hpack.string(p.case_id + b".test")
     + hpack.literal(b"x-a", b"1"))
good("resize-start", "7541 4.2", "A smaller table at the beginning of a block.",
     lambda p: hpack.resize(0) + request(p) + hpack.literal(b"x-a", b"1", 0x40))
good("resize-twice", "7541 4.2", "Two changes at the beginning of a block.",
     lambda p: hpack.resize(0) + hpack.resize(4096) + request(p) + hpack.literal(b"x-a", b"1"))
good("long-value", "7541 5.1", "A value of 5,000 bytes.", lambda p: request(p) + hpack.literal(b"x-a", b"v" * 5000),
     b"v" * 5000)


@case("hpack-dynamic", "7541 2.3.2", MUST, "A later request uses what an earlier one has put into the table.")
def _(p):
    block(p, 1, request(p) + hpack.literal(b"x-a", b"first", 0x40) + hpack.literal(b"x-b", b"second", 0x40))
    p.answer(1)
    block(p, 3, hpack.block(p.fields(path=p.path(b"b"))) + hpack.indexed(63) + hpack.indexed(62))
    p.answer(3)
    seen = p.seen()[1]
    check((seen.values(b"x-a"), seen.values(b"x-b")) == ([b"first"], [b"second"]), "other fields at the origin")


@case("hpack-dynamic-of-refused", "9113 8.1.1", MUST, "The table is kept when a request is malformed.")
def _(p):
    block(p, 1, hpack.block([(b"x-lonely", b"1")]) + hpack.literal(b"x-a", b"kept", 0x40))
    p.malformed(1)
    block(p, 3, request(p) + hpack.indexed(62))
    p.answer(3)
    check(p.seen()[-1].values(b"x-a") == [b"kept"], "the table was lost")


@case("hpack-eviction", "7541 4.4", MUST, "An entry evicts the oldest ones, and itself if it is too large.")
def _(p):
    block(p, 1, request(p) + hpack.literal(b"x-a", b"1", 0x40) + hpack.literal(b"x-big", b"v" * 5000, 0x40)
          + hpack.literal(b"x-b", b"2", 0x40))
    p.answer(1)
    block(p, 3, hpack.block(p.fields(path=p.path(b"b"))) + hpack.indexed(62))
    p.answer(3)
    check(p.seen()[1].values(b"x-b") == [b"2"], "another field at the origin")


@case("hpack-table-0-answers", "7541 4.2", MUST, "After HEADER_TABLE_SIZE 0 answers say so, and use no table.")
def _(p):
    p.headers(1)
    p.answer(1)
    acks = p.acks
    p.send(settings((HEADER_TABLE_SIZE, 0)))
    p.wait(lambda: p.acks > acks, "acknowledgement")
    p.headers(3)
    p.answer(3)
    check(p.decoder.size == 0 and not p.decoder.table, f"the answer's table has {p.decoder.size} bytes")
