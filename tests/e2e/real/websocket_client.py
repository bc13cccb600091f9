"""A WebSocket client over HTTP/1.1 that checks what it gets from websocket_server.py.

    websocket_client.py PORT [AUTHORITY]        over TLS if an authority's certificate is given

One thread, since Python's TLS connections lose bytes now and then when one thread reads and another writes.
"""
import asyncio
import os
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

port, *authority = sys.argv[1:]
PATIENCE = 20


def talk(path, **options):
    if authority:
        options["ssl"] = ssl.create_default_context(cafile=authority[0])
    scheme = "wss" if authority else "ws"
    return connect(f"{scheme}://localhost:{port}{path}", proxy=None, max_size=None, **options)


async def receive(connection):
    return await asyncio.wait_for(connection.recv(), PATIENCE)


async def exchange(connection, message):
    await connection.send(message)
    return await receive(connection)


async def messages(connection):
    for message in ["text \u00fc", "", b"\x00\xff", b"", "a" * 125, b"b" * 126, "c" * 65_536, os.urandom(5_000_000)]:
        assert await exchange(connection, message) == message
    await connection.send(iter(["in ", "", "pieces"]))
    assert await receive(connection) == "in pieces"
    await connection.send("fragments")
    fragments = [fragment async for fragment in connection.recv_streaming()]
    assert fragments[:4] == ["one ", "", "two ", "three"], "each fragment as it was sent"
    await asyncio.wait_for(await connection.ping("ping"), PATIENCE)
    assert await exchange(connection, "ping me") == "you are"


async def main():
    async with talk("/compressed") as connection:
        assert [extension.name for extension in connection.protocol.extensions] == ["permessage-deflate"]
        await messages(connection)
    async with talk("/plain", compression=None) as connection:
        assert connection.protocol.extensions == []
        await messages(connection)
    async with talk("/chat", subprotocols=["other", "chat"]) as connection:
        try:
            await exchange(connection, "close")
            raise AssertionError("the server closes")
        except ConnectionClosedError as error:
            assert (error.rcvd.code, error.rcvd.reason) == (4001, "as you say \u00fc"), error
    async with talk("/client-closes") as connection:
        await connection.close(4002, "enough")
    async with talk("/asks") as connection:
        assert await exchange(connection, "how closed /client-closes") == "4002 enough"
        assert await exchange(connection, "how closed /plain") == "1000 "


asyncio.run(main())
