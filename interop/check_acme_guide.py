#!/usr/bin/env python3
"""The commands of docs/acme-clients.md, run as they stand there, so that the page cannot go stale unnoticed.

A client's section has blocks marked `sh` that begin with `# issue`, `# renew` or `# revoke`, and says after
`Certificate:` where the certificate is. Only paths are put elsewhere (`/etc`, the web root), and the variables that
the page begins with are set. Every client of the page that is installed here must have such a section or a
Caddyfile; a section without commands must say that it is not verified.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent / "acme")]

from clients import trust_shim, whole_chain  # noqa: E402
from cryptography import x509  # noqa: E402
from lab import Lab, program  # noqa: E402
from ward import Ward  # noqa: E402

from hospital import ROOT, Checks, eventually, run  # noqa: E402

PAGE = ROOT / "docs/acme-clients.md"
RUN = ["certbot", "lego", "acme.sh", "uacme", "dehydrated", "Caddy"]
PATIENCE = 120


def sections():
    """Name of each client → text of its section."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


class Guide:
    """One client's section, on a machine of its own."""

    def __init__(self, lab, client, text):
        self.lab, self.client, self.text = lab, client, text
        self.machine = "guide-" + client.lower().replace(".", "")
        self.name, self.address, self.root = lab.host(self.machine)
        self.blocks = {kind: body for kind, body in re.findall(r"^```sh\n# (\w+)\n(.*?)^```$", text, flags=re.M | re.S)}
        self.is_web_server = client == "Caddy"

    def prepare(self, ward):
        self.ward, self.folder = ward, self.lab.folder / self.machine
        (self.folder / "etc/ssl").mkdir(parents=True)
        kid, mac = ward.external_account(self.client, "servers", "--allow-name", self.name)
        clean = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        self.environment = clean | {
            "HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder / "config"), "DIRECTORY": ward.url,
            "KID": kid, "HMAC": mac, "ROOT": str(ward.tls_ca), "NAME": self.name}
        if self.client == "certbot":
            ini = self.folder / "config/letsencrypt/cli.ini"
            ini.parent.mkdir(parents=True)
            ini.write_text("".join(f"{key} = {self.folder}/{value}\n" for key, value in
                                   (("config-dir", "etc/letsencrypt"), ("work-dir", "work"), ("logs-dir", "logs"))))
        if self.client == "uacme":  # It trusts what the system trusts, and the system shall stay as it is.
            self.environment |= {"LD_PRELOAD": str(trust_shim(self.lab)), "TRUST_FILE": str(ward.tls_ca)}

    def here(self, text):
        return text.replace("/var/www/html", str(self.root)).replace("/etc/", f"{self.folder}/etc/")

    def certificate(self):
        said = re.search(r"Certificate: `([^`]+)`", self.text).group(1)
        said = self.here(said).replace("${NAME}", self.name).replace("$NAME", self.name).replace("$HOME", str(self.folder))
        return pathlib.Path(said)

    def does(self, kind):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", self.here(self.blocks[kind])], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              cwd=self.folder, env=self.environment, timeout=PATIENCE)
        if done.returncode != 0:
            raise RuntimeError(f"# {kind} exited {done.returncode}:\n{done.stdout[-3000:]}")

    def got(self, path=None):
        """The certificate, which must be for the name and have a chain to the root."""
        path = path or self.certificate()
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = names.get_values_for_type(x509.DNSName)
        if found != [self.name]:
            raise RuntimeError(f"it is for {found}")
        done = run(["openssl", "verify", "-CAfile", self.ward.roots, "-untrusted", path, "-purpose", "sslserver", path])
        if done.returncode != 0:
            raise RuntimeError(done.stdout)
        self.chain = path
        return certificate

    def steps(self):
        if self.is_web_server:
            return self.caddyfile()
        self.does("issue")
        first = self.got()
        self.does("renew")
        second = self.got()
        if first.serial_number == second.serial_number:
            raise RuntimeError("it says that it renewed, and has the same certificate")
        issuers = self.folder / "issuers.pem"
        issuers.write_bytes(self.chain.read_bytes().split(b"-----END CERTIFICATE-----\n", 1)[1])
        self.does("revoke")
        if self.ward.status(second, issuers) != "revoked" or self.ward.status(first, issuers) != "good":
            raise RuntimeError("it says that it revoked the newest, and the status says something else")
        return "issue, renew, revoke"

    def caddyfile(self):
        """Its ports, its address and where it keeps things are told beside the page's options."""
        text = re.search(r"^```caddyfile\n(.*?)^```$", self.text, flags=re.M | re.S).group(1)
        more = (f"admin off\nhttp_port {self.lab.http_port}\nhttps_port {self.lab.tls_port}\ndefault_bind {self.address}\n"
                f"storage file_system {self.folder}/data\n")
        (self.folder / "Caddyfile").write_text(text.replace("{\n", "{\n" + more, 1))
        log = open(self.folder / "log", "ab")
        server = subprocess.Popen([program("caddy"), "run", "--adapter", "caddyfile", "--config", str(self.folder / "Caddyfile")],
                                  cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            has_ended = lambda: server.poll() is not None  # noqa: E731
            chain = eventually(PATIENCE, lambda: has_ended() or whole_chain(self.folder / "data", self.name))
            if has_ended() or not chain:
                raise RuntimeError((self.folder / "log").read_text(errors="replace")[-3000:])
            (self.folder / "chain.pem").write_bytes(chain)
            self.got(self.folder / "chain.pem")
        finally:
            server.terminate()
            server.wait(20)
        return "issue"


def attempt(checks, ward, guide):
    try:
        guide.prepare(ward)
        checks.that(f"{guide.client}: {guide.steps()}", True)
    except Exception as error:  # a failure of one must not hide those of others
        checks.that(f"{guide.client}", False, f"{type(error).__name__}: {error}")


def main():
    checks, page = Checks("acme guide"), sections()
    for client, text in page.items():
        if client not in RUN:
            checks.that(f"{client}: the page says that it is not verified", f"**Not verified against {client}.**" in text)
    checks.equal("the page has a section for every client that runs here", [c for c in RUN if c not in page], [])
    with Lab("guide") as lab:
        guides = [Guide(lab, client, page[client]) for client in RUN if client in page]
        lab.start([guide.machine for guide in guides if not guide.is_web_server])
        with Ward(lab, "guide") as ward:
            settings = [f"validation.http_port={lab.http_port}", f"validation.tls_port={lab.tls_port}",
                        f'validation.resolvers=["127.0.0.1:{lab.dns_port}"]', 'validation.allow=["127.0.0.0/8"]']
            ward.url = ward.hospital.ward_json("acme", "directory", "set", "servers", *settings)["url"]
            with concurrent.futures.ThreadPoolExecutor(len(guides)) as pool:
                list(pool.map(lambda guide: attempt(checks, ward, guide), guides))
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
