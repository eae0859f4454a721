"""A small network of one's own: names, web servers and a TLS responder, all on loopback.

Every client under test has an address of its own in 127.0.0.0/8, so that all of them can listen on the
port that the authority connects to, at the same time. The name server is BIND; clients put their TXT
records there by dynamic update (RFC 2136) with a TSIG key, as they would in a hospital.
"""

import http.server
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1])]

from hospital import ROOT, eventually, must  # noqa: E402
from ports import free_port  # noqa: E402

ZONE = "hospital.test"
START_SECONDS = 20
BIN = ROOT / ".tmp/venv/bin"

NAMED_CONF = """
key "lab" {{ algorithm hmac-sha256; secret "{secret}"; }};
options {{
  directory "{folder}"; pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key";
  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion no; allow-query {{ any; }}; dnssec-validation no; notify no; max-cache-size 8M;
}};
controls {{ }};
zone "{zone}" {{ type master; file "{folder}/zone"; allow-update {{ key "lab"; }}; }};
"""
ZONE_FILE = """$TTL 1
@ SOA ns.{zone}. admin.{zone}. 1 3600 600 86400 1
@ NS ns.{zone}.
ns A 127.0.0.1
metadata A 169.254.169.254
"""


def program(name):
    found = shutil.which(name)
    if not found:
        raise SystemExit(f"{name} is missing: run scripts/install-deps.sh")
    return found


class Quiet(http.server.BaseHTTPRequestHandler):
    """A web server that does not tell what it is asked."""

    def log_message(self, *_):
        pass


class Lab:
    """The name server, nginx for the clients that use a web root, and ports that an authority connects to."""

    def __init__(self, name):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"ward-{name}-"))
        self.folder.chmod(0o755)
        self.http_port, self.tls_port, self.dns_port = free_port(), free_port(), free_port()
        self.hosts, self.processes, self.servers = {}, [], []

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.shutdown()
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        if not os.environ.get("KEEP_WORK"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def host(self, name):
        """(domain, address, web root) of a machine; must be called before `start`."""
        address = f"127.0.10.{len(self.hosts) + 1}"
        root = self.folder / "www" / address
        (root / ".well-known/acme-challenge").mkdir(parents=True)
        self.hosts[name] = (f"{name}.{ZONE}", address, root)
        return self.hosts[name]

    def start(self, web_roots):
        """Starts the name server, and nginx on the addresses of the machines named."""
        self.start_names()
        if web_roots:
            self.start_nginx(web_roots)

    def start_names(self):
        secret = must(["openssl", "rand", "-base64", "32"]).strip()
        self.key = self.folder / "tsig.key"
        self.key.write_text(f'key "lab" {{\n\talgorithm hmac-sha256;\n\tsecret "{secret}";\n}};\n')
        self.secret = secret
        records = "".join(f"{name} A {address}\n*.{name} A {address}\n" for name, (_, address, _) in self.hosts.items())
        (self.folder / "zone").write_text(ZONE_FILE.format(zone=ZONE) + records)
        conf = self.folder / "named.conf"
        conf.write_text(NAMED_CONF.format(folder=self.folder, port=self.dns_port, zone=ZONE, secret=secret))
        self.spawn("named", [program("named"), "-f", "-n", "1", "-c", conf], self.dns_port)

    def start_nginx(self, names):
        folder = self.folder / "nginx"
        folder.mkdir()
        sites = "".join(f"server {{ listen {self.hosts[name][1]}:{self.http_port}; root {self.hosts[name][2]}; }}\n"
                        for name in names)
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;\n" if os.getuid() == 0 else ""
        conf = folder / "nginx.conf"
        conf.write_text(f"{user}daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
                        f"events {{ worker_connections 64; }}\nhttp {{ access_log off; default_type text/plain;\n{temporary}{sites}}}\n")
        self.spawn("nginx", [program("nginx"), "-p", folder, "-c", conf, "-e", folder / "error.log"],
                   self.http_port, self.hosts[names[0]][1])

    def spawn(self, name, command, listens_on=None, address="127.0.0.1", **options):
        log = open(self.folder / f"{name}.log", "ab")
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)
        self.processes.append(process)
        if listens_on and not eventually(START_SECONDS, lambda: process.poll() is not None or listening(address, listens_on)) \
                or process.poll() is not None:
            raise SystemExit(f"{name} did not start:\n{(self.folder / f'{name}.log').read_text(errors='replace')[-2000:]}")
        return process

    def serve(self, handler, address="127.0.0.1", on=0):
        """An HTTP server of Python in a thread; gives its port."""
        server = http.server.ThreadingHTTPServer((address, on), handler)
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # A peer that hangs up is what some tests are about.
        self.servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return server.server_address[1]


def listening(address, number):
    with socket.socket() as probe:
        return probe.connect_ex((address, number)) == 0


class AlpnResponder:
    """Answers tls-alpn-01 (RFC 8737) with the certificates that a client left in a folder, by server name."""

    def __init__(self, address, number, folder):
        self.folder = folder
        self.listener = socket.create_server((address, number))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["acme-tls/1"])
        context.sni_callback = self.choose
        try:
            connection.settimeout(5)
            context.wrap_socket(connection, server_side=True).close()
        except (OSError, ValueError):
            connection.close()

    def choose(self, channel, name, _):
        chosen = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        chosen.set_alpn_protocols(["acme-tls/1"])
        chosen.load_cert_chain(self.folder / f"{name}.crt.pem", self.folder / f"{name}.key.pem")
        channel.context = chosen

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # or the thread that waits keeps the port
        self.listener.close()


class Restarts:
    """A port where a client's hook asks for a restart of the server and waits until it is there again."""

    def __init__(self, lab):
        self.action, self.count, self.proxy = None, 0, None
        outer = self

        class Handler(Quiet):
            def do_GET(self):  # noqa: N802
                if outer.action:
                    outer.count += 1
                    outer.action()
                self.send_response(204)
                self.end_headers()

        self.url = f"http://127.0.0.1:{lab.serve(Handler)}/"


def proxy_that_restarts(lab, root, restarts):
    """A forward proxy that serves a web root, and has the server restarted first: acme-tiny has no hook, but
    looks at its own challenge file before it tells the authority, through the proxy it is told to use."""

    class Handler(Quiet):
        def do_GET(self):  # noqa: N802
            if restarts.action:
                restarts.count += 1
                restarts.action()
            token = self.path.rsplit("/", 1)[-1]
            body = (root / ".well-known/acme-challenge" / token).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return f"http://127.0.0.1:{lab.serve(Handler)}"
