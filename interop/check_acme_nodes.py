#!/usr/bin/env python3
"""Two nodes on one PostgreSQL, a hundred clients of one account over both, and one node killed in the middle.

Every request goes to whichever node is drawn, with a nonce that either gave. When a node is gone, a client does what
clients do: it asks the other what became of its order, and goes on from there. In the end

 - every order that was acknowledged ended in a certificate, and no nonce was refused that had not been used;
 - no order has two certificates, no serial number occurs twice, every certificate is in the log;
 - `ward audit verify` finds nothing in the database, and verify_log.py nothing in what is exported.
"""

import collections
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "acme")]

from lab import Lab  # noqa: E402
from ports import free_port  # noqa: E402
from raw import Answer, Refused, Session, Solver, Wire, csr, b64  # noqa: E402
from ward import Ward  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

from hospital import ROOT, Checks, Hospital, eventually, must, run  # noqa: E402

CLIENTS, ORDERS = 100, 2
# What a node that died was signing is void after a minute and signed again after a minute and a half, by another.
PATIENCE = 180
GONE = (ConnectionError, http.client.HTTPException, TimeoutError, OSError)


class Cluster(Wire):
    """Sends a request to a node that is drawn, under the one name that both have."""

    def __init__(self, ca, nodes, chance):
        super().__init__(ca)
        self.nodes, self.chance, self.kept = nodes, chance, {}

    def request(self, method, url, body=None, headers=None):
        number = self.chance.choice(self.nodes.alive)
        connection = self.kept.pop(number, None) or http.client.HTTPSConnection("127.0.0.1", number, context=self.context, timeout=30)
        try:
            connection.request(method, url[url.index("/", 8):], body, {"Host": url.split("/")[2]} | (headers or {}))
            answer = connection.getresponse()
            found = Answer(method, answer.status, answer.headers, answer.read())
        except GONE:
            connection.close()
            raise
        if not answer.will_close:
            self.kept[number] = connection
        return found


class Nodes:
    """Two servers with one database, one key-encrypting key and one name."""

    def __init__(self, hospital):
        self.hospital = hospital
        self.alive = [hospital.port]

    def join(self):
        """A second node: what docs/operate.md says is to be copied."""
        data = self.hospital.folder / "second"
        data.mkdir(mode=0o700)
        for name in ("ward.toml", "kek.json", "kek"):
            shutil.copy2(self.hospital.data / name, data / name)
        self.second_port, status = free_port(), free_port()
        log = open(self.hospital.folder / "second.log", "ab")
        self.second = self.hospital.spawn([self.hospital.binary, "serve", "--data", data, "--listen", f"127.0.0.1:{self.second_port}",
                                           "--http", f"127.0.0.1:{status}"], stdout=log, stderr=log)
        if not eventually(30, lambda: self.second.poll() is not None or is_ready(status)) or self.second.poll() is not None:
            raise SystemExit(f"the second node did not start:\n{(self.hospital.folder / 'second.log').read_text()[-2000:]}")
        self.alive = [self.hospital.port, self.second_port]

    def kill_second(self):
        self.second.send_signal(signal.SIGKILL)
        self.second.wait()
        self.hospital.processes.remove(self.second)
        # As a load balancer does that looks twice a second: some requests still go to the dead node.
        time.sleep(0.3)
        self.alive = [self.hospital.port]


