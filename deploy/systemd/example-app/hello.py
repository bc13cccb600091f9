"""An application on a socket that the service manager opened (sd_listen_fds(3)), with nothing but the standard library."""

import http.server
import os
import socket

FIRST = 3  # the first passed socket


class Hello(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"hello\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "unix"


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_UNIX

    def __init__(self):
        super().__init__("", Hello, bind_and_activate=False)
        self.socket = socket.socket(fileno=FIRST)

    def get_request(self):
        connection, _ = self.socket.accept()
        return connection, ("unix", 0)


if __name__ == "__main__":
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        raise SystemExit("not started by socket activation")
    Server().serve_forever()
