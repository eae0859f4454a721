"""What every measurement needs: a working directory, processes that end with it, ports, TLS files.

Everything is on loopback, in one temporary directory, and every process is ended by its own id.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
VENV = ROOT / ".tmp/venv/bin"
START_SECONDS = 30


class World:
    """A temporary directory and the processes running in it."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ward-bench-"))
        self.processes = []
        self.used_ports = set()

    def __enter__(self):
        # A run that is ended from outside takes its servers with it.
        signal.signal(signal.SIGTERM, lambda *_: exit(143))
        return self

    def __exit__(self, *_):
        for process in self.processes:
            end(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def port(self):
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            if port not in self.used_ports:
                self.used_ports.add(port)
                return port

    def start(self, name, command, port, says=None, **options):
        """Starts a server and returns it once its port accepts connections, or its log contains `says`."""
        log = open(self.folder / f"{name}.log", "ab")
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                   start_new_session=True, **options)
        self.processes.append(process)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            if says:
                if says in (self.folder / f"{name}.log").read_text():
                    return process
            elif listens(port):
                return process
            time.sleep(0.05)
        raise SystemExit(f"{name} did not start:\n{(self.folder / f'{name}.log').read_text()[-2000:]}")

    def tls(self, name):
        """(certificate, key) of a self-signed TLS server on 127.0.0.1; the certificate is its own anchor."""
        certificate, key = self.folder / f"{name}-tls.pem", self.folder / f"{name}-tls.key"
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-keyout", key, "-out", certificate, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
             "-addext", "basicConstraints=critical,CA:FALSE"])
        return certificate, key


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end(process):
    """Ends a process and, as each leads its own session, whatever it started."""
    for number, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def run(command, **options):
    """Runs a command that must succeed and returns what it printed."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} exited {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def build(ward=True):
    """Builds the load generator, and Ward, with the release profile; returns the folder of the binaries.

    BENCH_BINARIES names a folder with `ward`, `loadgen` and `bare` built before, to compare two versions.
    """
    if os.environ.get("BENCH_BINARIES"):
        return pathlib.Path(os.environ["BENCH_BINARIES"])
    packages = ["-p", "bench"] + (["-p", "ward"] if ward else [])
    subprocess.run(["cargo", "build", "--release", "--locked", *packages], cwd=ROOT, check=True)
    metadata = json.loads(run(["cargo", "metadata", "--no-deps", "--format-version", "1", "--offline"], cwd=ROOT))
    return pathlib.Path(metadata["target_directory"]) / "release"
