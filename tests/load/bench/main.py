"""Arguments, rounds, and what is written where."""
import argparse
import json
import resource
import signal
import sys

from . import report
from .measure import cpu_per_request, idle_connections, instructions, system_calls
from .stage import Stage
from .workloads import workloads

GOALS = "W1,W2,W4,W6,W7,W9,W12,W13,W10,W10t,W14a,W14c,W14d"


def arguments():
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default=GOALS)
    parser.add_argument("--proxies", default="floor,haproxy,nginx,portcullis")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secs", type=int, default=3)
    parser.add_argument("--ref", default="haproxy", help="the proxy that the others are compared with on the terminal")
    parser.add_argument("--idle", type=int, default=9000, help="connections of W10 and W10t")
    parser.add_argument("--json", help="write all figures here")
    parser.add_argument("--table", help="write a markdown table here")
    parser.add_argument("--strace", action="store_true", help="count system calls per request instead")
    parser.add_argument("--instr", type=int, default=0, metavar="N", help="count instructions per request over N requests instead")
    return parser.parse_args()


def main():
    options = arguments()
    raise_limits()
    for number in (signal.SIGTERM, signal.SIGHUP):  # so that what was started is ended
        signal.signal(number, lambda received, frame: sys.exit(128 + received))
    stage, results = Stage(), {}
    names = options.proxies.split(",")
    descriptions = {label: workload.what for label, workload in workloads(stage, 1).items()}
    try:
        for label in options.workloads.split(","):
            results[label] = {}
            if options.strace or options.instr:
                count(stage, options, label, names, results[label])
            else:
                compare(stage, options, label, names, results[label])
            if options.json:
                with open(options.json, "w") as file:
                    json.dump(results, file, indent=1)
        if options.table and not (options.strace or options.instr):
            with open(options.table, "w") as file:
                file.write(report.table(results, names, descriptions))
            print(f"table: {options.table}")
    finally:
        stage.close()
    failed = any("error" in each for rounds in results.values() for figures in rounds.values() for each in figures if isinstance(each, dict))
    return 1 if failed else 0


def raise_limits():
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (60000, 60000))
    except (ValueError, OSError):
        print("note: could not raise the open files limit", file=sys.stderr)


def applies(name, label, round_number, workload):
    """Whether a workload makes sense for a proxy: `floor` and `direct` know no TLS, log or routes."""
    if label in ("W10", "W10t"):
        return name != "direct" and not (name == "floor" and label == "W10t") and round_number == 0
    if name == "direct" and label not in ("W1", "W11"):
        return False
    bare = name in ("floor", "direct")
    return not (bare and (workload.tls or workload.options.get("log") or workload.options.get("routes")))


def compare(stage, options, label, names, rounds):
    for round_number in range(options.rounds):
        for name in names:
            workload = workloads(stage, options.secs).get(label)
            if not applies(name.split("-")[0], label, round_number, workload):
                continue
            try:
                if workload is None:
                    figures = idle_connections(stage, name, label == "W10t", options.idle)
                else:
                    figures = cpu_per_request(stage, name, label, options.secs)
            except Exception as error:  # one peer that fails must not end the comparison
                figures = {"error": str(error)[-400:]}
                print("!!", label, name, figures["error"], file=sys.stderr)
            rounds.setdefault(name, []).append(figures)
    for line in report.lines(label, rounds, options.ref):
        print(line, flush=True)


def count(stage, options, label, names, rounds):
    for name in names:
        try:
            if options.strace:
                figures = system_calls(stage, name, label)
                text = f"{figures['total']:.2f} system calls/request {figures['calls']}"
            else:
                figures = instructions(stage, name, label, options.instr)
                text = f"{figures['instr']:.0f} instructions/request"
        except Exception as error:
            figures, text = {"error": str(error)[-400:]}, f"failed: {str(error)[-400:]}"
        rounds[name] = [figures]
        print(f"{label:5} {name:18} {text}", flush=True)
