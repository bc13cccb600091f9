"""Processes: pinned, ended by id, and weighed by what the kernel counts for them."""
import os
import re
import signal
import socket
import subprocess
import time

PROXY_CORE = os.environ.get("PROXY_CORE", "0")
LOAD_CORE = os.environ.get("LOAD_CORE", "1")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def tree(pid):
    """A process and all below it."""
    found, todo = [], [pid]
    while todo:
        process = todo.pop()
        found.append(process)
        try:
            for task in os.listdir(f"/proc/{process}/task"):
                with open(f"/proc/{process}/task/{task}/children") as file:
                    todo += [int(child) for child in file.read().split()]
        except OSError:
            pass
    return found


def cpu(pid):
    """Seconds on a core, ticks in user mode, ticks in the kernel: of a process tree, so far."""
    nanos = user = system = 0
    for process in tree(pid):
        try:
            for task in os.listdir(f"/proc/{process}/task"):
                with open(f"/proc/{process}/task/{task}/schedstat") as file:
                    nanos += int(file.read().split()[0])
            with open(f"/proc/{process}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            user += int(fields[11])
            system += int(fields[12])
        except OSError:
            pass
    return nanos / 1e9, user, system


def memory(pid):
    """Bytes of memory that a process tree holds, shared pages divided among their holders."""
    kilobytes = 0
    for process in tree(pid):
        try:
            with open(f"/proc/{process}/smaps_rollup") as file:
                kilobytes += int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M)[1])
        except OSError:
            pass
    return kilobytes * 1024


class Process:
    """A program pinned to a core, with its output in a file."""

    def __init__(self, command, core, env=None, log=None):
        self.log = open(log or os.devnull, "ab")
        self.child = subprocess.Popen(
            ["taskset", "-c", core] + command,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env={**os.environ, **(env or {})},
        )
        self.pid = self.child.pid
        self.folder = None

    def has_ended(self):
        return self.child.poll() is not None

    def stop(self):
        below = tree(self.pid)[1:]
        self.child.terminate()
        try:
            self.child.wait(0.5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        for process in below:
            try:
                os.kill(process, signal.SIGKILL)
            except OSError:
                pass
        self.log.close()


def wait_port(port, seconds=15, process=None):
    end = time.time() + seconds
    while time.time() < end:
        if process and process.has_ended():
            return False
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False
