"""Devices: what people do for them at the desk, and an EST client out of curl and openssl, as the recipes of
docs/devices-est.md have it."""

import base64
import re
import subprocess
import textwrap

from hospital import must, run

KEYS = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}


class Device:
    """A device's folder: its key, its requests, its certificate."""

    def __init__(self, hospital, serial, kind="ec"):
        self.hospital, self.serial, self.kind = hospital, serial, kind
        self.folder = hospital.folder / f"device-{serial}"
        self.folder.mkdir(exist_ok=True)
        self.key, self.certificate, self.chain = (self.folder / name for name in ("key.pem", "cert.pem", "chain.pem"))

    def new_key(self, name="key.pem"):
        must(["openssl", "req", "-new", "-nodes", "-newkey", *KEYS[self.kind], "-keyout", self.folder / name, "-subj", "/CN=x",
              "-out", "/dev/null"])
        return self.folder / name

    def request(self, key=None, subject=None, more=()):
        """A request in DER, with the device's key unless another is given."""
        if not key and not self.key.exists():
            self.new_key()
        out = self.folder / "request.der"
        must(["openssl", "req", "-new", "-key", key or self.key, "-subj", subject or f"/serialNumber={self.serial}",
              "-outform", "DER", "-out", out, *more])
        return out.read_bytes()

    def keep(self, answer):
        """Stores the certificate of an answer, and with its issuer what TLS peers want to see."""
        self.certificate.write_text(certificates(answer.body)[0])
        issuer = self.folder / "issuer.pem"
        if not issuer.exists():
            self.hospital.ward("ca", "export", "devices", "--out", issuer)
        self.chain.write_text(self.certificate.read_text() + issuer.read_text())
        return self

    def identity(self):
        return self.certificate, self.key

    def number(self):
        return must(["openssl", "x509", "-in", self.certificate, "-noout", "-serial"]).strip().split("=")[1]

    def names(self):
        return must(["openssl", "x509", "-in", self.certificate, "-noout", "-subject", "-nameopt", "RFC2253", "-ext", "subjectAltName"])


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:300]!r}"


def est(hospital, operation, body=None, label=None, auth=None, identity=None, more=()):
    """One request by curl: auth is "user:password", identity is (certificate, key)."""
    head, got, sent = (hospital.folder / f"est.{name}" for name in ("head", "body", "sent"))
    path = "/".join(part for part in ("/.well-known/est", label, operation) if part)
    command = ["curl", "-sS", "--max-time", "30", "--cacert", hospital.root, "-D", head, "-o", got, "-w", "%{http_code}"]
    if body is not None:
        sent.write_bytes(body)
        command += ["-H", "Content-Type: application/pkcs10", "--data-binary", f"@{sent}"]
    if auth:
        command += ["-u", auth]
    if identity:
        command += ["--cert", identity[0], "--key", identity[1]]
    got.write_bytes(b"")
    done = run([*command, *more, hospital.url + path])
    if done.returncode != 0:
        return Answer(0, {}, done.stdout.encode())
    last = head.read_text().replace("\r", "").strip().split("\n\n")[-1]
    headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in last.splitlines()[1:])}
    return Answer(int(done.stdout[-3:]), headers, got.read_bytes())


def in_lines(der, width=76, end="\n"):
    return (end.join(textwrap.wrap(base64.b64encode(der).decode(), width)) + end).encode()


def certificates(body):
    """The certificates of a certs-only answer, in PEM."""
    done = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs"], input=base64.b64decode(body),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", done.stdout.decode(), re.S)


class Desk:
    """What people do so that a device may enrol, over REST."""

    def __init__(self, hospital, name="desk"):
        self.hospital, self.token = hospital, hospital.token(name, "admin", more=("--person",))

    def ask(self, method, path, body=None):
        status, _, answer = self.hospital.rest(method, f"/api/v1/{path}", self.token, body)
        if status // 100 != 2:
            raise SystemExit(f"{method} {path}: {status} {answer}")
        return answer

    def endpoint(self, name, profile="device-ldevid", **settings):
        """An endpoint for EST, whose devices may renew at any time."""
        wanted = {"name": name, "profile": profile, "protocols": {"est": True}, "renewal": {"from": 0}} | settings
        self.ask("POST", "enrolment/endpoints", wanted)

    def asset(self, serial, *hosts, **fields):
        wanted = {"serial": serial, "manufacturer": "Acme Medical", "model": "Infusomat", "host_names": list(hosts)} | fields
        return self.ask("POST", "assets", wanted)["asset"]["id"]

    def right(self, wanted="any", endpoint=None, **fields):
        """user:password for it."""
        body = {"for": wanted, "credential": {"http-password": {}}, "endpoint": endpoint} | fields
        made = self.ask("POST", "enrolment/rights", body)
        return f"{made['right']['id']}:{made['secret']}"

    def pump(self, serial, *hosts, **fields):
        """A device in the register, and a password for it."""
        return self.right({"asset": self.asset(serial, *hosts, **fields)})

    def retire(self, asset):
        return self.ask("POST", f"assets/{asset}/retire", {"reason": "scrapped"})
