"""A WebSocket client over HTTP/1.1 that checks what it gets from websocket_server.py.

    websocket_client.py PORT [AUTHORITY]        over TLS if an authority's certificate is given
"""
import os
import ssl
import sys

from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

port, *authority = sys.argv[1:]
PATIENCE = 20


def talk(path, **options):
    if authority:
        options["ssl"] = ssl.create_default_context(cafile=authority[0])
    scheme = "wss" if authority else "ws"
    return connect(f"{scheme}://localhost:{port}{path}", proxy=None, max_size=None, **options)


def exchange(connection, message):
    connection.send(message)
    return connection.recv(timeout=PATIENCE)


def messages(connection):
    for message in ["text \u00fc", "", b"\x00\xff", b"", "a" * 125, b"b" * 126, "c" * 65_536, os.urandom(5_000_000)]:
        assert exchange(connection, message) == message
    connection.send(iter(["in ", "", "pieces"]))
    assert connection.recv(timeout=PATIENCE) == "in pieces"
    connection.send("fragments")
    assert list(connection.recv_streaming())[:4] == ["one ", "", "two ", "three"], "each fragment as it was sent"
    assert connection.ping("ping").wait(PATIENCE), "our ping was answered"
    assert exchange(connection, "ping me") == "you are"


with talk("/compressed") as connection:
    assert [extension.name for extension in connection.protocol.extensions] == ["permessage-deflate"]
    messages(connection)
with talk("/plain", compression=None) as connection:
    assert connection.protocol.extensions == []
    messages(connection)
with talk("/chat", subprotocols=["other", "chat"]) as connection:
    try:
        exchange(connection, "close")
        raise AssertionError("the server closes")
    except ConnectionClosedError as error:
        assert (error.rcvd.code, error.rcvd.reason) == (4001, "as you say \u00fc"), error
with talk("/client-closes") as connection:
    connection.close(4002, "enough")
with talk("/asks") as connection:
    assert exchange(connection, "how closed /client-closes") == "4002 enough"
    assert exchange(connection, "how closed /plain") == "1000 "
