"""The workloads by their names: what each does, what it needs, how its load is made."""
import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from typing import Callable

from .processes import LOAD_CORE
from .stage import HERE


@dataclass
class Workload:
    what: str
    run: Callable  # (plain port, TLS port) -> figures
    tls: bool = False
    options: dict = field(default_factory=dict)  # for Stage.start


class Load:
    """Load generators, pinned, on one stage, for a number of seconds."""

    def __init__(self, stage, seconds):
        self.stage = stage
        self.seconds = seconds

    def call(self, command, env=None):
        done = subprocess.run(
            ["taskset", "-c", LOAD_CORE] + command,
            capture_output=True,
            text=True,
            timeout=self.seconds + 120,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
        )
        return done.stdout + done.stderr

    def wrk(self, url, connections=64, extra=(), env=None):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{self.seconds}", "--timeout", "10", *extra, url]
        said = self.call(command, env)
        total = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", said)
        if not total:
            raise RuntimeError(said[-500:])
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
        errors = re.search(r"Socket errors: (.*)", said)
        refused = int(bad[1]) if bad else 0
        return {
            "req": int(total[1]) - refused,
            "secs": float(total[2]),
            "bad": refused,
            "sock": errors[1] if errors else "",
        }

    def lg(self, mode, port, path, connections, rate="-", host="localhost"):
        arguments = [mode, str(port), path, str(connections), str(self.seconds), str(rate), host]
        said = self.call([self.stage.tools["lg"]] + arguments)
        figures = json.loads(said.strip().splitlines()[-1])
        return {"req": figures["ok"], "bad": figures["err"], **figures}

    def h2load(self, port, path, clients=16, streams=10):
        command = ["h2load", "-t1", f"-c{clients}", f"-m{streams}", f"-D{self.seconds}"]
        said = self.call(command + [f"https://localhost:{port}{path}"])
        found = re.search(r"requests: (\d+) total.*?(\d+) succeeded, (\d+) failed", said)
        if not found:
            raise RuntimeError(said[-500:])
        return {"req": int(found[2]), "secs": self.seconds, "bad": int(found[3])}


def workloads(stage, seconds):
    load = Load(stage, seconds)
    rate = int(os.environ.get("RATE", "5000"))

    def plain(path, connections=64, extra=(), env=None):
        return lambda port, tls: load.wrk(f"http://127.0.0.1:{port}{path}", connections, extra, env)

    def secure(path, connections=64):
        return lambda port, tls: load.wrk(f"https://localhost:{tls}{path}", connections)

    def hosts(count):
        extra = ["-s", f"{HERE}/peers/hosts.lua"]
        run = plain("/128", 64, extra, {"NHOSTS": str(count)})
        return Workload(f"{count} host rules, h1 128 B", run, options={"routes": count})

    def hosts_and_paths(count, paths):
        extra = ["-s", f"{HERE}/peers/hosts.lua"]
        run = plain("/128", 64, extra, {"NHOSTS": str(count), "NPATHS": str(paths)})
        return Workload(f"{count} hosts x {paths} paths, h1 128 B", run, options={"routes": count, "paths": paths})

    post = ["-s", f"{HERE}/peers/post.lua"]
    return {
        "W1": Workload("h1 keep-alive 64c 128 B", plain("/128")),
        "W1b": Workload("h1 keep-alive 64c 4 KiB", plain("/4096")),
        "W1log": Workload("W1 with access log", plain("/128"), options={"log": True}),
        "W2": Workload("h1 keep-alive 64c 64 KiB", plain("/65536")),
        "W3": Workload("h1 keep-alive 16c 1 MiB", plain("/1048576", 16)),
        "W3t": Workload("https h1 16c 1 MiB", secure("/1048576", 16), tls=True),
        "W4": Workload("https h1 keep-alive 64c 128 B", secure("/128"), tls=True),
        "W5": Workload("https h2 16c x m10 128 B", lambda port, tls: load.h2load(tls, "/128"), tls=True),
        "W5b": Workload("https h2 16c x m10 64 KiB", lambda port, tls: load.h2load(tls, "/65536"), tls=True),
        "W6": Workload("new TCP connection per request", lambda port, tls: load.lg("close", port, "/128", 32)),
        "W7": Workload("full TLS 1.3 handshake per request", lambda port, tls: load.lg("tls", tls, "/128", 16), tls=True),
        "W8": Workload("resumed TLS 1.3 handshake per request", lambda port, tls: load.lg("resume", tls, "/128", 16), tls=True),
        "W9": Workload("W1, upstream over a Unix socket", plain("/128"), options={"unix": True}),
        "W11": Workload(f"fixed {rate} req/s, 32c, latency", lambda port, tls: load.lg("rate", port, "/128", 32, rate)),
        "W12": Workload("POST 10 KiB, 128 B back", plain("/128", 64, post)),
        "W13": Workload("WebSocket echo 64 B, 64c", lambda port, tls: load.lg("ws", port, "/ws/0", 64)),
        "W14a": hosts(1),
        "W14b": hosts(100),
        "W14c": hosts(10000),
        "W14d": hosts_and_paths(10000, 10),
    }
