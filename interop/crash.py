#!/usr/bin/env python3
"""Kills `ward serve` with SIGKILL at random moments under load, and demands that nothing is lost.

usage: crash.py [--kills N] [--database sqlite|postgres|both] [--clients N] [--softhsm] [--seed N] [--keep]

Concurrent clients issue and revoke over REST while the server is killed and started again, some
of the times in the middle of its start-up. After each restart, from the outside:

 - every certificate that was acknowledged is there, byte for byte, and OCSP knows it;
 - every revocation that was acknowledged is in REST and in OCSP, and at the end in the CRLs;
 - the export verifies with verify_log.py, as a continuation of the last checkpoint that was seen
   before the kill, with every acknowledged certificate in it;
 - no serial number was used twice; every announced signature, and every serial number that a dead
   server had reserved, ended in an issued certificate or in a voided serial number, which OCSP says is
   revoked;
 - `ward audit verify` finds nothing in the live database, nor verify_log.py in the log that is served at the end.

The number of kills for each database is CRASH_KILLS in the environment, 20 if it is not set.
"""

import argparse
import datetime
import hashlib
import http.client
import json
import os
import pathlib
import random
import shutil
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "bench/lib"), str(ROOT / "interop")]

import verify_log  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.x509 import ocsp  # noqa: E402
from ports import free_port  # noqa: E402
from postgres import Postgres  # noqa: E402
from prepared import certificate_requests, issuer_hashes  # noqa: E402
from world import World, run  # noqa: E402

START_SECONDS = 30
PROFILE = "server-tls"
REVOKE_SHARE = 0.25
START_UP_KILLS = 0.15
# On SQLite a server is alone and voids at its start what the last one left open. On PostgreSQL it may be the work of
# another server, so it waits until no signature can take so long, a minute, and then for the round that looks.
SETTLED_AFTER = {"sqlite": 0, "postgres": 90}
# Likewise it publishes lists at once, or when the killed server's lease has run out and the next look is due.
LISTS_AFTER = {"sqlite": 1, "postgres": 22}


SOFTHSM_MODULES = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
                   "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"]


class Broken(Exception):
    """A promise that Ward did not keep."""


def demand(holds, text):
    if not holds:
        raise Broken(text)


class Hospital:
    """One Ward with its database: started, killed and asked."""

    def __init__(self, world, binary, database, in_token):
        self.world, self.binary, self.name = world, binary, database
        self.data, self.root = world.folder / f"ward-{database}", world.folder / f"{database}-root"
        self.api_port, self.http_port = free_port(), free_port()
        url = Postgres(world).url if database == "postgres" else f"sqlite:{self.data}/ward.db"
        self.data.mkdir()
        backend = "software"
        if in_token:
            backend, tokens = token(world, self.data)
            (self.data / "ward.toml").write_text(
                f'[database]\nurl = "{url}"\n[listen]\napi = "127.0.0.1:{self.api_port}"\n'
                f'status = "127.0.0.1:{self.http_port}"\n{tokens}')
        run([binary, "init", "--backend", backend, "--data", self.data, "--database", url, "--organization", "Crash Hospital",
             "--root-out", self.root, "--publish-url", f"http://127.0.0.1:{self.http_port}",
             "--listen", f"127.0.0.1:{self.api_port}", "--http", f"127.0.0.1:{self.http_port}"])
        self.token = self.command("token", "create", "--name", "crash", "--role", "issuer")["token"]
        self.log = open(world.folder / f"{database}.log", "ab")
        self.process, self.spawned = None, None
        self.context = ssl.create_default_context()
        # The listener's own certificate is not what is tested here.
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.issuers = {}

    def command(self, *arguments):
        return json.loads(run([self.binary, *arguments, "--data", self.data, "--json"]))

    def verified(self):
        """The findings of `ward audit verify`."""
        done = subprocess.run([str(self.binary), "audit", "verify", "--data", str(self.data), "--json"],
                              stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout)["findings"]

    def spawn(self):
        self.spawned = datetime.datetime.now(datetime.timezone.utc)
        self.process = subprocess.Popen([str(self.binary), "serve", "--data", str(self.data)], stdout=self.log,
                                        stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True)
        self.world.processes.append(self.process)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.world.processes.remove(self.process)

    def start(self):
        self.spawn()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.fetch("/readyz") is not None:
                    return
            except OSError:
                pass
            time.sleep(0.01)
        tail = pathlib.Path(self.log.name).read_text(errors="replace")[-3000:]
        raise Broken(f"it did not start again:\n{tail}")

    def connection(self):
        return http.client.HTTPSConnection("127.0.0.1", self.api_port, timeout=30, context=self.context)

    def ask(self, connection, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")

    def fetch(self, path, body=None, content_type=None):
        """From the public listener; None where there is nothing."""
        headers = {"Content-Type": content_type} if content_type else {}
        url = path if path.startswith("http") else f"http://127.0.0.1:{self.http_port}{path}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            if error.code in (404, 503):
                return None
            raise

    def issuer_of(self, certificate):
        """The issuer's certificate, from where the certificate says that it is."""
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        url = next(a.access_location.value for a in access
                   if a.access_method == x509.AuthorityInformationAccessOID.CA_ISSUERS)
        if url not in self.issuers:
            self.issuers[url] = x509.load_der_x509_certificate(self.fetch(url))
        return self.issuers[url]

    def ocsp_status(self, issuer, serial):
        name_hash, key_hash = issuer_hashes(issuer)
        request = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name_hash, key_hash, serial, hashes.SHA1()).build()
        der = request.public_bytes(serialization.Encoding.DER)
        answer = ocsp.load_der_ocsp_response(self.fetch("/ocsp", der, "application/ocsp-request"))
        demand(answer.response_status == ocsp.OCSPResponseStatus.SUCCESSFUL, f"OCSP: {answer.response_status}")
        return answer.certificate_status


