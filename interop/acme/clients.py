"""The ACME clients of other people, behind one face, so that one test drives all of them.

A client has its own machine (address, web root, folder) in the lab and is told a directory's URL and the file with
the certificate authority of its TLS. `issue` and `renew` give the files of what they got; they raise if the program
failed, but they do not believe a program that says that it succeeded: the test compares serial numbers.
"""

import json
import os
import re
import subprocess
import threading
import time

from hospital import ROOT, must
from lab import BIN, AlpnResponder, eventually, listening, program

ACME = ROOT / "interop/acme"
PATIENCE = 120
HTTP, DNS, TLS = "http-01", "dns-01", "tls-alpn-01"


class Failed(Exception):
    """A client ended with an error."""


class Client:
    """What all have in common. `methods` are the challenges a client can answer; `ip` those it can for an address."""

    methods, ip, eab, web_root = (), (), True, False
    revokes, changes_key, deactivates, ari = True, False, False, False
    # It makes a new account, without being asked, when it has none.
    registers_again = False

    def __init__(self, lab, machine):
        self.lab, self.machine = lab, machine
        self.domain, self.address, self.root = lab.host(machine)

    responder = server = None

    def at(self, authority, method, eab, label="", restarts=None):
        """Begins again in a folder of its own, with no account, at one directory and with one challenge."""
        self.ca, self.method, self.restarts = authority.name, method, restarts
        self.directory, self.tls_ca, self.roots = authority.directory(self.machine, eab), authority.tls_ca, authority.roots
        self.binding = authority.external_account(self.machine) if eab else None
        self.folder = self.lab.folder / f"{authority.name}-{self.domain}-{method}-{'eab' if eab else 'open'}{label}"
        self.folder.mkdir()
        self.log = self.folder / "log"
        self.environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")} | {
            "HOME": str(self.folder), "WEBROOT": str(self.root), "DNS_PORT": str(self.lab.dns_port),
            "TSIG_KEY": str(self.lab.key), "RESTART_URL": restarts.url if restarts else "", "no_proxy": "127.0.0.1"}
        self.prepare()
        return self

    def prepare(self):
        pass

    def close(self):
        pass

    def run(self, *command, **more):
        with open(self.log, "ab") as log:
            log.write(f"$ {' '.join(map(str, command))}\n".encode())
            log.flush()
            done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                  cwd=self.folder, env=self.environment | more, timeout=PATIENCE)
            log.write(done.stdout)
        if done.returncode != 0:
            raise Failed(f"{command[0]} exited {done.returncode}:\n{self.log.read_text(errors='replace')[-3500:]}")
        return done.stdout

    def script(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def names(self, wildcard, ip):
        """What to ask for: the machine's domain and one below it, a wildcard, or its address."""
        if ip:
            return [self.address]
        return [self.domain, ("*." if wildcard else "www.") + self.domain]


class Certbot(Client):
    """The one from PyPI."""

    name, binary = "certbot58", BIN / "certbot"
    methods, ip, deactivates, registers_again, ari = (HTTP, DNS), (HTTP,), True, True, True

    def certbot(self, *arguments):
        return self.run(program(str(self.binary)), *arguments, "--config-dir", self.folder / "etc", "--work-dir", self.folder / "work",
                        "--logs-dir", self.folder / "logs", "--server", self.directory, "-n", REQUESTS_CA_BUNDLE=str(self.tls_ca))

    def prepare(self):
        hook = f"#!/bin/sh\nexec {ACME}/hook.sh"
        if self.method == HTTP:
            add = self.script("add", f'{hook} http add "$CERTBOT_DOMAIN" "$CERTBOT_TOKEN" "$CERTBOT_VALIDATION"\n')
            remove = self.script("remove", f'{hook} http remove "$CERTBOT_DOMAIN" "$CERTBOT_TOKEN"\n')
        else:
            add = self.script("add", f'{hook} dns add "$CERTBOT_DOMAIN" "$CERTBOT_VALIDATION"\n')
            remove = self.script("remove", f'{hook} dns remove "$CERTBOT_DOMAIN" "$CERTBOT_VALIDATION"\n')
        manual = ["--manual", "--preferred-challenges", self.method, "--manual-auth-hook", add, "--manual-cleanup-hook", remove]
        if self.method == HTTP and not (self.web_root or self.restarts):
            self.solver = ["--standalone", "--http-01-port", self.lab.http_port, "--http-01-address", self.address]
        else:
            self.solver = manual

    def issue(self, names, extra=()):
        binding = ["--eab-kid", self.binding[0], f"--eab-hmac-key={self.binding[1]}"] if self.binding else []
        flag = "--ip-address" if names[0] == self.address else "-d"
        self.certbot("certonly", *self.solver, "--agree-tos", "--register-unsafely-without-email", "--cert-name", "it",
                     *binding, *extra, *(part for name in names for part in (flag, name)))
        return self.files()

    def renew(self, force=True):
        self.certbot("renew", "--no-random-sleep-on-renew", *(["--force-renewal"] if force else []))
        return self.files()

    def files(self):
        live = (self.folder / "etc/live/it").resolve()
        return live / "cert.pem", live / "chain.pem"

    def revoke(self):
        self.certbot("revoke", "--cert-name", "it", "--reason", "superseded", "--no-delete-after-revoke")

    def deactivate(self):
        self.certbot("unregister")


class CertbotOfDebian(Certbot):
    name, binary, ip, ari, web_root = "certbot21", "/usr/bin/certbot", (), False, True


class Lego(Client):
    name = "lego"
    methods, ip, ari = (HTTP, DNS, TLS), (HTTP, TLS), True

    def prepare(self):
        if self.restarts:
            # Its own responders are started and asked within one process; only the external one runs a program.
            add = f'exec {ACME}/hook.sh dns "$act" "$name" "$2"\n'
            self.script("exec", '#!/bin/sh\nact=add\n[ "$1" = present ] || act=remove\n'
                                f'name=${{2#_acme-challenge.}}\nshift\nname=${{name%.}}\n{add}')

    def lego(self, command, names, *more):
        solver = {HTTP: ["--http", "--http.port", f"{self.address}:{self.lab.http_port}"],
                  TLS: ["--tls", "--tls.port", f"{self.address}:{self.lab.tls_port}"],
                  DNS: ["--dns", "exec" if self.restarts else "rfc2136", "--dns.propagation-wait", "20ms",
                        "--dns.resolvers", f"127.0.0.1:{self.lab.dns_port}"]}[self.method]
        binding = ["--eab", "--kid", self.binding[0], f"--hmac={self.binding[1]}"] if self.binding else []
        self.run(program("lego"), "--server", self.directory, "--path", self.folder / "lego", "--email", f"admin@{self.domain}",
                 "--accept-tos", *binding, *solver, *(part for name in names for part in ("-d", name)), command, *more,
                 LEGO_CA_CERTIFICATES=str(self.tls_ca), LEGO_CA_SYSTEM_CERT_POOL="false", EXEC_PATH=str(self.folder / "exec"),
                 DNSUPDATE_NAMESERVER=f"127.0.0.1:{self.lab.dns_port}", DNSUPDATE_TSIG_ALGORITHM="hmac-sha256.",
                 DNSUPDATE_TSIG_KEY="lab", DNSUPDATE_TSIG_SECRET=self.lab.secret, DNSUPDATE_POLLING_INTERVAL="1",
                 DNSUPDATE_SEQUENCE_INTERVAL="1", EXEC_POLLING_INTERVAL="1", EXEC_SEQUENCE_INTERVAL="1")

    def issue(self, names, extra=()):
        self.wanted = names
        self.lego("run", names, *extra)
        return self.files()

    def renew(self, force=True):
        self.lego("renew", self.wanted, "--no-random-sleep", *(["--ari-disable", "--days", "3650"] if force else []))
        return self.files()

    def files(self):
        stem = self.folder / "lego/certificates" / self.wanted[0].replace("*", "_").replace(":", "_")
        return stem.with_name(stem.name + ".crt"), stem.with_name(stem.name + ".issuer.crt")

    def revoke(self):
        self.lego("revoke", self.wanted, "--keep", "--reason", "4")


class Dehydrated(Client):
    name = "dehydrated"
    methods, deactivates, web_root = (HTTP, DNS, TLS), True, True

    def prepare(self):
        kind = {HTTP: 'http "$verb" "$2" "$3" "$4"', DNS: 'dns "$verb" "$2" "$4"', TLS: None}[self.method]
        call = f'{ACME}/hook.sh {kind}' if kind else 'if [ -n "$RESTART_URL" ] && [ "$verb" = add ]; then curl -fsS --noproxy "*" "$RESTART_URL"; fi'
        self.script("hook", '#!/bin/sh\nset -eu\ncase $1 in\n  deploy_challenge) verb=add ;;\n  clean_challenge) verb=remove ;;\n'
                            f'  *) exit 0 ;;\nesac\n{call}\n')
        binding = f"EAB_KID={self.binding[0]}\nEAB_HMAC_KEY={self.binding[1]}\n" if self.binding else ""
        (self.folder / "alpn").mkdir()
        (self.folder / "config").write_text(
            f'CA="{self.directory}"\nBASEDIR={self.folder}\nWELLKNOWN={self.root}/.well-known/acme-challenge\n'
            f'ALPNCERTDIR={self.folder}/alpn\nCHALLENGETYPE="{self.method}"\nHOOK={self.folder}/hook\nKEY_ALGO=prime256v1\n'
            f'CURL_OPTS="--cacert {self.tls_ca}"\nRENEW_DAYS=3650\n{binding}')
        self.responder = AlpnResponder(self.address, self.lab.tls_port, self.folder / "alpn") if self.method == TLS else None
        self.dehydrated("--register", "--accept-terms")

    def close(self):
        if self.responder:
            self.responder.close()

    def dehydrated(self, *arguments):
        return self.run(program("dehydrated"), "--config", self.folder / "config", *arguments)

    def issue(self, names, extra=()):
        self.wanted = names
        self.dehydrated("--cron", "--force", "--alias", "it", "--domain", " ".join(names))
        return self.files()

    def renew(self):
        return self.issue(self.wanted)

    def files(self):
        live = self.folder / "certs/it"
        return (live / "cert.pem").resolve(), (live / "chain.pem").resolve()

    def revoke(self):
        self.dehydrated("--revoke", self.files()[0])

    def deactivate(self):
        self.dehydrated("--deactivate")


class AcmeTiny(Client):
    """It can do less than the others on purpose: http-01, no binding, no revocation. A new certificate is its renewal."""

    name = "acmetiny"
    methods, eab, revokes, web_root = (HTTP,), False, False, True

    def prepare(self):
        must(["openssl", "genrsa", "-out", self.folder / "account.key", "2048"])

    def issue(self, names, extra=()):
        self.wanted = names
        must(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/",
              "-keyout", self.folder / "key.pem", "-out", self.folder / "csr.pem",
              "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)])
        # It looks at its challenge file before the authority does: our names are not in the machine's resolver.
        check = {"http_proxy": self.restarts.proxy} if self.restarts else {}
        chain = self.run(program("acme-tiny"), "--account-key", self.folder / "account.key", "--csr", self.folder / "csr.pem",
                         "--acme-dir", self.root / ".well-known/acme-challenge", "--directory-url", self.directory,
                         *([] if check else ["--disable-check"]), SSL_CERT_FILE=str(self.tls_ca), **check)
        return split(self.folder, chain)

    def renew(self):
        return self.issue(self.wanted)


class AcmeSh(Client):
    name = "acmesh"
    methods, ip, deactivates = (HTTP, DNS, TLS), (HTTP, TLS), True

    def prepare(self):
        if self.restarts:
            self.script("dns_lab.sh", 'dns_lab_add() { "$LAB_HOOK" dns add "${1#_acme-challenge.}" "$2"; }\n'
                                      'dns_lab_rm() { "$LAB_HOOK" dns remove "${1#_acme-challenge.}" "$2"; }\n')
        # It has `openssl s_server` listen on all addresses, --local-address or not.
        self.script("openssl", f'#!/bin/sh\nif [ "$1" = s_server ]; then\n  set -- "$@" -accept {self.address}:{self.lab.tls_port}\nfi\n'
                               f'exec {program("openssl")} "$@"\n')
        binding = ["--eab-kid", self.binding[0], "--eab-hmac-key", self.binding[1]] if self.binding else []
        self.acme_sh("--register-account", *binding)

    def acme_sh(self, *arguments):
        return self.run(program("acme.sh"), "--home", self.folder, "--server", self.directory, "--ca-bundle", self.tls_ca, *arguments,
                        NSUPDATE_SERVER="127.0.0.1", NSUPDATE_SERVER_PORT=str(self.lab.dns_port), NSUPDATE_KEY=str(self.lab.key),
                        LAB_HOOK=str(ACME / "hook.sh"), ACME_OPENSSL_BIN=str(self.folder / "openssl"))

    def issue(self, names, extra=()):
        self.wanted = names
        solver = {HTTP: ["--standalone", "--httpport", self.lab.http_port],
                  TLS: ["--alpn", "--tlsport", self.lab.tls_port],
                  DNS: ["--dns", "dns_lab" if self.restarts else "dns_nsupdate", "--dnssleep", "1"]}[self.method]
        local = [] if self.method == DNS else ["--local-address", self.address]
        self.acme_sh("--issue", "--keylength", "ec-256", *solver, *local, *extra, *(part for name in names for part in ("-d", name)))
        return self.files()

    def renew(self):
        self.acme_sh("--renew", "--force", "--ecc", "-d", self.wanted[0])
        return self.files()

    def files(self):
        live = self.folder / f"{self.wanted[0]}_ecc"
        return live / f"{self.wanted[0]}.cer", live / "ca.cer"

    def revoke(self):
        self.acme_sh("--revoke", "--ecc", "-d", self.wanted[0], "--revoke-reason", "4")

    def deactivate(self):
        self.acme_sh("--deactivate-account")


class Uacme(Client):
    name = "uacme"
    methods, ip, changes_key, deactivates, web_root = (HTTP, DNS, TLS), (HTTP, TLS), True, True, True

    def prepare(self):
        kind = {HTTP: 'http "$verb" "$3" "$4" "$5"', DNS: 'dns "$verb" "$3" "$5"', TLS: 'alpn "$verb" "$3" "$5"'}[self.method]
        self.script("hook", f'#!/bin/sh\n[ "$2" = {self.method} ] || exit 1\n'
                            f'case $1 in begin) verb=add ;; *) verb=remove ;; esac\nexec {ACME}/hook.sh {kind}\n')
        self.environment |= {"LD_PRELOAD": str(trust_shim(self.lab)), "TRUST_FILE": str(self.tls_ca)}
        self.responder = None
        if self.method == TLS:
            self.start_responder()
        binding = ["-e", f"{self.binding[0]}:{self.binding[1]}"] if self.binding else []
        self.uacme(*binding, "new")

    def start_responder(self):
        sock = self.environment["UALPN_SOCK"] = str(self.folder / "sock")
        self.responder = self.lab.spawn(f"ualpn-{self.folder.name}", [
            program("ualpn"), "-b", f"{self.address}@{self.lab.tls_port}", "-c", "127.0.0.1@9", "-s", sock, "-n", "1",
            "-p", self.folder / "ualpn.pid"])
        if not eventually(10, lambda: os.path.exists(sock) and listening(self.address, self.lab.tls_port)):
            raise Failed("ualpn did not start")

    def close(self):
        if self.responder:
            self.responder.terminate()
            self.responder.wait()

    def uacme(self, *arguments):
        return self.run(program("uacme"), "-v", "-y", "-a", self.directory, "-c", self.folder / "conf", "-h", self.folder / "hook",
                        "-t", "EC", "-o", *arguments)

    def issue(self, names, extra=()):
        self.wanted = names
        self.patiently("-f", "issue", *names)
        return split(self.folder, self.certificate().read_bytes())

    def patiently(self, *arguments):
        """pebble 2.10 offers challenges in random order, among them dns-persist-01, which has no token. uacme reads
        them until its hook takes one, and gives up at the first that has no token."""
        for left in reversed(range(1 if self.ca != "pebble" else 24)):
            try:
                return self.uacme(*arguments)
            except Failed as error:
                if not left or not re.search(r"failed to parse challenge\n.*failed to authorize order at \S+\n?$", str(error)):
                    raise

    def renew(self):
        time.sleep(1)  # It names what it keeps of the old one by the second.
        return self.issue(self.wanted)

    def certificate(self):
        return self.folder / "conf" / self.wanted[0] / "cert.pem"

    def revoke(self):
        self.uacme("-r", "4", "revoke", self.certificate())

    def change_key(self):
        self.uacme("newkey")

    def deactivate(self):
        self.uacme("deactivate")


class Caddy(Client):
    """It has no commands for certificates: it gets, keeps and replaces them by itself while it runs."""

    name = "caddy"
    methods, revokes = (HTTP, TLS), False

    def prepare(self):
        self.server = None

    def issue(self, names, extra=()):
        self.wanted = names[:1]  # It would get one certificate for each.
        self.serve(self.wanted[0], 1 / 3)
        return self.wait_for(self.chain)

    def renew(self):
        """Started again with a window that covers the whole life of its certificate, until there is a new one."""
        before = self.chain()
        self.close()
        self.serve(self.wanted[0], 1)
        return self.wait_for(lambda: (chain := self.chain()) != before and chain)

    def serve(self, name, window):
        issuer = {"module": "acme", "ca": self.directory, "email": f"admin@{self.domain}", "trusted_roots_pem_files": [str(self.tls_ca)],
                  "challenges": {"bind_host": self.address, "tls-alpn" if self.method == HTTP else "http": {"disabled": True}}}
        if self.binding:
            issuer["external_account"] = {"key_id": self.binding[0], "mac_key": self.binding[1]}
        site = {"listen": [f"{self.address}:{self.lab.tls_port}"], "automatic_https": {"disable_redirects": True},
                "routes": [{"match": [{"host": [name]}], "handle": [{"handler": "static_response", "body": "ok"}]}]}
        policy = {"subjects": [name], "issuers": [issuer], "renewal_window_ratio": window}
        config = {"admin": {"disabled": True}, "storage": {"module": "file_system", "root": str(self.folder / "data")},
                  "apps": {"http": {"http_port": self.lab.http_port, "https_port": self.lab.tls_port, "servers": {"it": site}},
                           "tls": {"automation": {"policies": [policy], "renew_interval": 1_000_000_000}}}}
        (self.folder / "caddy.json").write_text(json.dumps(config))
        log = open(self.log, "ab")
        self.server = subprocess.Popen([program("caddy"), "run", "--config", str(self.folder / "caddy.json")], cwd=self.folder,
                                       env=self.environment | {"XDG_CONFIG_HOME": str(self.folder)}, stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log)
        self.lab.processes.append(self.server)

    def chain(self):
        """What it has, or nothing."""
        return whole_chain(self.folder / "data", self.wanted[0])

    def wait_for(self, chain):
        has_ended = lambda: self.server.poll() is not None  # noqa: E731
        got = eventually(PATIENCE, lambda: has_ended() or chain())
        if has_ended() or not got:
            raise Failed(f"caddy has no certificate:\n{self.log.read_text(errors='replace')[-3500:]}")
        return split(self.folder, got)

    def close(self):
        if self.server:
            self.server.terminate()
            self.server.wait(20)
            self.lab.processes.remove(self.server)
            self.server = None


def whole_chain(data, name):
    """A chain that Caddy has in its store, or nothing: it makes the file first and fills it then, so that a file may be there and be empty."""
    for path in data.glob(f"certificates/*/{name}/{name}.crt"):
        chain = path.read_bytes()
        if chain.endswith(b"-----END CERTIFICATE-----\n"):
            return chain
    return b""


def split(folder, chain):
    """Files of the first certificate, and of the others, of a chain in PEM."""
    end = chain.index(b"-----END CERTIFICATE-----") + len(b"-----END CERTIFICATE-----")
    (folder / "leaf.pem").write_bytes(chain[:end] + b"\n")
    (folder / "others.pem").write_bytes(chain[end:].lstrip())
    return folder / "leaf.pem", folder / "others.pem"


TRUST_SHIM = """
#include <stdlib.h>
/* uacme trusts the folder that its libcurl was built to trust, and has no option for anything else. */
int gnutls_certificate_set_x509_trust_file(void *, const char *, int);
int gnutls_certificate_set_x509_trust_dir(void *to, const char *folder, int format) {
  return gnutls_certificate_set_x509_trust_file(to, getenv("TRUST_FILE"), format);
}
"""
SHIM_LOCK = threading.Lock()


def trust_shim(lab):
    library = lab.folder / "trust.so"
    with SHIM_LOCK:
        if not library.exists():
            (lab.folder / "trust.c").write_text(TRUST_SHIM)
            must(["cc", "-shared", "-fPIC", "-o", library, lab.folder / "trust.c"])
    return library


EVERYONE = (Certbot, CertbotOfDebian, Lego, Dehydrated, AcmeTiny, AcmeSh, Uacme, Caddy)