def is_ready(number):
    connection = http.client.HTTPConnection("127.0.0.1", number, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


class Client(threading.Thread):
    """One machine of the account: it orders again and again, and picks up what a dead node left."""

    def __init__(self, number, first, nodes, solver, domain, counts):
        super().__init__(daemon=True)
        self.number, self.solver, self.domain, self.counts = number, solver, domain, counts
        self.session = Session.__new__(Session)
        self.session.__dict__ |= first.__dict__ | {"wire": Cluster(first.ca, nodes, random.Random(number))}
        self.done, self.orders, self.error = [], [], None

    def run(self):
        try:
            for number in range(ORDERS):
                self.one(f"n{self.number}-{number}.{self.domain}")
        except Exception as error:
            self.error = f"client {self.number}: {type(error).__name__}: {error}"

    def ask(self, what, url, payload=""):
        """Until a node answers. What is refused as a used nonce is counted: nobody used it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = self.session.post(url, payload)
            except GONE:
                self.counts["lost"] += 1
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
                continue
            if answer.status == 400 and answer.problem == "badNonce":
                self.counts["badNonce"] += 1
                continue
            if answer.status >= 500 or answer.status == 429:
                raise Refused(what, answer)
            return answer

    def one(self, name):
        answer = self.ask("newOrder", self.session.directory["newOrder"], {"identifiers": [{"type": "dns", "value": name}]})
        if answer.status != 201:
            raise Refused("newOrder", answer)
        url, order = answer.location, answer.json
        self.orders.append(url)
        request = csr([name], ec.generate_private_key(ec.SECP256R1()))
        deadline = time.monotonic() + PATIENCE
        while order["status"] != "valid":
            if order["status"] == "pending":
                self.prove(order)
            elif order["status"] == "ready":
                # It may have been finalized a moment ago by the request that nobody answered.
                self.ask("finalize", order["finalize"], {"csr": b64(request)})
            elif order["status"] == "invalid" or time.monotonic() > deadline:
                raise Refused(f"order {order['status']}", answer)
            else:
                time.sleep(0.1)
            answer = self.ask("order", url)
            order = answer.json
        found = self.ask("certificate", order["certificate"])
        self.done.append((url, x509.load_pem_x509_certificate(found.body)))

    def prove(self, order):
        for url in order["authorizations"]:
            found = self.ask("authorization", url).json
            challenge = next(challenge for challenge in found["challenges"] if challenge["type"] == "http-01")
            self.solver.put(challenge["token"], f"{challenge['token']}.{self.session.key.thumbprint}")
            if found["status"] == "pending" and challenge["status"] == "pending":
                self.ask("challenge", challenge["url"], {})
            elif found["status"] == "pending":
                time.sleep(0.1)


def work(checks, ward, nodes, first, solver, domain):
    counts = collections.Counter()
    clients = [Client(number, first, nodes, solver, domain, counts) for number in range(CLIENTS)]
    began = time.monotonic()
    for client in clients:
        client.start()
    third = CLIENTS * ORDERS // 3
    eventually(PATIENCE, lambda: sum(len(client.done) for client in clients) >= third)
    before = sum(len(client.done) for client in clients)
    nodes.kill_second()
    for client in clients:
        client.join(PATIENCE * 2)
    took = time.monotonic() - began
    done = [one for client in clients for one in client.done]
    checks.that(f"{CLIENTS} clients of one account, {len(done)} orders, {before} of them before one node was killed, {took:.0f} s; "
                f"{counts['lost']} requests were lost", before < len(done) and counts["lost"], counts)
    checks.equal("every order ended in a certificate", (len(done), [client.error for client in clients if client.error][:3]), (CLIENTS * ORDERS, []))
    checks.equal("no nonce was refused that nobody had used, whichever node gave it", counts["badNonce"], 0)
    check_log(checks, ward, done)


def check_log(checks, ward, done):
    folder = ward.hospital.folder / "log"
    ward.hospital.ward("audit", "export", folder)
    sys.path.append(str(HERE))
    import verify_log

    issued = collections.Counter()

    class Log(verify_log.Verifier):
        def event(self, seq, entry, digests):
            super().event(seq, entry, digests)
            event = json.loads(entry)
            if event["action"] == "certificate.issue" and event["outcome"] == "done":
                for evidence in event["after"].get("evidence", []):
                    issued[evidence["text"]] += evidence["kind"] == "acme-order"
                serials.append(event["object"]["id"])
                logged.add(event["digest"])

    serials, logged = [], set()
    key = verify_log.Key((folder / "vkey").read_text().rstrip("\n"))
    log = Log(verify_log.Folder(str(folder)), key, None, True)
    log.run()
    checks.equal("the exported log verifies", log.findings, [])
    found = json.loads(run([ward.hospital.binary, "audit", "verify", "--data", ward.hospital.data, "--json"]).stdout)["findings"]
    checks.equal("ward audit verify finds nothing", found, [])
    checks.equal("no serial number occurs twice", len(serials), len(set(serials)))
    checks.that("every certificate is in the log", {certificate.fingerprint(hashes.SHA256()).hex() for _, certificate in done} <= logged)
    orders = {order: count for order, count in issued.items() if count}
    checks.equal("every order has exactly one certificate", orders, {url.rsplit("/", 1)[1]: 1 for url, _ in done})


def main():
    checks = Checks("acme nodes")
    with Lab("nodes") as lab:
        domain, address, _ = lab.host("fleet")
        lab.start([])
        # Its path is part of a socket's name, which must be short. It is ended with this process, whatever ends that.
        database = f"/tmp/wpg-nodes-{os.getpid()}"
        url = must([ROOT / "scripts/pg-test-cluster.sh", "start", database, str(os.getpid())], timeout=120).strip()
        try:
            with Ward(lab, hospital=Hospital("nodes", "--database", url)) as ward:
                ward.hospital.ward("acme", "directory", "set", "open", *(f"limits.{name}=off" for name in LIMITS))
                nodes = Nodes(ward.hospital)
                nodes.join()
                first = Session(ward.urls[False], ward.tls_ca).register()
                first.ca = ward.tls_ca
                work(checks, ward, nodes, first, Solver(lab, address), domain)
        finally:
            must([ROOT / "scripts/pg-test-cluster.sh", "stop", database])
    return checks.summary()


LIMITS = ("requests_per_address", "requests_per_account", "requests")


if __name__ == "__main__":
    sys.exit(main())