class Load:
    """Clients that issue and revoke until the server dies, and remember what they were promised."""

    def __init__(self, hospital, requests, clients, seed):
        self.hospital, self.requests = hospital, requests
        self.issued, self.revoked, self.revocations_sent = [], set(), set()
        self.unexpected, self.checkpoint, self.stop = [], None, False
        self.threads = [threading.Thread(target=self.client, args=(random.Random(seed + n),)) for n in range(clients)]
        self.threads.append(threading.Thread(target=self.watch))
        for thread in self.threads:
            thread.start()

    def client(self, chance):
        connection = self.hospital.connection()
        try:
            while not self.stop:
                if self.issued and chance.random() < REVOKE_SHARE:
                    self.revoke(connection, chance.choice(self.issued)["sha256"])
                else:
                    self.issue(connection, chance.choice(self.requests))
        except (OSError, http.client.HTTPException, ValueError):
            pass  # The server is dead, or died in the middle of an answer: no promise was made.

    def issue(self, connection, csr):
        status, answer = self.hospital.ask(connection, "POST", "/api/v1/certificates", {"profile": PROFILE, "csr": csr})
        if status == 201:
            self.issued.append(answer)
        else:
            self.unexpected.append((status, answer))

    def revoke(self, connection, sha256):
        if sha256 in self.revocations_sent:
            return
        self.revocations_sent.add(sha256)
        path = f"/api/v1/certificates/{sha256}/revoke"
        status, answer = self.hospital.ask(connection, "POST", path, {"reason": "superseded"})
        if status in (200, 204):
            self.revoked.add(sha256)
        else:
            self.unexpected.append((status, answer))

    def watch(self):
        try:
            while not self.stop:
                checkpoint = self.hospital.fetch("/log/checkpoint")
                if checkpoint:
                    self.checkpoint = checkpoint
                time.sleep(0.02)
        except (OSError, http.client.HTTPException):
            pass

    def end(self):
        self.stop = True
        for thread in self.threads:
            thread.join()


class Log(verify_log.Verifier):
    """The outside verifier, which also remembers what the events say about serial numbers."""

    def __init__(self, folder, key, earlier):
        super().__init__(verify_log.Folder(folder), key, earlier, True)
        self.issued_serials, self.digests, self.voided = [], set(), []
        self.voided_of = {}  # by issuer: a dead server's blocks are of each that it issued by

    def event(self, seq, entry, digests):
        super().event(seq, entry, digests)
        event = json.loads(entry)
        if event["outcome"] != "done":
            return
        if event["action"] == "certificate.issue":
            self.issued_serials.append(event["object"]["id"])
            self.digests.add(event["digest"])
        elif event["action"] == "certificate.void":
            self.voided.append(event["object"]["id"])
            self.voided_of.setdefault(event["after"]["issuer"], []).append(event["object"]["id"])


