"""The stage of a run: tools compiled, a certificate made, the upstream running, and peers started on it."""
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading

from .processes import LOAD_CORE, PROXY_CORE, Process, free_ports, wait_port

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOOLS = (("upstream", []), ("floor", []), ("lg", ["-lssl", "-lcrypto"]))


class Stage:
    def __init__(self):
        self.wrap = lambda folder: []
        self.folder = tempfile.mkdtemp(prefix="bench-")
        os.chmod(self.folder, 0o755)
        self.tools = {name: self.compile(name, libraries) for name, libraries in TOOLS}
        self.certificate()
        (self.upstream_port,) = free_ports(1)
        self.upstream_socket = f"{self.folder}/up.sock"
        command = [self.tools["upstream"], str(self.upstream_port), self.upstream_socket]
        self.upstream = Process(command, LOAD_CORE)
        if not wait_port(self.upstream_port):
            raise RuntimeError("the upstream did not start")

    def close(self):
        self.upstream.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def compile(self, name, libraries):
        output = f"{self.folder}/{name}"
        source = f"{HERE}/tools/{name}.c"
        subprocess.run(["gcc", "-O2", "-march=native", "-w", "-o", output, source] + libraries, check=True)
        return output

    def certificate(self):
        """key.pem, cert.pem, and bundle.pem as HAProxy wants them."""
        folder = self.folder
        commands = f"""
            openssl ecparam -name prime256v1 -genkey -noout -out {folder}/raw.pem
            openssl pkcs8 -topk8 -nocrypt -in {folder}/raw.pem -out {folder}/key.pem
            openssl req -x509 -new -key {folder}/key.pem -days 30 -subj /CN=localhost \
                -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -out {folder}/cert.pem
            cat {folder}/cert.pem {folder}/key.pem > {folder}/bundle.pem
        """
        subprocess.run(["sh", "-ec", commands], check=True, capture_output=True)

    def start(self, name, unix=False, log=False, routes=0, paths=0):
        """Starts a peer: its process, its plain port, its TLS port. `direct` is the upstream itself."""
        base = name.split("-")[0]
        if base == "direct":
            return None, self.upstream_port, None
        port, tls = free_ports(2)
        folder = tempfile.mkdtemp(prefix=base + "-", dir=self.folder)
        os.chmod(folder, 0o777)
        if routes:
            write_routes(folder, port, routes, paths)
        values = self.values(base, folder, port, tls, unix)
        flags = flags_of(name, unix, log, routes, paths)
        command = self.command(name, base, values, flags)
        if log and base == "haproxy":
            read_datagrams(folder)
        process = Process(self.wrap(folder) + command, PROXY_CORE, log=f"{folder}/proxy.log")
        process.folder = folder
        if not wait_port(port, 60, process) or process.has_ended():
            process.stop()
            with open(f"{folder}/proxy.log", errors="replace") as file:
                raise RuntimeError(f"{name} did not start: {file.read()[-800:]}")
        return process, port, tls

    def values(self, base, folder, port, tls, unix):
        upstream = f"127.0.0.1:{self.upstream_port}"
        over_unix = f"unix@{self.upstream_socket}" if base == "haproxy" else f"unix:{self.upstream_socket}"
        address = over_unix if unix else upstream
        return {
            "PORT": port,
            "TLSPORT": tls,
            "DIR": folder,
            "CERT": f"{self.folder}/cert.pem",
            "KEY": f"{self.folder}/key.pem",
            "BUNDLE": f"{self.folder}/bundle.pem",
            "UPPORT": self.upstream_socket if unix else self.upstream_port,
            "UPADDR": address,
            "NGXUP": address,
        }

    def command(self, name, base, values, flags):
        folder = values["DIR"]
        if base == "floor":
            return [self.tools["floor"], str(values["PORT"]), str(values["UPPORT"])]
        program = binary(name, base)
        if base == "haproxy":
            return [program, "-db", "-q", "-f", render("haproxy.cfg", values, flags)]
        if base == "nginx":
            return [program, "-p", folder, "-c", render("nginx.conf", values, flags)]
        if base == "portcullis":
            template = os.environ.get("PORTCULLIS_TEMPLATE", "portcullis.toml")
            return [program, "run", "-c", render(template, values, flags)]
        raise SystemExit(f"unknown proxy {name}")


def binary(name, base):
    """`haproxy-26` is HAPROXY_26_BIN, or else HAPROXY_BIN, or else what is installed."""
    given = os.environ.get(name.upper().replace("-", "_") + "_BIN") or os.environ.get(base.upper() + "_BIN")
    installed = {"haproxy": "haproxy", "nginx": "nginx"}.get(base)
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    found = given or (installed and shutil.which(installed, path=path))
    if not found:
        raise SystemExit(f"set {base.upper()}_BIN")
    return found


def flags_of(name, unix, log, routes, paths):
    return {
        "LOG": log,
        "NOLOG": not log,
        "UNIX": unix,
        "NOUNIX": not unix,
        "ROUTES": bool(routes),
        "NOROUTES": not routes,
        "HOSTS": bool(routes) and not paths,
        "PATHS": bool(routes) and bool(paths),
        "BIGBUF": "bigbuf" in name,
    }


def render(template, values, flags):
    """Writes a peer's configuration into its folder and gives its path."""
    lines = []
    with open(f"{HERE}/peers/{template}") as file:
        for line in file:
            condition = re.match(r"\s*@IF (\w+)@", line)
            if condition:
                if not flags[condition[1]]:
                    continue
                line = line.replace(condition[0].lstrip(), "", 1)
            lines.append(re.sub(r"@([A-Z0-9]+)@", lambda found: str(values.get(found[1], found[0])), line))
    path = f"{values['DIR']}/{template}"
    with open(path, "w") as file:
        file.writelines(lines)
    return path


def write_routes(folder, port, count, paths):
    """The same rules in each peer's own form: hosts alone, or so many paths (`/p0/...`) under each."""
    hosts = [f"h{number}.example.com" for number in range(count)]
    forms = {
        "hosts.map": "{host} u\n",
        "routes.conf": "server {{ listen 127.0.0.1:{port}; server_name {host}; location / {{ proxy_pass http://u; }} }}\n",
        "routes.toml": '[[route]]\nname = "{host}"\nhosts = ["{host}"]\nservice = "u"\n',
    }
    if paths:
        each = range(paths)
        toml = '[[route]]\nname = "{{host}}-{0}"\nhosts = ["{{host}}"]\npath = "/p{0}"\nservice = "u"\n'
        locations = "".join(f"location /p{path}/ {{{{ proxy_pass http://u; }}}} " for path in each)
        forms = {
            "hosts.map": "".join(f"{{host}}/p{path}/ u\n" for path in each),
            "routes.conf": "server {{ listen 127.0.0.1:{port}; server_name {host}; " + locations + "}}\n",
            "routes.toml": "".join(toml.format(path) for path in each),
        }
    for name, form in forms.items():
        with open(f"{folder}/{name}", "w") as file:
            file.writelines(form.format(host=host, port=port) for host in hosts)


def read_datagrams(folder):
    """HAProxy logs to a datagram socket: this gives it a reader that appends to a file."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(f"{folder}/log.sock")
    os.chmod(f"{folder}/log.sock", 0o777)

    def copy():
        with open(f"{folder}/access.log", "ab") as file:
            try:
                while True:
                    file.write(receiver.recv(65536))
            except OSError:
                pass

    threading.Thread(target=copy, daemon=True).start()
