"""SCEP clients of other people: micromdm's scepclient, certmonger. And the server that micromdm wrote for its own."""

import os
import pathlib
import re
import subprocess
import time

from hospital import eventually, free_port, must, run

CERTMONGER = "/usr/sbin/certmonger"


def serial_of(path):
    return must(["openssl", "x509", "-in", path, "-noout", "-serial"]).strip().split("=")[1]


def subject_of(path):
    return must(["openssl", "x509", "-in", path, "-noout", "-subject", "-nameopt", "RFC2253"]).strip()


class ScepClient:
    """micromdm's client. It encrypts for every certificate that GetCACert shows unless it is told to take the one that may
    encipher keys, which it needs where a registration authority stands beside the CA."""

    def __init__(self, folder, url, name, environment=()):
        self.folder = folder / f"scepclient-{name}"
        self.folder.mkdir(exist_ok=True)
        self.url, self.name = url, name
        self.key, self.certificate = self.folder / "key.pem", self.folder / "cert.pem"
        self.environment = dict(os.environ) | dict(environment)

    def run(self, challenge=None, selector=True):
        command = ["scepclient", "-server-url", self.url, "-private-key", self.key, "-certificate", self.certificate,
                   "-cn", self.name, "-keySize", "2048"]
        command += ["-key-encipherment-selector"] if selector else []
        command += ["-challenge", challenge] if challenge else []
        return run(command, env=self.environment, cwd=self.folder)


class ScepServer:
    """micromdm's server: shows that the commands are right before they meet Ward."""

    def __init__(self, folder):
        self.folder, self.port = folder / "scepserver", free_port()
        self.folder.mkdir()

    def __enter__(self):
        must(["scepserver", "ca", "-init", "-depot", self.folder / "depot"], cwd=self.folder)
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(["scepserver", "-depot", str(self.folder / "depot"), "-http-addr", f"127.0.0.1:{self.port}",
                                         "-challenge", "secret", "-allowrenew", "0"], stdout=self.log, stderr=self.log)
        self.url = f"http://127.0.0.1:{self.port}/scep"
        eventually(10, lambda: run(["curl", "-sf", f"{self.url}?operation=GetCACaps"]).returncode == 0)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()

    @property
    def ca(self):
        return self.folder / "depot" / "ca.pem"

    def said(self):
        return (self.folder / "log").read_text()


class Certmonger:
    """A certmonger of one's own: on a private socket, without a bus, with all its files in one folder."""

    def __init__(self, folder):
        self.folder = folder / "certmonger"
        directories = {kind: self.folder / kind.lower() for kind in ("CONFIG_DIR", "REQUESTS_DIR", "CAS_DIR", "LOCAL_CA_DIR", "TMPDIR")}
        for directory in directories.values():
            directory.mkdir(parents=True)
        self.socket = self.folder / "socket"
        self.environment = dict(os.environ) | {f"CERTMONGER_{kind}": str(path) for kind, path in directories.items()} | {
            "HOME": str(self.folder), "CERTMONGER_PVT_ADDRESS": f"unix:path={self.socket}"}

    def __enter__(self):
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen([CERTMONGER, "-L", "-P", str(self.socket), "-n", "-d", "2"], env=self.environment,
                                        cwd=self.folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        if not eventually(15, lambda: self.socket.exists() and self.getcert("list-cas").returncode == 0):
            raise SystemExit(f"certmonger did not start:\n{(self.folder / 'log').read_text()[-2000:]}")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()

    def getcert(self, *arguments):
        return run(["getcert", *arguments], env=self.environment)

    def add(self, name, url, *more):
        done = self.getcert("add-scep-ca", "-c", name, "-u", url, *more)
        if done.returncode:
            raise SystemExit(done.stdout)
        # It asks the server for its certificates before it takes requests for it.
        eventually(15, lambda: "SCEP CA certificate thumbprint" in self.getcert("list-cas", "-c", name).stdout)

    def path(self, name, kind="pem"):
        return self.folder / f"{name}.{kind}"

    def request(self, ca, name, subject, challenge):
        done = self.getcert("request", "-c", ca, "-I", name, "-f", self.path(name), "-k", self.path(name, "key"), "-N", subject,
                            "-L", challenge)
        if done.returncode:
            raise SystemExit(done.stdout)
        return self.settled(name)

    def again(self, verb, name):
        """resubmit or rekey; the status before must not be taken for the one after."""
        self.getcert(verb, "-i", name)
        time.sleep(1)
        return self.settled(name)

    def listed(self, name):
        return self.getcert("list", "-i", name).stdout

    def status(self, name):
        found = re.search(r"status: (\w+)", self.listed(name))
        return found[1] if found else None

    def settled(self, name, seconds=40):
        ends = ("MONITORING", "CA_REJECTED", "CA_UNREACHABLE", "CA_UNCONFIGURED", "CA_WORKING", "NEED_GUIDANCE", "NEED_CA")
        eventually(seconds, lambda: self.status(name) in ends)
        return self.status(name)

    def trouble(self, name):
        found = re.search(r"ca-error: (.*)", self.listed(name))
        return found[1] if found else ""


def has(program):
    return pathlib.Path(program).exists()
