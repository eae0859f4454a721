#!/usr/bin/env python3
"""Mail about requests, at a real SMTP server (aiosmtpd, PyPI): STARTTLS with a certificate that Ward issued, a login, a relay
that is away and comes back, who gets what, and what never stands in a mail (R07)."""

import email
import email.policy
import json
import ssl
import subprocess
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

import profiles
from check_api import csr
from check_findings import SECRET, Receiver
from hospital import Checks, Hospital, eventually, free_port

USER, PASSWORD = "ward", "correct horse"
PEOPLE = [("ada", "ra-officer"), ("ben", "approver"), ("cleo", "security"), ("dora", "approver")]
NAME = "hie-secret-name.mercy.example"


class Mailbox:
    """What the relay was given: (envelope's recipients, message)."""

    def __init__(self):
        self.got, self.refuse = [], set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refuse:
            return "451 4.2.1 not now"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        assert session.ssl and session.authenticated
        self.got.append((list(envelope.rcpt_tos), email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 OK"

    def of(self, person):
        return [message for to, message in self.got if to == [f"{person}@mercy.example"]]

    def eventually(self, person, text, seconds=25):
        return eventually(seconds, lambda: any(text in message.get_content() for message in self.of(person)))


class Relay:
    def __init__(self, hospital, box):
        self.port, self.box = free_port(), box
        key, chain = hospital.folder / "relay.key", hospital.folder / "relay.pem"
        subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", hospital.folder / "relay.csr"], check=True, capture_output=True)
        hospital.ward("cert", "issue", "--profile", "server-tls", "--csr", hospital.folder / "relay.csr", "--out", chain)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain, key)

    def start(self):
        def login(server, session, envelope, mechanism, data):
            return AuthResult(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()))

        self.controller = Controller(self.box, hostname="localhost", port=self.port, tls_context=self.context, require_starttls=True,
                                     authenticator=login, auth_required=True)
        self.controller.start()

    def stop(self):
        self.controller.stop()


def person_id(hospital, token, person, role):
    status, _, answer = hospital.rest("POST", "/api/v1/people", token, {
        "id": person, "name": f"{person.title()} \u00c4", "email": f"{person}@mercy.example", "grants": [{"role": role}], "groups": []})
    if status != 201:
        raise SystemExit(f"{person}: {status} {answer}")


def ask(hospital, token, name=NAME):
    status, _, answer = hospital.rest("POST", "/api/v1/certificates", token,
                                      {"profile": "hie-gateway", "csr": csr(name), "evidence": profiles.EVIDENCE})
    if status != 202:
        raise SystemExit(f"the request was answered {status}: {answer}")
    return answer["request"]


def check_injection(hospital, checks, admin):
    for address in ("x@mercy.example\r\nBcc: all@mercy.example", "x@mercy.example, y@mercy.example", "\"x\" <x@mercy.example>", "x@mercy.example\n"):
        status = hospital.rest("POST", "/api/v1/people", admin, {"id": "mallory", "name": "M", "email": address, "grants": [], "groups": []})[0]
        checks.that(f"a person with the address {address!r} is refused", 400 <= status < 500, status)


def check_waiting(hospital, checks, box, asker):
    request = ask(hospital, asker)
    link = f"/requests/{request}"
    checks.that("whoever may decide gets a mail with a link", box.eventually("ben", link), box.got)
    checks.that("another, too", box.eventually("dora", link))
    checks.equal("whoever may not gets none", box.of("cleo"), [])
    checks.equal("nor whoever asked", box.of("ada"), [])
    message = box.of("ben")[-1]
    checks.that("its subject says what waits", "hie-gateway" in message["Subject"] and "decision" in message["Subject"], message["Subject"])
    whole = message.as_string()
    checks.that("and nothing of what was asked for", NAME not in whole and "secret" not in whole and "ticket" not in whole.lower(), whole)
    checks.that("it is marked as made by a machine (RFC 3834)", message["Auto-Submitted"] == "auto-generated", whole)
    checks.equal("one recipient a mail", message["To"], "ben@mercy.example")
    return request, link


def check_outage(hospital, checks, box, relay, asker):
    relay.stop()
    request = ask(hospital, asker, "second.mercy.example")
    link = f"/requests/{request}"
    checks.that("with the relay away nothing is sent", not box.eventually("ben", link, 7))
    hospital.server.kill()
    hospital.server.wait(10)
    box.refuse.add("dora@mercy.example")
    relay.start()
    hospital.start()
    checks.that("Ward killed and the relay back: it is sent", box.eventually("ben", link, 60), (hospital.folder / "ward.log").read_text()[-1500:])
    checks.that("somebody whose mailbox is busy has none yet", not box.eventually("dora", link, 1))
    box.refuse.clear()
    checks.that("and gets it later", box.eventually("dora", link, 90), (hospital.folder / "ward.log").read_text()[-1500:])
    checks.equal("nobody got it twice", len([message for message in box.of("ben") if link in message.get_content()]), 1)


def main():
    checks, box = Checks("mail"), Mailbox()
    with Hospital("mail") as hospital:
        relay, receiver = Relay(hospital, box), Receiver()
        admin = hospital.token("first", "admin")
        for person, role in PEOPLE:
            person_id(hospital, admin, person, role)
        asker = hospital.token("ada", "issuer")
        hospital.server.terminate()
        hospital.server.wait(15)
        (hospital.data / "mail.secret").write_text(f"{USER}\n{PASSWORD}\n")
        (hospital.data / "alerts.secret").write_text(SECRET + "\n")
        config = hospital.data / "ward.toml"
        before = config.read_text()
        mail = f'\n[mail]\nrelay = "localhost"\nport = {relay.port}\nfrom = "Ward <ward@mercy.example>"\ncredentials_file = "mail.secret"\n'
        alerts = f'\n[alerts]\nurl = "http://127.0.0.1:{receiver.port}/"\nsecret_file = "alerts.secret"\nrequests = true\n'
        config.write_text(before + mail.replace('relay = "localhost"', 'relay = "mail.mercy.example"\ntls = "none-on-loopback-only"') + alerts)
        checks.refuses("plain text to another machine is refused at start", [hospital.binary, "serve", "--data", hospital.data], says="mail.tls")
        config.write_text(before + mail + alerts)
        relay.start()
        hospital.start()
        check_injection(hospital, checks, admin)
        request, link = check_waiting(hospital, checks, box, asker)
        told = lambda action: eventually(25, lambda: [one for one in receiver.bodies if one["action"] == action])
        checks.that("the program of [alerts] is told, after a no as well", told("request.asked"), receiver.bodies)
        checks.that("signed", all(receiver.signed))
        checks.that("with a link and nothing of what was asked for", NAME not in json.dumps(receiver.bodies) and link in json.dumps(receiver.bodies))
        status = hospital.rest("POST", f"/api/v1/requests/{request}/approve", hospital.token("ben", "approver"), {})[0]
        checks.equal("ben approves", status, 201)
        checks.that("ada, who asked, is told", box.eventually("ada", link), box.got)
        checks.that("that it was approved", any("approved" in one["Subject"] or "fulfilled" in one["Subject"] for one in box.of("ada")),
                    [one["Subject"] for one in box.of("ada")])
        checks.that("and so is the program", told("request.decided"), receiver.bodies)
        check_outage(hospital, checks, box, relay, asker)
        relay.stop()
        log = (hospital.folder / "ward.log").read_text()
        checks.that("the password is not in Ward's log", PASSWORD not in log)
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
