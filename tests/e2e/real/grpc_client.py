"""A gRPC client that checks what it gets from the service of grpc_server.py.

    grpc_client.py SCENE PORT [AUTHORITY]        over TLS if an authority's certificate is given
"""
import queue
import sys
import uuid

import grpc

scene, port, *authority = sys.argv[1:]
options = [("grpc.enable_http_proxy", 0), ("grpc.ssl_target_name_override", "localhost")]
if authority:
    trust = grpc.ssl_channel_credentials(open(authority[0], "rb").read())
    channel = grpc.secure_channel(f"127.0.0.1:{port}", trust, options)
else:
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)
echo = channel.unary_unary("/test.Test/Echo")
count = channel.unary_stream("/test.Test/Count")
add = channel.stream_unary("/test.Test/Add")
talk = channel.stream_stream("/test.Test/Talk")
refuse = channel.unary_unary("/test.Test/Refuse")
hang = channel.unary_stream("/test.Test/Hang")
has_ended = channel.unary_unary("/test.Test/HasEnded")
PATIENCE = 20


def expect(status, call):
    try:
        answer = call()
    except grpc.RpcError as error:
        assert error.code() == status, error
        return error
    raise AssertionError(f"{status} was expected, not {answer}")


class Conversation:
    """A call whose next message is sent only when it is told so."""

    def __init__(self):
        self.messages = queue.SimpleQueue()
        self.answers = talk(iter(self.messages.get, None), timeout=PATIENCE)

    def say(self, message):
        self.messages.put(message)
        return next(self.answers)

    def end(self):
        self.messages.put(None)
        return list(self.answers)


def four_kinds():
    assert echo(b"hello", timeout=PATIENCE) == b"hello"
    assert echo(b"", timeout=PATIENCE) == b""
    large = bytes(range(256)) * 12_000
    assert echo(large, timeout=PATIENCE) == large
    assert list(count(b"1000", timeout=PATIENCE)) == [b"%d" % number for number in range(1000)]
    assert list(count(b"0", timeout=PATIENCE)) == []
    assert add((b"%d" % number for number in range(1000)), timeout=PATIENCE) == b"499500"
    assert add(iter([]), timeout=PATIENCE) == b"0"
    conversation = Conversation()
    for number in range(100):
        assert conversation.say(b"%d" % number) == b"heard %d" % number
    assert conversation.end() == []
    calls = [echo.future(b"%d" % number, timeout=PATIENCE) for number in range(200)]
    assert [call.result() for call in calls] == [b"%d" % number for number in range(200)]


def metadata():
    sent = [("x-plain", "a, b"), ("x-any-bin", bytes(range(256)))]
    answer, call = echo.with_call(b"", metadata=sent, timeout=PATIENCE)
    first, last = dict(call.initial_metadata()), dict(call.trailing_metadata())
    assert first["x-first"] == "1" and first.items() >= dict(sent).items(), first
    assert last["x-last"] == "!" and last["x-last-bin"] == bytes(range(256)), last


def statuses():
    for name in ["FAILED_PRECONDITION", "NOT_FOUND", "UNAUTHENTICATED", "DATA_LOSS"]:
        error = expect(grpc.StatusCode[name], lambda: refuse(name.encode(), timeout=PATIENCE))
        assert error.details() == "no: 100% \u00fcber\n", error
        assert dict(error.trailing_metadata())["x-why"] == "because", error
    expect(grpc.StatusCode.UNIMPLEMENTED, lambda: channel.unary_unary("/test.Test/None")(b"", timeout=PATIENCE))


def deadline():
    name = str(uuid.uuid4())
    answers = hang(b"deadline", timeout=2, metadata=[("x-name", name)])
    assert next(answers) == b"deadline"
    expect(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: next(answers))
    assert has_ended(name.encode(), timeout=PATIENCE) == b"yes"


def cancellation():
    name = str(uuid.uuid4())
    answers = hang(b"cancelled", metadata=[("x-name", name)])
    assert next(answers) == b"cancelled"
    answers.cancel()
    expect(grpc.StatusCode.CANCELLED, lambda: next(answers))
    assert has_ended(name.encode(), timeout=PATIENCE) == b"yes"


def everything():
    for part in [four_kinds, metadata, statuses, deadline, cancellation]:
        part()
        print(part.__name__)


def unavailable():
    for call in [lambda: echo(b"", timeout=PATIENCE), lambda: next(count(b"1", timeout=PATIENCE))]:
        print(expect(grpc.StatusCode.UNAVAILABLE, call).details())


def death():
    """The server dies in the middle of a call, after its first answer."""
    conversation = Conversation()
    assert conversation.say(b"hello") == b"heard hello"
    try:
        raise AssertionError(conversation.say(b"die"))
    except grpc.RpcError as error:
        print(error.code().name, error.details())


{scene.__name__: scene for scene in [everything, unavailable, death]}[scene]()