class Trial:
    """All kills on one database."""

    def __init__(self, hospital, options):
        self.hospital, self.options = hospital, options
        self.chance = random.Random(options.seed)
        self.requests = certificate_requests(32)
        self.issued, self.revoked, self.revocations_sent = {}, set(), set()
        self.under_load = self.in_start_up = 0
        self.checkpoint, self.log = None, None
        self.unexpected = []

    def run(self):
        for number in range(self.options.kills):
            if self.chance.random() < START_UP_KILLS:
                self.kill_in_start_up()
                news = {}
                self.hospital.start()
            else:
                news = self.kill_under_load(number)
            self.check(news)
            self.hospital.kill()
            print(f"  {self.hospital.name} kill {number + 1}: {len(news)} new certificates, "
                  f"{len(self.issued)} in all, {self.log.tree.size} events, {len(self.log.voided)} voided", flush=True)
        self.hospital.start()
        started = time.monotonic()
        self.check(self.issued)
        self.wait_until_settled()
        time.sleep(max(0, started + LISTS_AFTER[self.hospital.name] - time.monotonic()))
        self.check_revocation_lists()
        self.check_served_log()
        self.hospital.kill()

    def kill_in_start_up(self):
        self.hospital.spawn()
        time.sleep(self.chance.uniform(0, 0.3))
        self.hospital.kill()
        self.in_start_up += 1

    def kill_under_load(self, number):
        """Gives the certificates that were acknowledged before the kill."""
        self.hospital.start()
        load = Load(self.hospital, self.requests, self.options.clients, self.options.seed + 1000 * number)
        time.sleep(self.chance.uniform(0.02, 1.2))
        self.hospital.kill()
        load.end()
        self.under_load += bool(load.issued)
        self.checkpoint = load.checkpoint or self.checkpoint
        self.unexpected += load.unexpected
        news = {issued["sha256"]: issued for issued in load.issued}
        demand(len(news) == len(load.issued), "one certificate was acknowledged twice")
        self.issued |= news
        self.revoked |= load.revoked
        self.revocations_sent |= load.revocations_sent
        self.hospital.start()
        return news

    def check(self, certificates):
        demand(not self.unexpected, f"unexpected answers: {self.unexpected[:3]}")
        connection = self.hospital.connection()
        for sha256, promised in certificates.items():
            self.check_certificate(connection, sha256, promised)
        connection.close()
        self.check_log(SETTLED_AFTER[self.hospital.name])

    def check_certificate(self, connection, sha256, promised):
        status, found = self.hospital.ask(connection, "GET", f"/api/v1/certificates/{sha256}")
        demand(status == 200, f"{sha256} was acknowledged and is not there: {status} {found}")
        certificate = x509.load_pem_x509_certificate(found["certificate"].encode())
        der = certificate.public_bytes(serialization.Encoding.DER)
        demand(hashlib.sha256(der).hexdigest() == sha256, f"{sha256} is another certificate now")
        demand(found["serial"] == promised["serial"], f"{sha256} has another serial number now")
        status = self.hospital.ocsp_status(self.hospital.issuer_of(certificate), certificate.serial_number)
        demand(status != ocsp.OCSPCertStatus.UNKNOWN, f"OCSP does not know {promised['serial']}")
        is_revoked = status == ocsp.OCSPCertStatus.REVOKED
        demand(is_revoked == (found["status"]["status"] == "revoked"), f"REST and OCSP disagree about {promised['serial']}")
        if sha256 in self.revoked:
            demand(is_revoked, f"the revocation of {promised['serial']} was acknowledged and is lost")
        if sha256 not in self.revocations_sent:
            demand(not is_revoked, f"nobody revoked {promised['serial']}")

    def check_log(self, settled_after):
        folder = self.hospital.world.folder / f"{self.hospital.name}-export"
        self.hospital.command("audit", "export", folder)
        key = verify_log.Key((folder / "vkey").read_text().rstrip("\n"))
        log = self.log = Log(str(folder), key, self.checkpoint)
        log.run()
        demand(not log.findings, f"verify_log.py: {log.findings[:5]}")
        self.check_open(log, settled_after)
        missing = set(self.issued) - log.digests
        demand(not missing, f"{len(missing)} acknowledged certificates are not in the log")
        serials = log.issued_serials + log.voided
        demand(len(set(serials)) == len(serials), "a serial number was used twice")
        findings = self.hospital.verified()
        demand(not findings, f"ward audit verify: {findings[:5]}")
        self.checkpoint = (folder / "checkpoint").read_bytes()
        for url, issuer in self.hospital.issuers.items():
            for serial in log.voided_of.get(pathlib.PurePosixPath(url).stem, [])[-20:]:
                status = self.hospital.ocsp_status(issuer, int(serial, 16))
                demand(status == ocsp.OCSPCertStatus.REVOKED, f"the voided serial {serial} is {status}")

    def check_open(self, log, settled_after):
        """What is open is recent, or a block of the server that runs now."""
        now = datetime.datetime.now(datetime.timezone.utc)
        for serial, (seq, announced) in log.intents.items():
            age = (now - announced).total_seconds()
            demand(age < settled_after, f"the signature under {serial}, announced in event {seq}, is unaccounted for")
        for block, (seq, reserved) in self.left_blocks(log).items():
            age = (now - reserved).total_seconds()
            demand(age < settled_after, f"block {block}, reserved in event {seq} by a dead server, is unaccounted for")

    def left_blocks(self, log):
        """Blocks of serial numbers that are open and not of the server that runs now."""
        return {block: (seq, reserved) for block, (seq, reserved, _, _) in log.blocks.items()
                if reserved < self.hospital.spawned}

    def wait_until_settled(self):
        """Until every intent is issued or voided, and every dead server's block, which the check after it demands."""
        deadline = time.monotonic() + SETTLED_AFTER[self.hospital.name]
        while (self.log.intents or self.left_blocks(self.log)) and time.monotonic() < deadline:
            time.sleep(5)
            self.check_log(SETTLED_AFTER[self.hospital.name])
        self.check_log(0)

    def check_revocation_lists(self):
        """Every acknowledged revocation is in the list that its certificate names."""
        wanted, connection = {}, self.hospital.connection()
        for sha256 in self.revoked:
            _, found = self.hospital.ask(connection, "GET", f"/api/v1/certificates/{sha256}")
            certificate = x509.load_pem_x509_certificate(found["certificate"].encode())
            points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
            url = points[0].full_name[0].value
            wanted.setdefault((url, self.hospital.issuer_of(certificate)), set()).add(certificate.serial_number)
        connection.close()
        for (url, issuer), serials in wanted.items():
            revoked = x509.load_der_x509_crl(self.hospital.fetch(url))
            demand(revoked.is_signature_valid(issuer.public_key()), f"{url} is not signed by its issuer")
            missing = serials - {entry.serial_number for entry in revoked}
            demand(not missing, f"{len(missing)} of {len(serials)} revoked certificates are not in {url}")


    def check_served_log(self):
        """The served log as an auditor elsewhere verifies it: over TLS, with a token, without Ward's code."""
        folder, auditor = self.hospital.world.folder, self.hospital.command("token", "create", "--name", "auditor", "--role", "auditor")
        root = folder / f"{self.hospital.name}-root.pem"
        self.hospital.command("ca", "export", "root", "--out", root)
        done = subprocess.run([sys.executable, str(ROOT / "interop/verify_log.py"), f"https://127.0.0.1:{self.hospital.api_port}/log",
                               "--vkey", str(folder / f"{self.hospital.name}-export/vkey"), "--token", auditor["token"],
                               "--anchor", str(root), "--no-certificates"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        demand(done.returncode == 0, f"the served log: {done.stdout[-2000:]}")


def token(world, data):
    """A token of SoftHSM2 for the Ward in `data`: the name of the backend, and what ward.toml says about it."""
    label, pin = data.name, "471100"
    tokens, config = world.folder / "tokens", world.folder / "softhsm2.conf"
    tokens.mkdir(exist_ok=True)
    config.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(config)
    run(["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "471101", "--pin", pin])
    module = next(path for path in map(pathlib.Path, SOFTHSM_MODULES) if path.exists())
    (data / "pin").write_text(pin)
    (data / "pin").chmod(0o600)
    return f"pkcs11:{label}", f'[[keys.pkcs11]]\nmodule = "{module}"\ntoken = "{label}"\npin_file = "pin"\n'


def main():
    parser = argparse.ArgumentParser(description="Kills Ward under load and checks that nothing is lost.")
    parser.add_argument("--kills", type=int, default=int(os.environ.get("CRASH_KILLS", "20")), help="for each database")
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--softhsm", action="store_true", help="keys of the authorities in SoftHSM2")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--keep", action="store_true", help="keep the working directory")
    options = parser.parse_args()
    binary = pathlib.Path(os.environ.get("WARD_BIN") or ROOT / "target/debug/ward").resolve()
    print(f"crash: {options.kills} kills for each database, {options.clients} clients, --seed {options.seed}", flush=True)
    databases = ["sqlite", "postgres"] if options.database == "both" else [options.database]
    failed = False
    with World() as world:
        for database in databases:
            trial = Trial(Hospital(world, binary, database, options.softhsm), options)
            try:
                trial.run()
            except Broken as broken:
                failed = True
                print(f"FAILED {database}: {broken}")
                continue
            print(f"ok {database}: {trial.under_load} kills under load, {trial.in_start_up} in start-up; "
                  f"{len(trial.issued)} certificates and {len(trial.revoked)} revocations acknowledged, all there; "
                  f"{len(trial.log.voided)} signatures voided; {trial.log.tree.size} events verified")
        if failed and options.keep:
            shutil.copytree(world.folder, f"{world.folder}-kept", ignore=shutil.ignore_patterns(".s.*"))
            print(f"kept: {world.folder}-kept")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
