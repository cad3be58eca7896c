"""A gRPC server without TLS, with one method of each kind. Prints its port, then serves until it is killed."""

import sys
import threading
from concurrent import futures

import grpc


def unary(request, context):
    context.set_trailing_metadata((("seen-metadata", dict(context.invocation_metadata()).get("asked", "")),))
    return request[::-1]


def fails(request, context):
    context.set_trailing_metadata((("reason", "asked for"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "as you wish")


def server_stream(request, context):
    for number in range(int(request)):
        yield b"%d" % number


def client_stream(requests, context):
    return b"%d" % sum(len(request) for request in requests)


def both(requests, context):
    for request in requests:
        yield request[::-1]


def slow(request, context):
    # Until the client gives up.
    ended = threading.Event()
    context.add_callback(ended.set)
    ended.wait()
    return b""


METHODS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Fails": grpc.unary_unary_rpc_method_handler(fails),
    "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
    "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
    "Both": grpc.stream_stream_rpc_method_handler(both),
    "Slow": grpc.unary_unary_rpc_method_handler(slow),
}

server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", METHODS),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
sys.stdin.read()
