"""Calls every method of the server through a proxy. Arguments: the proxy's address, the authority, the order for its lab
module."""

import queue
import sys

import grpc

address, authority, order = sys.argv[1:]
metadata = (("pointsman-lab", order),)
channel = grpc.insecure_channel(address, options=[("grpc.default_authority", authority)])


def expect(found, expected):
    if found != expected:
        sys.exit(f"expected {expected!r}, found {found!r}")


reply, call = channel.unary_unary("/test.Echo/Unary").with_call(b"hello", metadata=metadata + (("asked", "yes"),))
expect(reply, b"olleh")
expect(call.code(), grpc.StatusCode.OK)
expect(dict(call.trailing_metadata()).get("seen-metadata"), "yes")

# Larger than a window.
large = bytes(range(256)) * 12_000
expect(channel.unary_unary("/test.Echo/Unary")(large, metadata=metadata), large[::-1])

try:
    channel.unary_unary("/test.Echo/Fails")(b"", metadata=metadata)
    sys.exit("the failure did not arrive")
except grpc.RpcError as error:
    expect((error.code(), error.details()), (grpc.StatusCode.FAILED_PRECONDITION, "as you wish"))
    expect(dict(error.trailing_metadata()).get("reason"), "asked for")

stream = channel.unary_stream("/test.Echo/ServerStream")(b"50", metadata=metadata)
expect(list(stream), [b"%d" % number for number in range(50)])
total = channel.stream_unary("/test.Echo/ClientStream")(iter([b"a" * 1000] * 40), metadata=metadata)
expect(total, b"40000")

# One by one: each reply must arrive before the next request is sent.
turns = queue.Queue()
turns.put(b"turn 0")
replies = []
for reply in channel.stream_stream("/test.Echo/Both")(iter(turns.get, None), metadata=metadata):
    replies.append(reply)
    turns.put(b"turn %d" % len(replies) if len(replies) < 5 else None)
expect(replies, [(b"turn %d" % number)[::-1] for number in range(5)])

try:
    channel.unary_unary("/test.Echo/Slow")(b"", metadata=metadata, timeout=0.3)
    sys.exit("the deadline was not enforced")
except grpc.RpcError as error:
    expect(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)

print("all calls succeeded")
