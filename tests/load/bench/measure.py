"""Measurements: CPU per request, memory per idle connection, system calls and instructions per request."""
import json
import os
import re
import signal
import subprocess
import sys
import time

from .processes import LOAD_CORE, PROXY_CORE, cpu, memory, tree
from .workloads import Load, workloads

STRACE_SECONDS = 2


def cpu_per_request(stage, name, label, seconds):
    """One round of one workload on one proxy."""
    workload = workloads(stage, seconds)[label]
    process, port, tls = stage.start(name, **workload.options)
    pid = process.pid if process else stage.upstream.pid
    try:
        if label == "W11":  # latency: keep neighbours out of the figure where we may
            raise_priority([os.getpid(), stage.upstream.pid, pid], -15)
        workloads(stage, 1)[label].run(port, tls)  # warm up: pools, code, caches
        before, began = cpu(pid), time.time()
        figures = workload.run(port, tls)
        after, elapsed = cpu(pid), time.time() - began
        return with_cpu(figures, before, after, elapsed)
    finally:
        if process:
            process.stop()
        if label == "W11":
            raise_priority([os.getpid(), stage.upstream.pid], 0)


def with_cpu(figures, before, after, elapsed):
    seconds = figures.setdefault("secs", elapsed)
    count = max(1, figures["req"])
    busy = after[0] - before[0]
    user, system = after[1] - before[1], after[2] - before[2]
    figures["cpu_us"] = busy * 1e6 / count
    figures["rps"] = count / seconds
    figures["core"] = busy / elapsed
    figures["sys_share"] = system / (user + system) if user + system else 0
    return figures


def raise_priority(roots, value):
    try:
        for root in roots:
            for process in tree(root):
                for task in os.listdir(f"/proc/{process}/task"):
                    os.setpriority(os.PRIO_PROCESS, int(task), value)
    except OSError:
        print("note: no priority raised for W11", file=sys.stderr)


def idle_connections(stage, name, secure, count):
    """W10 and W10t: bytes of memory per idle connection."""
    process, port, tls = stage.start(name)
    try:
        before = memory(process.pid)
        mode = "tlsidle" if secure else "idle"
        command = [stage.tools["lg"], mode, str(tls if secure else port), "/128", str(count), "60"]
        generator = subprocess.Popen(
            ["taskset", "-c", LOAD_CORE] + command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        figures = json.loads(generator.stdout.readline())
        time.sleep(1.5)  # what is freed late is freed by then
        after = memory(process.pid)
        generator.stdin.close()
        generator.wait(10)
        live = figures["live"]
        return {
            "req": live,
            "bad": figures["err"],
            "base_mb": before / 1e6,
            "bytes_per_conn": (after - before) / max(1, live),
        }
    finally:
        process.stop()


def system_calls(stage, name, label):
    """System calls per request: strace counts on the proxy while the load runs."""
    workload = workloads(stage, STRACE_SECONDS)[label]
    process, port, tls = stage.start(name, **workload.options)
    try:
        workload.run(port, tls)
        output = f"{process.folder}/strace.txt"
        targets = [word for pid in tree(process.pid) for word in ("-p", str(pid))]
        command = ["taskset", "-c", PROXY_CORE, "strace", "-c", "-f", "-U", "name,calls", "-o", output]
        tracer = subprocess.Popen(command + targets, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        count = max(1, workload.run(port, tls)["req"])
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
        calls = {}
        with open(output) as file:
            for line in file:
                found = re.match(r"\s*(\w+)\s+(\d+)\s*$", line)
                if found and found[1] != "total":
                    calls[found[1]] = round(int(found[2]) / count, 3)
        shown = sorted(((key, value) for key, value in calls.items() if value >= 0.005), key=lambda item: -item[1])
        return {"req": count, "total": round(sum(calls.values()), 2), "calls": dict(shown)}
    finally:
        process.stop()


def instructions(stage, name, label, count):
    """User-mode instructions per request by callgrind: repeatable within 1 %. W1, W4 and W5 only."""
    stage.wrap = lambda folder: ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/cg.%p"]
    try:
        process, port, tls = stage.start(name)
    finally:
        stage.wrap = lambda folder: []
    load = Load(stage, 120)
    commands = {
        "W1": ["h2load", "--h1", "-t1", "-c8", f"http://127.0.0.1:{port}/128"],
        "W4": ["h2load", "--npn-list=http/1.1", "-t1", "-c8", f"https://localhost:{tls}/128"],
        "W5": ["h2load", "-t1", "-c4", "-m10", f"https://localhost:{tls}/128"],
    }
    seen = set()

    def after(requests):
        said = load.call(commands[label] + [f"-n{requests}"])
        if f"{requests} succeeded" not in said:
            raise RuntimeError(said[-300:])
        subprocess.run(["callgrind_control", "-d", str(process.pid)], capture_output=True, timeout=60)
        time.sleep(0.5)
        return sum_new_dumps(process, seen)

    try:
        after(400)
        few, many = after(500), after(count + 500)  # the difference removes connection set-up
        return {"req": count, "instr": (many - few) / count}
    finally:
        process.stop()


def sum_new_dumps(process, seen):
    total = 0
    for name in os.listdir(process.folder):
        if name.startswith(f"cg.{process.pid}") and name not in seen:
            seen.add(name)
            with open(f"{process.folder}/{name}", errors="replace") as file:
                found = re.findall(r"^(?:summary|totals): (\d+)", file.read(), re.M)
            total += int(found[0]) if found else 0
    return total
