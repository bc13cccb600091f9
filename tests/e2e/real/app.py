"""A WSGI app on waitress that writes one SQLite row per request.

    app.py DATABASE NAME LISTEN        LISTEN is a port of 127.0.0.1 or the path of a Unix socket
"""
import sqlite3
import sys
import threading

import waitress

database, name, listen = sys.argv[1:4]
own = threading.local()


def connection():
    if not hasattr(own, "connection"):
        own.connection = sqlite3.connect(database, timeout=60, isolation_level=None)
        own.connection.execute("pragma journal_mode = wal")
        own.connection.execute("pragma synchronous = off")
    return own.connection


def app(environ, start_response):
    body = environ["wsgi.input"].read()
    row = (name, environ["REQUEST_METHOD"], environ["PATH_INFO"], len(body), environ.get("HTTP_X_FORWARDED_FOR", ""))
    connection().execute("insert into hit values (?, ?, ?, ?, ?)", row)
    answer = f"{name} {row[1]} {row[2]} {len(body)} {row[4]}\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]


connection().execute("create table if not exists hit (app, method, path, body, client)")
where = {"unix_socket": listen, "unix_socket_perms": "600"} if "/" in listen else {"listen": f"127.0.0.1:{listen}"}
waitress.serve(app, threads=4, clear_untrusted_proxy_headers=False, _quiet=True, **where)
