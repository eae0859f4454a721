#!/usr/bin/env python3
"""An agent of a segment over real sockets: killed twice, its core killed during a hand-over and away for a while, and every
place that was ordered arrives once; what was tampered with is not handed over; who is revoked is done with at once."""

import http.client
import json
import signal
import sqlite3
import ssl
import subprocess
import sys
import time

from hospital import Checks, Hospital, eventually, free_port, must

PLACES = 256
RATE = 25


class Devices:
    """TLS on every loopback address of the segment."""

    def __init__(self, folder, port):
        key, certificate = folder / "device.key", folder / "device.pem"
        must(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
              "/CN=device.mercy.example", "-days", "30", "-keyout", key, "-out", certificate])
        self.process = subprocess.Popen(["openssl", "s_server", "-accept", f"0.0.0.0:{port}", "-key", str(key), "-cert",
                                         str(certificate), "-quiet"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Agent:
    def __init__(self, hospital, home):
        self.binary, self.home, self.log = hospital.binary, home, hospital.folder / "agent.log"
        self.hospital, self.process = hospital, None

    def run(self):
        self.process = self.hospital.spawn([self.binary, "agent", "run", "--home", self.home],
                                           stdout=subprocess.DEVNULL, stderr=open(self.log, "ab"))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def status(self):
        return json.loads(must([self.binary, "agent", "status", "--home", self.home, "--json"]))


def kill_core(hospital):
    hospital.server.send_signal(signal.SIGKILL)
    hospital.server.wait()


def segment(hospital, port):
    """Limits that one person writes and another signs."""
    approver = hospital.token("dr-chen", "approver")
    hospital.ward("segment", "set", "icu", "--range", "127.30.4.0/24", "--port", str(port), "--rate", str(RATE),
                  "--pause-ms", "0", "--hours", "always", "--relay", "icu-1")
    status, _, body = hospital.rest("GET", "/api/v1/segments/icu", approver)
    assert status == 200, body
    status, _, body = hospital.rest("POST", "/api/v1/segments/icu/sign", approver, {"version": body["version"], "note": ""})
    assert status == 200, body


def database(hospital, query):
    with sqlite3.connect(f"file:{hospital.data}/ward.db?mode=ro", uri=True) as store:
        return store.execute(query).fetchall()


def asked(hospital, path, body, certificate=None, key=None):
    """What the core answers to a machine that shows this certificate, or none."""
    context = ssl.create_default_context(cafile=str(hospital.root))
    if certificate:
        context.load_cert_chain(certificate, key)
    connection = http.client.HTTPSConnection("127.0.0.1", hospital.port, context=context, timeout=30)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def exactly_once(hospital, checks, agent):
    order = hospital.ward_json("agent", "order", "icu-1")
    checks.equal("an order for the whole segment", (order["total"], order["state"]), (PLACES, "open"))
    done = lambda: hospital.ward_json("agent", "show", "icu-1")["orders"][0]
    agent.run()
    eventually(30, lambda: done()["done"] > 20)
    checks.that("results come while it scans", 0 < done()["done"] < PLACES, done())
    agent.kill()
    agent.run()
    time.sleep(1.5)
    # In the middle of a hand-over, or close to one: there is one every second.
    kill_core(hospital)
    before = agent.status()
    waits = eventually(15, lambda: agent.status()["batches"] >= 2)
    checks.that("the scan goes on without its core, and results wait on disk", waits, before)
    agent.kill()
    after = agent.status()
    checks.that("nothing of them is gone after a kill", after["batches"] >= 2 and not after["running"], after)
    agent.run()
    time.sleep(1)
    hospital.start()
    checks.that("the order is done once the core is back", eventually(90, lambda: done()["state"] == "done"), done())
    shown = hospital.ward_json("agent", "show", "icu-1")
    checks.equal("every place has its outcome, and one", (shown["handed_over"]["observations"], shown["orders"][0]["done"]),
                 (PLACES, PLACES))
    rows = database(hospital, "SELECT COUNT(*), COUNT(DISTINCT place) FROM places WHERE address LIKE '127.30.4.%'")
    checks.equal("every place is in the inventory, once", rows[0], (PLACES, PLACES))
    gaps = database(hospital, "SELECT COUNT(*), MAX(sequence) FROM agent_batches")[0]
    checks.that("batches are numbered without a gap", gaps[0] == gaps[1] > 3, gaps)
    checks.equal("nothing waits", agent.status()["batches"], 0)
    checks.accepts("the log accounts for it", [hospital.binary, "audit", "verify", "--data", hospital.data])


def strangers(hospital, checks, agent, ticket):
    poll = {"holds": [], "wait": 0, "clock": 0, "batches": 0, "bytes": 0, "version": "0"}
    identity = json.loads((agent.home / "identity.json").read_text())
    chain, key = hospital.folder / "agent.pem", hospital.folder / "agent.key"
    chain.write_text(identity["chain"])
    must(["openssl", "pkcs8", "-inform", "DER", "-in", agent.home / identity["key"], "-nocrypt", "-out", key])
    checks.equal("the agent's certificate is answered", asked(hospital, "/agent/v1/orders", poll, chain, key)[0], 200)
    checks.equal("no certificate is not", asked(hospital, "/agent/v1/orders", poll)[0], 401)
    stolen = hospital.folder / "other.pem"
    other = hospital.folder / "other.key"
    must(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=icu-1",
          "-addext", "subjectAltName=URI:urn:ward:agent:icu-1", "-keyout", other, "-out", stolen])
    checks.equal("nor one that only says its name", asked(hospital, "/agent/v1/orders", poll, stolen, other)[0], 401)
    issued = hospital.folder / "client.pem"
    csr = hospital.folder / "client.csr"
    must(["openssl", "req", "-new", "-key", other, "-subj", "/CN=icu-1", "-addext",
          "subjectAltName=URI:urn:ward:agent:icu-1", "-out", csr])
    hospital.ward("cert", "issue", "--profile", "client-tls", "--csr", csr, "--out", issued)
    checks.equal("nor one of Ward's own that was not given to it", asked(hospital, "/agent/v1/orders", poll, issued, other)[0], 401)
    request = {"agent": "icu-1", "token": json.loads(ticket.read_text())["token"], "csr": csr.read_text()}
    checks.equal("a ticket that is spent is refused", asked(hospital, "/agent/v1/enrol", request)[0], 403)
    checks.equal("and what is no batch", asked(hospital, "/agent/v1/results", {"v": 1}, chain, key)[0], 422)
    return chain, key, poll


def tampered(hospital, checks, agent):
    order = hospital.ward_json("agent", "order", "icu-1")
    eventually(20, lambda: hospital.ward_json("agent", "show", "icu-1")["orders"][0]["done"] > 5)
    kill_core(hospital)
    eventually(15, lambda: agent.status()["batches"] >= 2)
    agent.kill()
    waiting = sorted((agent.home / "queue").glob("*.batch"))[-1]
    text = waiting.read_text()
    waiting.write_text(text.replace('"certificate"', '"certificatE"', 1))
    checks.refuses("a queue that was changed is not handed over", [agent.binary, "agent", "run", "--home", agent.home],
                   "it was changed outside of the agent", timeout=20)
    waiting.write_text(text)
    hospital.start()
    orders = sorted((agent.home / "orders").glob("*.order"))
    kept = orders[0].read_text()
    orders[0].write_text(kept.replace("127.30.4.0/24", "127.0.0.0/8"))
    agent.run()
    refused = eventually(30, lambda: hospital.ward_json("agent", "show", "icu-1")["orders"][0]["state"] == "refused")
    checks.that("an order that was changed is not carried out", refused, order)


def main():
    checks = Checks("agent of a segment")
    port = free_port()
    with Hospital("agent") as hospital:
        devices = Devices(hospital.folder, port)
        hospital.processes.append(devices.process)
        segment(hospital, port)
        ticket, home = hospital.folder / "icu-1.ticket", hospital.folder / "agent"
        hospital.ward("agent", "invite", "icu-1", "--segment", "icu", "--core", f"https://127.0.0.1:{hospital.port}",
                      "--out", ticket)
        checks.equal("a ticket is for one pair of eyes", ticket.stat().st_mode & 0o777, 0o600)
        enrol = [hospital.binary, "agent", "enrol", "--ticket", ticket, "--home", home]
        checks.refuses("an agent cannot be enrolled for more than the ticket says", [*enrol, "--only", "127.0.0.0/8"], "does not allow")
        checks.accepts("it enrols", enrol, "is enrolled")
        checks.refuses("once", [hospital.binary, "agent", "enrol", "--ticket", ticket, "--home", hospital.folder / "twin"], "ticket")
        modes = {path.stat().st_mode & 0o777 for path in home.iterdir() if path.is_file()}
        checks.equal("its files are its own", modes, {0o600})
        agent = Agent(hospital, home)
        exactly_once(hospital, checks, agent)
        chain, key, poll = strangers(hospital, checks, agent, ticket)
        tampered(hospital, checks, agent)
        hospital.ward("agent", "revoke", "icu-1", "--why", "stolen", "--yes")
        checks.equal("a revoked agent is not answered", asked(hospital, "/agent/v1/orders", poll, chain, key)[0], 401)
        ended = eventually(40, lambda: agent.process.poll() is not None)
        checks.that("and ends", ended and agent.process.returncode == 1, agent.log.read_text()[-500:])
        checks.refuses("nor is it ordered any more", [hospital.binary, "agent", "order", "icu-1", "--data", hospital.data],
                       "agent.state")
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
