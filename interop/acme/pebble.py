"""pebble, the reference ACME server, as an authority for the clients' tests: what fails here is the test's fault."""

import base64
import json
import os
import ssl
import urllib.request

from hospital import must
from lab import START_SECONDS, eventually, program
from ports import free_port

MAC_KEYS = {f"kid-{number}": base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=") for number in range(20)}


class Pebble:
    """Two servers of one lab: one wants accounts bound to an external one, one does not."""

    name = "pebble"

    def __init__(self, lab):
        self.lab, self.folder = lab, lab.folder / "pebble"
        self.folder.mkdir()
        self.tls_ca = self.folder / "tls.pem"
        must(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
              "-keyout", self.folder / "tls.key", "-out", self.tls_ca, "-subj", "/CN=localhost",
              "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-addext", "basicConstraints=critical,CA:TRUE"])
        self.context = ssl.create_default_context(cafile=str(self.tls_ca))
        self.management, self.urls, self.unused = {}, {}, list(MAC_KEYS.items())
        for eab in (False, True):
            self.start(eab)

    def start(self, eab):
        number, management = free_port(), free_port()
        config = {"listenAddress": f"127.0.0.1:{number}", "managementListenAddress": f"127.0.0.1:{management}",
                  "certificate": str(self.tls_ca), "privateKey": str(self.folder / "tls.key"),
                  "httpPort": self.lab.http_port, "tlsPort": self.lab.tls_port, "ocspResponderURL": "",
                  "externalAccountBindingRequired": eab, "retryAfter": {"authz": 0, "order": 0}, "keyAlgorithm": "ecdsa",
                  "profiles": {"default": {"description": "the one that all take", "validityPeriod": 7776000}}}
        if eab:
            config["externalAccountMACKeys"] = MAC_KEYS
        path = self.folder / f"config-{eab}.json"
        path.write_text(json.dumps({"pebble": config}))
        # Debian's certbot and dehydrated do not survive that a good nonce is refused, which pebble does on purpose.
        environment = os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
        self.lab.spawn(f"pebble-{eab}", [program("pebble"), "-config", path, "-dnsserver", f"127.0.0.1:{self.lab.dns_port}"],
                       number, env=environment)
        self.management[eab] = f"https://127.0.0.1:{management}"
        self.urls[eab] = f"https://127.0.0.1:{number}/dir"
        root = eventually(START_SECONDS, lambda: self.get(eab, "/roots/0"))
        with open(self.folder / "roots.pem", "ab") as roots:
            roots.write(root)

    def get(self, eab, path):
        try:
            with urllib.request.urlopen(self.management[eab] + path, context=self.context, timeout=10) as answer:
                return answer.read()
        except OSError:
            return b""

    def directory(self, _, eab):
        return self.urls[eab]

    def external_account(self, _):
        """(key identifier, MAC key as base64url) that nobody used yet."""
        return self.unused.pop()

    @property
    def roots(self):
        return self.folder / "roots.pem"

    def status(self, certificate, _):
        """"good" or "revoked", of a certificate of either server."""
        serial = f"{certificate.serial_number:x}"
        for eab in self.urls:
            found = self.get(eab, f"/cert-status-by-serial/{serial}")
            if found:
                return {"Valid": "good", "Revoked": "revoked"}[json.loads(found)["Status"]]
        return "unknown"
