"""A WebSocket server that does what messages say, and echoes all others.

    websocket_server.py         prints its port of 127.0.0.1
"""
import contextlib
import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

closes = {}  # by path: how its connection was closed, once it is
closed = threading.Condition()


def handle(connection):
    with contextlib.suppress(ConnectionClosed):
        for message in connection:
            obey(connection, message)
    with closed:
        closes[connection.request.path] = f"{connection.close_code} {connection.close_reason}"
        closed.notify_all()


def obey(connection, message):
    if message == "ping me":
        connection.ping("are you there?").wait()
        connection.send("you are")
    elif message == "fragments":
        connection.send(iter(["one ", "", "two ", "three"]))
    elif message == "close":
        connection.close(4001, "as you say \u00fc")
    elif isinstance(message, str) and message.startswith("how closed "):
        path = message.removeprefix("how closed ")
        with closed:
            closed.wait_for(lambda: path in closes, timeout=15)
        connection.send(closes.get(path, "not yet"))
    else:
        connection.send(message)


with serve(handle, "127.0.0.1", 0, max_size=None) as server:
    print(server.socket.getsockname()[1], flush=True)
    server.serve_forever()
