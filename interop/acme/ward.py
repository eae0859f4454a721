"""Ward as an authority for the clients' tests: `ward init`, `ward serve`, and directories that validate inside the lab."""

import json
import signal
import sqlite3
import time
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hospital import Hospital, eventually, must

PUBLISHED_WITHIN = 30  # seconds until a revocation is in the CRL


class Ward:
    name = "ward"

    def __init__(self, lab, label="acme", hospital=None):
        self.lab, self.hospital = lab, hospital or Hospital(label)

    def __enter__(self):
        self.hospital.__enter__()
        self.tls_ca = self.roots = self.hospital.root
        self.urls = {False: self.create("open", external_account="off"), True: self.create("bound")}
        return self

    def __exit__(self, *exception):
        self.hospital.__exit__(*exception)

    def create(self, name, profile="server-tls", **settings):
        """A directory that validates inside the lab; gives its URL."""
        settings = {"validation.http_port": self.lab.http_port, "validation.tls_port": self.lab.tls_port,
                    "validation.resolvers": [f"127.0.0.1:{self.lab.dns_port}"], "validation.allow": ["127.0.0.0/8"]} | settings
        texts = [f"{key}={value if isinstance(value, str) else toml(value)}" for key, value in settings.items()]
        return self.hospital.ward_json("acme", "directory", "create", name, "--profile", profile, *texts)["url"]

    def directory(self, client, eab):
        return self.urls[eab]

    def external_account(self, client="test", directory="bound", *more):
        """(key identifier, MAC key as base64url) of a new key."""
        made = self.hospital.ward_json("acme", "eab", "create", "--directory", directory, "--owner", client, *more)
        return made["id"], made["hmac_key"]

    def expire(self, kid):
        """Ends the life of an external account key yesterday; there is no command for that. Not in the log, so the
        database no longer matches it."""
        with sqlite3.connect(self.hospital.data / "ward.db", timeout=30) as database:
            (body,) = database.execute("SELECT body FROM records WHERE kind = 'acme-eab' AND id = ? AND valid_to IS NULL", (kid,)).fetchone()
            body = json.loads(body) | {"expires": int(time.time() - 86_400) * 1000}
            database.execute("UPDATE records SET body = ? WHERE kind = 'acme-eab' AND id = ? AND valid_to IS NULL", (json.dumps(body), kid))

    def status(self, certificate, chain):
        """What OCSP and, as soon as it is due, the CRL say; they must agree."""
        found = self.ocsp(certificate, chain)
        listed = eventually(PUBLISHED_WITHIN, lambda: self.is_listed(certificate)) if found == "revoked" else self.is_listed(certificate)
        if listed != (found == "revoked"):
            raise AssertionError(f"OCSP says {found}, and the CRL {'has it' if listed else 'has it not'}")
        return found

    def ocsp(self, certificate, chain):
        folder = self.lab.folder / f"ocsp-{certificate.serial_number:x}"
        folder.mkdir(exist_ok=True)
        (folder / "it.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        url = access(certificate, x509.AuthorityInformationAccessOID.OCSP)
        said = must(["openssl", "ocsp", "-issuer", chain, "-cert", folder / "it.pem", "-url", url, "-CAfile", self.roots, "-no_nonce"])
        if "Response verify OK" not in said:
            raise AssertionError(said)
        return next(word for word in ("good", "revoked", "unknown") if f"it.pem: {word}" in said)

    def is_listed(self, certificate):
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        with urllib.request.urlopen(points[0].full_name[0].value, timeout=10) as answer:
            found = x509.load_der_x509_crl(answer.read())
        return found.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None

    def restart(self, number=signal.SIGTERM):
        """Ends the server, the hard way if asked to, and starts it again on the same ports."""
        self.hospital.server.send_signal(number)
        self.hospital.server.wait(30)
        self.hospital.processes.remove(self.hospital.server)
        self.hospital.start()


def toml(value):
    """Of what directories are made of, only tables are written otherwise than in JSON."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        tables = (", ".join(f"{key} = {json.dumps(one)}" for key, one in table.items()) for table in value)
        return "[" + ", ".join(f"{{{table}}}" for table in tables) + "]"
    return json.dumps(value)


def access(certificate, method):
    found = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    return next(entry.access_location.value for entry in found if entry.access_method == method)
