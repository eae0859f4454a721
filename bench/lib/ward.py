"""Ward as it is measured: initialised as `ward init` does by default, durable, linted, audited."""

import json
import ssl
import urllib.parse
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import AuthorityInformationAccessOID

from measure import Target
from world import run


class Ward:
    def __init__(self, world, binaries, postgres=None, name="Ward", serve=True):
        self.name = name
        self.binary = binaries / "ward"
        label = name.lower().replace(" ", "-")
        self.data = world.folder / label
        self.port, self.http_port = world.port(), world.port()
        self.root = world.folder / f"{label}-root"
        database = ["--database", postgres.url] if postgres else []
        run([self.binary, "init", "--data", self.data, *database, "--organization", "Bench Hospital", "--root-out", self.root,
             "--publish-url", f"http://127.0.0.1:{self.http_port}", "--listen", f"127.0.0.1:{self.port}",
             "--http", f"127.0.0.1:{self.http_port}"])
        self.anchor = world.folder / f"{label}-anchor.pem"
        run([self.binary, "ca", "export", "root", "--out", self.anchor, "--data", self.data])
        if serve:
            self.serve(world, label, postgres)

    def serve(self, world, label, postgres):
        self.start(world, label)
        # The database works for Ward, so its CPU time is Ward's.
        self.pids = [self.process.pid] + ([postgres.process.pid] if postgres else [])
        token = world.folder / f"{label}-token"
        run([self.binary, "token", "create", "--name", "bench", "--role", "issuer", "--days", "1", "--out", token, "--data", self.data])
        self.token = token.read_text().strip()

    def start(self, world, label):
        self.process = world.start(label, [self.binary, "serve", "--data", self.data], self.port)

    def signer(self, bodies):
        arguments = ["--anchor", self.anchor, "--path", "/api/v1/certificates", "--bodies", bodies,
                     "--header", f"Authorization: Bearer {self.token}", "--header", "Content-Type: application/json"]
        return Target(self.name, f"https://127.0.0.1:{self.port}", self.pids, arguments)

    def issue(self, csr):
        context = ssl.create_default_context(cafile=str(self.anchor))
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}/api/v1/certificates", json.dumps(self.body(csr)).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return x509.load_pem_x509_certificate(json.loads(answer.read())["certificate"].encode())

    def access(self, certificate, method):
        """The URL in the certificate's authority information access."""
        extension = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        return next(each.access_location.value for each in extension if each.access_method == method)

    def ocsp_path(self, certificate):
        return urllib.parse.urlparse(self.access(certificate, AuthorityInformationAccessOID.OCSP)).path

    def issuer_of(self, certificate):
        with urllib.request.urlopen(self.access(certificate, AuthorityInformationAccessOID.CA_ISSUERS), timeout=30) as answer:
            return x509.load_der_x509_certificate(answer.read()).public_bytes(serialization.Encoding.PEM)

    @staticmethod
    def body(csr):
        return {"profile": "server-tls", "csr": csr}
