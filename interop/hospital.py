"""A Ward of one's own for tests against other people's software, and checks that print one line each.

The binary is WARD_BIN. Everything lives in one temporary directory and on loopback; processes are
ended by their own ids. KEEP_WORK=1 keeps the directory.
"""

import json
import os
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from ports import free_port

ROOT = pathlib.Path(__file__).resolve().parents[1]
START_SECONDS = 20
SOON_SECONDS = 30
# Debian keeps some servers and zlint's neighbours where an ordinary user's path does not look.
os.environ["PATH"] += ":/usr/sbin:/sbin"


class Checks:
    """Counts and prints. A refusal must stand beside an acceptance, or a dead server passes."""

    def __init__(self, title):
        self.title = title
        self.passed = self.failed = 0

    def that(self, text, holds, detail=""):
        if holds:
            self.passed += 1
            print(f"  ok    {text}")
        else:
            self.failed += 1
            print(f"  FAIL  {text}")
            for line in str(detail).strip().splitlines()[-20:]:
                print(f"        | {line}")
        return bool(holds)

    def equal(self, text, actual, expected):
        return self.that(text, actual == expected, f"expected {expected!r}\ngot      {actual!r}")

    def soon(self, text, condition):
        """Waits for what is promised within a second, longer than that: a busy machine breaks no promise. The time it took is printed."""
        began = time.monotonic()
        value = eventually(SOON_SECONDS, condition)
        self.that(f"{text} ({time.monotonic() - began:.1f} s)", value)
        return value

    def accepts(self, text, command, says="", **options):
        done = run(command, **options)
        return self.that(text, done.returncode == 0 and says in done.stdout,
                         f"{shown(command)}\nexit {done.returncode}, wanted output with {says!r}\n{done.stdout}")

    def refuses(self, text, command, says="", **options):
        done = run(command, **options)
        return self.that(text, done.returncode != 0 and says in done.stdout,
                         f"{shown(command)}\nexit {done.returncode}, wanted failure with {says!r}\n{done.stdout}")

    def summary(self):
        print(f"{self.title}: {self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0


def shown(command):
    return " ".join(str(part) for part in command)


def run(command, **options):
    """Output and errors together; a missing program is an error, never a skip."""
    return subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", stdin=subprocess.DEVNULL, timeout=options.pop("timeout", 60), **options)


def must(command, **options):
    done = run(command, **options)
    if done.returncode != 0:
        raise SystemExit(f"{shown(command)} exited {done.returncode}:\n{done.stdout}")
    return done.stdout


def eventually(seconds, condition):
    """The first true value of condition() within so many seconds, or its last value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.05)


class Folder:
    """A temporary directory, and the processes that end with it."""

    def __init__(self, name):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"ward-{name}-"))
        self.folder.chmod(0o755)
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        if not os.environ.get("KEEP_WORK"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def spawn(self, command, **options):
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, **options)
        self.processes.append(process)
        return process


class Hospital(Folder):
    """`ward init` with its defaults, and a running `ward serve`."""

    def __init__(self, name, *init):
        super().__init__(name)
        self.binary = os.environ["WARD_BIN"]
        self.data = self.folder / "ward"
        self.port, self.http_port = free_port(), free_port()
        self.url, self.public_url = f"https://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.http_port}"
        self.init = init

    def __enter__(self):
        try:
            self.ward("init", "--organization", "Mercy Hospital", "--root-out", self.folder / "root-usb",
                      "--publish-url", self.public_url, "--listen", f"127.0.0.1:{self.port}",
                      "--http", f"127.0.0.1:{self.http_port}", *self.init)
            self.start()
            self.root = self.folder / "root.pem"
            self.ward("ca", "export", "root", "--out", self.root)
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        log = open(self.folder / "ward.log", "ab")
        self.server = self.spawn([self.binary, "serve", "--data", self.data], stdout=log, stderr=log)
        if not eventually(START_SECONDS, self.ready):
            raise SystemExit(f"Ward did not start:\n{(self.folder / 'ward.log').read_text()[-3000:]}")

    def ready(self):
        try:
            return self.public("/readyz")[0] == 200
        except OSError:
            return False

    def ward(self, *arguments):
        """Runs a command that must succeed; returns what it printed."""
        return must([self.binary, *arguments, "--data", self.data])

    def ward_json(self, *arguments):
        return json.loads(self.ward(*arguments, "--json"))

    def token(self, name, *roles, more=()):
        path = self.folder / f"token-{name}"
        roles = [part for role in roles for part in ("--role", role)]
        self.ward("token", "create", "--name", name, *roles, "--days", "1", "--out", path, *more)
        return path.read_text().strip()

    def sign(self, segment):
        """A second person signs a segment's limits as they are now (REST, role approver)."""
        if not hasattr(self, "approver"):
            self.approver = self.token("clinical-safety", "approver")
        version = self.ward_json("segment", "show", segment)["version"]
        status, _, body = self.rest("POST", f"/api/v1/segments/{segment}/sign", self.approver, {"version": version, "note": "ticket 4711"})
        if status != 200:
            raise SystemExit(f"the limits of {segment} could not be signed: {status} {body}")

    def rest(self, method, path, token=None, body=None, headers=None):
        """(status, headers, JSON or bytes) of the API over verified TLS."""
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            headers.setdefault("Content-Type", "application/json")
        context = ssl.create_default_context(cafile=str(self.root))
        return fetch(urllib.request.Request(self.url + path, data, headers, method=method), context)

    def public(self, path, body=None, headers=None):
        """(status, headers, bytes) of the plain HTTP listener."""
        return fetch(urllib.request.Request(self.public_url + path, body, headers or {}))


def fetch(request, context=None):
    try:
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            status, headers, content = answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        status, headers, content = error.code, error.headers, error.read()
    if "json" in headers.get("Content-Type", ""):
        content = json.loads(content)
    return status, headers, content
