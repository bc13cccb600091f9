"""What was measured, as lines on the terminal and as a table for the book."""
import datetime
import platform
import statistics


def good_rounds(rounds):
    """Proxies with at least one round that did not fail."""
    sound = {name: [each for each in figures if "error" not in each] for name, figures in rounds.items()}
    return {name: figures for name, figures in sound.items() if figures}


def median(figures, key):
    return statistics.median(each[key] for each in figures)


def lines(label, rounds, reference):
    good = good_rounds(rounds)
    if label.startswith("W10"):
        for name, figures in good.items():
            one = figures[0]
            yield f"{label:5} {name:18} base {one['base_mb']:7.1f} MB  {one['bytes_per_conn']:8.0f} B/conn  live {one['req']} err {one['bad']}"
        return
    base = median(good[reference], "cpu_us") if reference in good else None
    for name, figures in good.items():
        yield line(label, name, figures, base)


def line(label, name, figures, base):
    costs = [each["cpu_us"] for each in figures]
    middle = statistics.median(costs)
    ratio = f"x{middle / base:.2f}" if base else ""
    text = f"{label:5} {name:18} {middle:8.2f} us/req [{min(costs):.2f}-{max(costs):.2f}] {ratio}"
    text += f"  {median(figures, 'rps'):8.0f} req/s  core {median(figures, 'core'):.2f} sys {median(figures, 'sys_share'):.2f}"
    for key in ("p50_us", "p99_us", "p999_us"):
        if key in figures[0]:
            text += f" {key[:-3]} {median(figures, key):.0f}"
    if label == "W8":
        text += f" resumed {median(figures, 'resumed') / max(1, median(figures, 'req')):.2f}"
    bad = sum(each["bad"] for each in figures)
    text += f"  BAD {bad}" if bad else ""
    sockets = figures[0].get("sock", "")
    return text + (f"  [{sockets}]" if sockets else "")


def table(results, names, descriptions):
    """Markdown: one row a workload, one column a proxy, and ours over the better of the others."""
    peers = [name for name in names if name not in ("portcullis", "floor", "direct")]
    head = ["workload", *names] + (["portcullis / best peer"] if "portcullis" in names and peers else [])
    rows = [head, ["---"] * len(head)]
    for label, rounds in results.items():
        good = good_rounds(rounds)
        key = "bytes_per_conn" if label.startswith("W10") else "cpu_us"
        row = [f"{label} {descriptions.get(label, 'idle connections, bytes each')}"]
        row += [cell(good[name], key) if name in good else "-" for name in names]
        if len(head) > len(names) + 1:
            row.append(ratio(good, peers, key))
        rows.append(row)
    text = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"{heading()}\n\n{text}\n"


def cell(figures, key):
    values = [each[key] for each in figures]
    middle = statistics.median(values)
    if key == "bytes_per_conn":
        return f"{middle:,.0f}"
    return f"**{middle:.1f}** ({min(values):.1f}–{max(values):.1f})"


def ratio(good, peers, key):
    others = [median(good[name], key) for name in peers if name in good]
    if "portcullis" not in good or not others:
        return "-"
    return f"{median(good['portcullis'], key) / min(others):.2f}"


def heading():
    with open("/proc/cpuinfo") as file:
        models = [text.split(":", 1)[1].strip() for text in file if text.startswith("model name")]
    machine = f"{len(models)} x {models[0] if models else platform.machine()}, Linux {platform.release()}"
    return f"CPU microseconds per request, median (least–most). {datetime.date.today()}, {machine}."
