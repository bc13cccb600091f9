"""The shop: counts its visitors in a database."""

import os
import sqlite3

DATABASE = os.environ.get("SHOP_DATABASE", "/var/lib/shop/shop.db")


def visitors():
    with sqlite3.connect(DATABASE, timeout=5) as database:
        database.execute("CREATE TABLE IF NOT EXISTS visit (at TEXT DEFAULT CURRENT_TIMESTAMP)")
        database.execute("INSERT INTO visit DEFAULT VALUES")
        return database.execute("SELECT COUNT(*) FROM visit").fetchone()[0]


def application(environ, start_response):
    if environ["PATH_INFO"] == "/health":
        body = b"well\n"
    else:
        body = f"You are visitor {visitors()} of the shop.\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
