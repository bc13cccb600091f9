"""A WebSocket client over HTTP/2 (extended CONNECT, RFC 8441): two sockets and a request on one connection.

    connect_client.py PORT AUTHORITY        the service is websocket_server.py, over TLS
"""
import socket
import ssl
import sys

import h2.config
import h2.connection
import h2.events
from websockets.frames import Opcode
from websockets.protocol import CLIENT, Protocol

port, authority = int(sys.argv[1]), sys.argv[2]


class Connection:
    def __init__(self):
        context = ssl.create_default_context(cafile=authority)
        context.set_alpn_protocols(["h2"])
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 20), server_hostname="localhost")
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.heads, self.data, self.ended = {}, {}, set()
        self.until(lambda: self.h2.remote_settings.enable_connect_protocol)

    def until(self, holds):
        """Sends what is to be sent and reads on until something holds."""
        while not holds():
            self.socket.sendall(self.h2.data_to_send())
            received = self.socket.recv(65536)
            assert received, "the connection has ended"
            for event in self.h2.receive_data(received):
                self.take(event)
        self.socket.sendall(self.h2.data_to_send())

    def take(self, event):
        assert not isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)), event
        if isinstance(event, h2.events.ResponseReceived):
            self.heads[event.stream_id] = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.data[event.stream_id] = self.data.get(event.stream_id, b"") + event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended.add(event.stream_id)

    def open(self, method, path, *more, end_stream):
        stream = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "https"), (":path", path), (":authority", f"localhost:{port}")]
        self.h2.send_headers(stream, [*pseudo, *more], end_stream)
        self.until(lambda: stream in self.heads)
        return stream

    def send(self, stream, data):
        while data:
            self.until(lambda: self.h2.local_flow_control_window(stream) > 0)
            size = min(len(data), self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            self.h2.send_data(stream, data[:size])
            data = data[size:]
        self.until(lambda: True)


class WebSocket:
    """The frames of `websockets` on one stream."""

    def __init__(self, connection, path):
        self.connection = connection
        self.protocol = Protocol(CLIENT, max_size=None)
        asks = [(":protocol", "websocket"), ("sec-websocket-version", "13")]
        self.stream = connection.open("CONNECT", path, *asks, end_stream=False)
        assert connection.heads[self.stream][":status"] == "200", connection.heads

    def say(self):
        for data in self.protocol.data_to_send():
            self.connection.send(self.stream, data)

    def hear(self):
        """The next frame."""
        while not (frames := self.protocol.events_received()):
            self.connection.until(lambda: self.connection.data.get(self.stream))
            self.protocol.receive_data(self.connection.data.pop(self.stream))
        assert len(frames) == 1, frames
        self.say()
        return frames[0]

    def text(self, words):
        self.protocol.send_text(words.encode())
        self.say()
        return self.hear().data.decode()


connection = Connection()
one, two = WebSocket(connection, "/one"), WebSocket(connection, "/two")
assert one.text("hello") == "hello" and two.text("there") == "there"
large = bytes(range(256)) * 4_000
one.protocol.send_binary(large)
one.say()
echoed = one.hear()
assert (echoed.opcode, echoed.data) == (Opcode.BINARY, large)
two.protocol.send_ping(b"ping")
two.say()
pong = two.hear()
assert (pong.opcode, pong.data) == (Opcode.PONG, b"ping")
one.protocol.send_close(4002, "enough")
one.say()
assert one.hear().opcode == Opcode.CLOSE and one.protocol.close_rcvd.code == 4002
connection.until(lambda: one.stream in connection.ended)
connection.h2.end_stream(one.stream)
assert two.text("how closed /one") == "4002 enough"
plain = connection.open("GET", "/plain", end_stream=True)
assert connection.heads[plain][":status"] == "426", "a WebSocket server wants an upgrade"
assert two.text("still here?") == "still here?"
