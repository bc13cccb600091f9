"""A gRPC server of one service; messages are bytes, so that nothing has to be generated.

    grpc_server.py [CERTIFICATE KEY]        prints its port of 127.0.0.1
"""
import os
import sys
import threading
from concurrent import futures

import grpc

ended = {}  # by the name a call gives itself: set when the call is over for the server
lock = threading.Lock()


def ending(name):
    with lock:
        return ended.setdefault(name, threading.Event())


def name_of(context):
    return dict(context.invocation_metadata())["x-name"]


def echo(message, context):
    sent = dict(context.invocation_metadata())
    back = [(key, value) for key, value in sent.items() if key.startswith("x-")]
    context.send_initial_metadata([("x-first", "1"), *back])
    context.set_trailing_metadata([("x-last", "!"), ("x-last-bin", bytes(range(256)))])
    return message


def count(message, _):
    for number in range(int(message)):
        yield b"%d" % number


def add(messages, _):
    return b"%d" % sum(int(message) for message in messages)


def talk(messages, context):
    """Answers each message; may be told to die."""
    for message in messages:
        if message == b"die":
            os._exit(1)
        yield b"heard " + message


def refuse(message, context):
    """Ends with the status whose name is the message."""
    context.set_trailing_metadata([("x-why", "because")])
    context.abort(grpc.StatusCode[message.decode()], "no: 100% \u00fcber\n")


def hang(message, context):
    """One message, then nothing until the call is over."""
    context.add_callback(ending(name_of(context)).set)
    yield message
    ending(name_of(context)).wait()


def has_ended(name, _):
    """Answers when the call of that name is over."""
    return b"yes" if ending(name.decode()).wait(15) else b"no"


methods = {
    "Echo": grpc.unary_unary_rpc_method_handler(echo),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Add": grpc.stream_unary_rpc_method_handler(add),
    "Talk": grpc.stream_stream_rpc_method_handler(talk),
    "Refuse": grpc.unary_unary_rpc_method_handler(refuse),
    "Hang": grpc.unary_stream_rpc_method_handler(hang),
    "HasEnded": grpc.unary_unary_rpc_method_handler(has_ended),
}
server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Test", methods)])
if len(sys.argv) > 1:
    certificate, key = (open(path, "rb").read() for path in sys.argv[1:3])
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
else:
    port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
server.wait_for_termination()
