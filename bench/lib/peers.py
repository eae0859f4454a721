"""The systems Ward is measured beside, each started as its own documents say, on durable storage where it has any."""

import json
import sqlite3
import ssl
import time
import urllib.request

from measure import Target
from world import VENV, run


def call(url, body=None, token=None, anchor=None, method=None):
    headers = {"Content-Type": "application/json"} | ({"X-Vault-Token": token} if token else {})
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, headers, method=method or ("POST" if data else "GET"))
    context = ssl.create_default_context(cafile=str(anchor)) if anchor else None
    with urllib.request.urlopen(request, context=context, timeout=30) as answer:
        return json.loads(answer.read() or b"{}")


class OpenBao:
    """Raft storage, TLS, PKI engine with a P-256 authority; sign-verbatim signs and stores."""

    def __init__(self, world):
        self.port = world.port()
        self.plain_port, cluster = world.port(), world.port()
        self.anchor, key = world.tls("openbao")
        data = world.folder / "openbao"
        data.mkdir()
        config = world.folder / "openbao.hcl"
        config.write_text(f'''
            storage "raft" {{ path = "{data}" node_id = "bench" }}
            listener "tcp" {{ address = "127.0.0.1:{self.port}" tls_cert_file = "{self.anchor}" tls_key_file = "{key}" }}
            listener "tcp" {{ address = "127.0.0.1:{self.plain_port}" tls_disable = true }}
            api_addr = "https://127.0.0.1:{self.port}"
            cluster_addr = "https://127.0.0.1:{cluster}"
            log_level = "error"
        ''')
        self.process = world.start("openbao", [VENV / "bao", "server", f"-config={config}"], self.port)
        self.url, self.plain_url = f"https://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.plain_port}"
        keys = call(f"{self.url}/v1/sys/init", {"secret_shares": 1, "secret_threshold": 1}, anchor=self.anchor, method="PUT")
        self.token = keys["root_token"]
        self._call("sys/unseal", {"key": keys["keys"][0]})
        self._wait_until_leader()
        self._call("sys/mounts/pki", {"type": "pki", "config": {"max_lease_ttl": "87600h"}})
        root = self._call("pki/root/generate/internal",
                          {"common_name": "Bench CA", "key_type": "ec", "key_bits": 256, "ttl": "8760h"})
        self.authority = root["data"]["certificate"]

    def _call(self, path, body=None):
        return call(f"{self.url}/v1/{path}", body, self.token, self.anchor)

    def _wait_until_leader(self):
        for _ in range(200):
            try:
                if self._call("sys/leader").get("is_self"):
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise SystemExit("OpenBao did not become leader")

    def sign(self, csr):
        return self._call("pki/sign-verbatim", {"csr": csr, "ttl": "720h"})["data"]

    def signer(self, bodies):
        arguments = ["--anchor", self.anchor, "--path", "/v1/pki/sign-verbatim", "--bodies", bodies,
                     "--header", f"X-Vault-Token: {self.token}", "--header", "Content-Type: application/json"]
        return Target("OpenBao raft", self.url, [self.process.pid], arguments)

    @staticmethod
    def body(csr):
        return {"csr": csr, "ttl": "720h"}


# Table layout that cfssl's own migrations create.
CFSSL_SCHEMA = """
CREATE TABLE certificates (
  serial_number blob NOT NULL, authority_key_identifier blob NOT NULL, ca_label blob, status blob NOT NULL, reason int,
  expiry timestamp, revoked_at timestamp, pem blob NOT NULL, issued_at timestamp, not_before timestamp, metadata blob,
  sans blob, common_name TEXT, PRIMARY KEY(serial_number, authority_key_identifier));
CREATE TABLE ocsp_responses (
  serial_number blob NOT NULL, authority_key_identifier blob NOT NULL, body blob NOT NULL, expiry timestamp,
  PRIMARY KEY(serial_number, authority_key_identifier));
"""


class Cfssl:
    """cfssl with a P-256 authority, over TLS; `stored` says whether it keeps what it signs in SQLite."""

    def __init__(self, world, stored):
        self.name = "cfssl SQLite" if stored else "cfssl (stores nothing)"
        label = "cfssl-db" if stored else "cfssl"
        self.port = world.port()
        self.anchor, key = world.tls(label)
        authority, authority_key = world.folder / f"{label}-ca.pem", world.folder / f"{label}-ca.key"
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "365",
             "-keyout", authority_key, "-out", authority, "-subj", "/CN=Bench CA"])
        config = world.folder / f"{label}.json"
        config.write_text(json.dumps({"signing": {"default": {
            "expiry": "720h", "usages": ["digital signature", "server auth"]}}}))
        command = ["cfssl", "serve", "-address", "127.0.0.1", "-port", self.port, "-ca", authority, "-ca-key", authority_key,
                   "-config", config, "-tls-cert", self.anchor, "-tls-key", key, "-loglevel", "4"]
        if stored:
            database = world.folder / f"{label}.db"
            with sqlite3.connect(database) as connection:
                connection.executescript(CFSSL_SCHEMA)
            settings = world.folder / f"{label}-db.json"
            settings.write_text(json.dumps({"driver": "sqlite3", "data_source": str(database)}))
            command += ["-db-config", settings]
        self.process = world.start(label, command, self.port)

    def signer(self, bodies):
        arguments = ["--anchor", self.anchor, "--path", "/api/v1/cfssl/sign", "--bodies", bodies,
                     "--header", "Content-Type: application/json"]
        # With SQLite it answers 400 when the database is locked.
        return Target(self.name, f"https://127.0.0.1:{self.port}", [self.process.pid], arguments, may_fail=True)

    @staticmethod
    def body(csr):
        return {"certificate_request": csr}
