#!/usr/bin/env python3
"""CMP (RFC 9810, 9483, 9811) with `openssl cmp`: devices of the register enrol, renew, wait and revoke with a shared secret or
a certificate; then messages that no proper client sends. The same commands first run against OpenSSL's own server.

OPENSSL names another program than the system's: newer ones (3.5) know more of genm, and are asked that too."""

import os
import socket
import sys

from cryptography import x509

from cmp import raw
from hospital import Checks, Hospital, eventually, free_port, must

OPENSSL = os.environ.get("OPENSSL", "openssl")
# From 3.3 on some answers to genm have to go to files, and are not told otherwise.
ANSWERS = {"caCerts": "-cacertsout", "certReqTemplate": "-template"}
PROTECTED = ["-mac", "hmacWithSHA256", "-digest", "sha256"]


def openssl(*arguments):
    return [OPENSSL, *arguments]


def is_new():
    return not must(openssl("version")).startswith(("OpenSSL 3.0.", "OpenSSL 3.1.", "OpenSSL 3.2."))


def genm(device, kind):
    """The options for a question, and what is said when it was answered."""
    if is_new() and kind in ANSWERS:
        return ["-infotype", kind, ANSWERS[kind], device.folder / f"genm-{kind}"], "received GENP"
    return ["-infotype", kind], f"id-it-{kind}"


class Desk:
    """What people do so that a device may enrol, over REST."""

    def __init__(self, hospital, name="desk"):
        self.hospital, self.token = hospital, hospital.token(name, "admin")

    def ask(self, method, path, body=None):
        status, _, answer = self.hospital.rest(method, f"/api/v1/{path}", self.token, body)
        if status // 100 != 2:
            raise SystemExit(f"{method} {path}: {status} {answer}")
        return answer

    def endpoint(self, name, **settings):
        wanted = {"name": name, "profile": "device-ldevid", "protocols": {"cmp": True}, "renewal": {"from": 0}} | settings
        self.ask("POST", "enrolment/endpoints", wanted)

    def asset(self, serial, **fields):
        wanted = {"serial": serial, "manufacturer": "Acme Medical", "model": "Infusomat"} | fields
        return self.ask("POST", "assets", wanted)

    def secret(self, *serials, **fields):
        """(reference, secret) for devices of these serial numbers."""
        body = {"for": {"batch": list(serials)}, "credential": "shared-secret"} | fields
        made = self.ask("POST", "enrolment/rights", body)
        return made["right"]["id"], made["secret"]

    def vendor(self, anchor):
        self.ask("POST", "enrolment/rights", {"for": "any", "credential": {"vendor": {"anchors": [anchor.read_text()]}}})


class Device:
    """A device's folder and its `openssl cmp`."""

    def __init__(self, hospital, serial, url, kind="ec"):
        self.serial, self.url, self.root = serial, url, hospital.root
        self.folder = hospital.folder / f"cmp-{serial}-{len(list(hospital.folder.glob('cmp-*')))}"
        self.folder.mkdir()
        self.certificate, self.key = self.folder / "cert.pem", self.new_key("key.pem", kind)

    def new_key(self, file, kind="ec"):
        options = {"ec": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                   "ed25519": ["ED25519"]}[kind]
        must(openssl("genpkey", "-algorithm", *options, "-out", self.folder / file))
        return self.folder / file

    def cmp(self, command, *more, path="/.well-known/cmp/p/pumps", server=None):
        return openssl("cmp", "-config", "/dev/null", "-batch", "-cmd", command, "-server", server or self.url, "-path", path,
                       "-total_timeout", "90", *more)

    def by_secret(self, secret):
        return ["-ref", secret[0], "-secret", f"pass:{secret[1]}", *PROTECTED]

    def by_certificate(self, certificate=None, key=None):
        return ["-cert", certificate or self.certificate, "-key", key or self.key, "-trusted", self.root]

    def wanted(self, key=None, out=None):
        return ["-newkey", key or self.key, "-subject", f"/CN={self.serial}", "-certout", out or self.certificate]

    def names(self):
        return must(openssl("x509", "-in", self.certificate, "-noout", "-subject", "-nameopt", "RFC2253"))

    def number(self):
        return must(openssl("x509", "-in", self.certificate, "-noout", "-serial")).strip().split("=")[1]

    def csr(self):
        must(openssl("req", "-new", "-key", self.key, "-subj", f"/CN={self.serial}", "-out", self.folder / "csr.pem"))
        return self.folder / "csr.pem"


def own_server(hospital, checks):
    """The commands used below, against OpenSSL's mock server: what fails there is no finding about Ward."""
    folder, port = hospital.folder, free_port()
    made = {}
    for who in ("mock-ca", "mock-server"):
        made[who] = folder / f"{who}.pem"
        must(openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / f"{who}.key", "-out", made[who], "-subj", f"/CN={who}"))
    device = Device(hospital, "MOCK-1", f"127.0.0.1:{port}")
    must(openssl("x509", "-req", "-in", device.csr(), "-CA", made["mock-ca"], "-CAkey", folder / "mock-ca.key", "-out", device.certificate))
    out = device.folder / "got.pem"
    server = [*openssl("cmp", "-config", "/dev/null", "-port", port, "-srv_cert", made["mock-server"], "-srv_key", folder / "mock-server.key",
                       "-srv_trusted", made["mock-ca"], "-rsp_cert", device.certificate)]
    secret = [("-srv_ref", "ref"), ("-srv_secret", "pass:secret")]
    runs = [
        ("ir", secret, [*device.by_secret(("ref", "secret")), *device.wanted(out=out)]),
        ("p10cr", secret, [*device.by_secret(("ref", "secret")), "-csr", device.csr(), "-certout", out]),
        ("genm", secret, [*device.by_secret(("ref", "secret")), *genm(device, "caCerts")[0]]),
        ("cr", [], [*device.by_certificate()[:4], "-srvcert", made["mock-server"], *device.wanted(out=out)]),
        ("kur", [], [*device.by_certificate()[:4], "-srvcert", made["mock-server"], "-newkey", device.key, "-certout", out]),
        ("rr", [], [*device.by_certificate()[:4], "-srvcert", made["mock-server"], "-oldcert", device.certificate, "-revreason", "4"]),
    ]
    for command, more, arguments in runs:
        process = hospital.spawn([*server, "-max_msgs", "3", *[part for pair in more for part in pair]],
                                 stdout=open(folder / "mock.log", "ab"), stderr=open(folder / "mock.log", "ab"))
        listening(port)
        checks.accepts(f"against OpenSSL's own server: {command}", device.cmp(command, *arguments, path="pkix/"))
        process.terminate()
        process.wait(10)


def listening(port):
    def answers():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    eventually(10, answers)


def by_secret(hospital, checks, desk, url):
    """ir and p10cr with a reference and a secret from the desk."""
    pump = Device(hospital, "PUMP-1", url)
    desk.asset(pump.serial)
    secret = desk.secret(pump.serial, uses=50)
    anchors, chain = pump.folder / "capubs.pem", pump.folder / "extra.pem"
    checks.accepts("ir by secret, confirmed", pump.cmp("ir", *pump.by_secret(secret), *pump.wanted(), "-cacertsout", anchors, "-extracertsout", chain))
    checks.that("  named by the register", "serialNumber=PUMP-1" in pump.names(), pump.names())
    checks.equal("  its trust anchor came along", [c for c in anchors.read_text().split("\n\n") if c.strip()][0].strip(), hospital.root.read_text().strip())
    checks.accepts("  openssl verifies it with what came", openssl("verify", "-CAfile", hospital.root, "-untrusted", chain, pump.certificate), "OK")
    registered = desk.ask("GET", "enrolment/registrations?serial=PUMP-1")["registrations"]
    checks.equal("  and Ward knows that it was confirmed", registered[0]["confirmed"], True)
    checks.accepts("ir, implicit confirmation", pump.cmp("ir", *pump.by_secret(secret), *pump.wanted(), "-implicit_confirm"))
    for label in ("/.well-known/cmp/p/pumps/initialization", "/cmp/pumps"):
        checks.accepts(f"ir at {label}", pump.cmp("ir", *pump.by_secret(secret), *pump.wanted(), path=label))
    checks.accepts("ir with HMAC-SHA1, OpenSSL's default", pump.cmp("ir", *pump.by_secret(secret)[:4], *pump.wanted()))
    checks.refuses("ir whose proof is signed with SHA-1", pump.cmp("ir", *pump.by_secret(secret)[:4], "-digest", "sha1", *pump.wanted()), "badAlg")
    checks.accepts("p10cr", pump.cmp("p10cr", *pump.by_secret(secret), "-csr", pump.csr(), "-certout", pump.certificate,
                                     path="/.well-known/cmp/p/pumps/pkcs10"))
    for kind in ("rsa", "ed25519"):
        other = Device(hospital, f"PUMP-{kind}", url, kind)
        desk.asset(other.serial)
        own = desk.secret(other.serial)
        allowed = kind == "rsa" or "ed25519" in must([hospital.binary, "profile", "show", "device-ldevid", "--data", hospital.data])
        judge = checks.accepts if allowed else checks.refuses
        judge(f"ir with a key of {kind}", other.cmp("ir", *other.by_secret(own), *other.wanted()))
    return pump, secret


def strangers(hospital, checks, desk, url, pump, secret):
    """Each beside the same request that was granted above."""
    checks.refuses("a wrong secret", pump.cmp("ir", *pump.by_secret((secret[0], "WRONG")), *pump.wanted(), "-unprotected_errors"), "badMessageCheck")
    checks.refuses("a reference that nobody was given", pump.cmp("ir", *pump.by_secret(("v0123456789abcdef", secret[1])), *pump.wanted(), "-unprotected_errors"),
                   "badMessageCheck")
    unknown = Device(hospital, "EVIL-1", url)
    evil = desk.secret(unknown.serial, pump.serial)
    checks.refuses("ir for a serial number that is not in the register", unknown.cmp("ir", *unknown.by_secret(evil), *unknown.wanted()), "notAuthorized")
    checks.refuses("p10cr for it", unknown.cmp("p10cr", *unknown.by_secret(evil), "-csr", unknown.csr(), "-certout", unknown.certificate), "notAuthorized")
    other = Device(hospital, "PUMP-2", url)
    desk.asset(other.serial)
    checks.refuses("ir for a pump that the secret is not for", other.cmp("ir", *other.by_secret(secret), *other.wanted()), "notAuthorized")
    # OpenSSL sends no self-signed certificate along, so there is nobody to answer; one of another authority is a stranger's.
    forged, forger = {}, unknown.folder / "forger.pem"
    must(openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", unknown.folder / "forger.key", "-subj", "/CN=Mercy Hospital Devices CA", "-out", forger))
    must(openssl("req", "-new", "-key", unknown.key, "-subj", "/CN=PUMP-1/serialNumber=PUMP-1", "-out", unknown.folder / "forged.csr"))
    for who, more in (("itself", ["-signkey", unknown.key]), ("a stranger", ["-CA", forger, "-CAkey", unknown.folder / "forger.key"])):
        forged[who] = unknown.folder / f"by-{who[:3].strip()}.pem"
        must(openssl("x509", "-req", "-in", unknown.folder / "forged.csr", *more, "-out", forged[who]))
    for who, failure in (("itself", "badMessageCheck"), ("a stranger", "notAuthorized")):
        by = [*unknown.by_certificate(forged[who]), "-unprotected_errors"]
        for command in ("ir", "cr", "kur"):
            more = ["-newkey", unknown.key, "-certout", unknown.certificate] if command == "kur" else unknown.wanted()
            checks.refuses(f"{command} with a certificate by {who}", unknown.cmp(command, *by, *more), failure)
        checks.refuses(f"rr with a certificate by {who}", unknown.cmp("rr", *by, "-oldcert", pump.certificate, "-revreason", "1"), failure)
    checks.refuses("no such endpoint", pump.cmp("ir", *pump.by_secret(secret), *pump.wanted(), path="/cmp/nowhere"), "404")


def by_certificate(hospital, checks, desk, url):
    """cr, kur and rr, signed with the device's own certificate; answers signed by the registration authority."""
    pump = Device(hospital, "PUMP-3", url)
    desk.asset(pump.serial)
    must(pump.cmp("ir", *pump.by_secret(desk.secret(pump.serial)), *pump.wanted()))
    first = pump.number()
    next_key = pump.new_key("next.pem")
    renewed = pump.folder / "renewed.pem"
    checks.accepts("kur by the old certificate", pump.cmp("kur", *pump.by_certificate(), "-newkey", next_key, "-certout", renewed,
                                                          path="/.well-known/cmp/p/pumps/keyupdate"))
    old, pump.certificate, pump.key = pump.certificate, renewed, next_key
    checks.that("  another number, the same names", pump.number() != first and "serialNumber=PUMP-3" in pump.names(), pump.names())
    again = pump.folder / "again.pem"
    checks.accepts("cr by it, implicit confirmation", pump.cmp("cr", *pump.by_certificate(), *pump.wanted(out=again), "-implicit_confirm"))
    pump.certificate = again
    stranger = Device(hospital, "PUMP-4", url)
    desk.asset(stranger.serial)
    must(stranger.cmp("ir", *stranger.by_secret(desk.secret(stranger.serial)), *stranger.wanted()))
    checks.refuses("rr for another pump's certificate", pump.cmp("rr", *pump.by_certificate(), "-oldcert", stranger.certificate, "-revreason", "1"), "badCertId")
    checks.accepts("rr for its own", pump.cmp("rr", *pump.by_certificate(), "-oldcert", pump.certificate, "-revreason", "4"))
    state = desk.ask("GET", f"certificates/{pump.number()}")
    checks.that("  which is revoked, as superseded", "superseded" in str(state), state)
    for command, more in (("kur", ["-newkey", next_key, "-certout", pump.folder / "no.pem"]), ("rr", ["-oldcert", pump.certificate, "-revreason", "4"])):
        checks.refuses(f"{command} by the revoked certificate", pump.cmp(command, *pump.by_certificate(), *more), "notAuthorized")
    del old


def by_vendor(hospital, checks, desk, url):
    """The certificate that the manufacturer put into the device (IDevID) signs ir."""
    folder = hospital.folder
    maker, key = folder / "maker.pem", folder / "maker.key"
    must(openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", maker, "-subj", "/O=Acme Medical/CN=Acme device CA", "-days", "3650"))
    desk.vendor(maker)
    for serial, registered in (("IDEV-1", True), ("IDEV-404", False)):
        pump = Device(hospital, serial, url)
        idevid, idevid_key = pump.folder / "idevid.pem", pump.new_key("idevid.key")
        must(openssl("req", "-new", "-key", idevid_key, "-subj", f"/serialNumber={serial}", "-out", pump.folder / "idevid.csr"))
        must(openssl("x509", "-req", "-in", pump.folder / "idevid.csr", "-CA", maker, "-CAkey", key, "-days", "3000", "-out", idevid))
        command = pump.cmp("ir", *pump.by_certificate(idevid, idevid_key), *pump.wanted())
        if registered:
            desk.asset(serial)
            checks.accepts("ir signed with a manufacturer's certificate", command)
            checks.that("  named by the register", f"serialNumber={serial}" in pump.names(), pump.names())
        else:
            checks.refuses("ir so signed, by a device that is not in the register", command, "notAuthorized")


def approval(hospital, checks, desk, url):
    """An unregistered serial number waits for a second person, and the client polls."""
    pump = Device(hospital, "NEW-1", url)
    secret = desk.secret(pump.serial)
    command = pump.cmp("ir", *pump.by_secret(secret), *pump.wanted(), path="/cmp/waiting")
    polling = hospital.spawn(command, stdout=open(pump.folder / "log", "wb"), stderr=open(pump.folder / "errors", "wb"))
    waiting = eventually_waiting(desk)
    checks.equal("an unregistered device waits: one request for people", len(waiting), 1)
    status, _, told = hospital.rest("POST", f"/api/v1/requests/{waiting[0]['id']}/approve", desk.token, {"comment": "mine"})
    checks.that("  whoever made the secret does not decide", status == 403, told)
    checks.equal("  the client still polls", polling.poll(), None)
    Desk(hospital, "boss").ask("POST", f"requests/{waiting[0]['id']}/approve", {"comment": "seen in room 4"})
    checks.equal("  approved by a second person: the poll gets its certificate", polling.wait(100), 0)
    checks.that("  of its serial number", pump.certificate.exists() and "NEW-1" in pump.names(), (pump.folder / "errors").read_text())
    denied = Device(hospital, "NEW-2", url)
    command = denied.cmp("ir", *denied.by_secret(desk.secret(denied.serial)), *denied.wanted(), path="/cmp/waiting")
    polling = hospital.spawn(command, stdout=open(denied.folder / "log", "wb"), stderr=open(denied.folder / "errors", "wb"))
    waiting = eventually_waiting(desk)
    Desk(hospital, "chief").ask("POST", f"requests/{waiting[0]['id']}/deny", {"comment": "nobody knows it"})
    checks.that("one that is denied: the poll ends without", polling.wait(100) != 0)


def eventually_waiting(desk):
    def pending():
        return desk.ask("GET", "requests?state=pending")["requests"]

    return eventually(20, pending)


def information(hospital, checks, desk, url, pump, secret):
    for kind in ("caCerts", "signKeyPairTypes", "currentCRL", "certReqTemplate"):
        wanted, says = genm(pump, kind)
        checks.accepts(f"genm: {kind}", pump.cmp("genm", *pump.by_secret(secret), *wanted), says)
    if is_new():
        information_in_files(hospital, checks, pump, secret)
    pump.certificate.exists() or must(pump.cmp("ir", *pump.by_secret(secret), *pump.wanted()))
    wanted, says = genm(pump, "caCerts")
    checks.accepts("genm, signed", pump.cmp("genm", *pump.by_certificate(), *wanted, path="/.well-known/cmp/p/pumps/getcacerts"), says)
    checks.refuses("genm without protection", pump.cmp("genm", *wanted, "-unprotected_requests", "-unprotected_errors", "-subject", "/CN=x"),
                   "badMessageCheck")
    checks.accepts("  where the endpoint is open about it", pump.cmp("genm", *wanted, "-unprotected_requests", "-subject", "/CN=x", "-trusted", hospital.root,
                                                                      path="/cmp/open"), says)
    checks.refuses("genm for something else", pump.cmp("genm", *pump.by_secret(secret), "-infotype", "caProtEncCert"), "badRequest")


def information_in_files(hospital, checks, pump, secret):
    """What openssl cmp has learnt since 3.0: the root's successor and lists that changed (RFC 9483 §4.3.2, §4.3.4)."""
    crl = pump.folder / "list.der"
    ask = lambda *more: pump.cmp("genm", *pump.by_secret(secret), *more)  # noqa: E731
    checks.that("  caCerts: the authority and the root", (pump.folder / "genm-caCerts").read_text().count("BEGIN") == 2)
    checks.that("  certReqTemplate: a template", (pump.folder / "genm-certReqTemplate").exists())
    checks.accepts("genm: rootCaCert, which has no successor", ask("-infotype", "rootCaCert", "-oldwithold", hospital.root, "-newwithnew", pump.folder / "next.pem"),
                   "received GENP")
    hospital.ward("crl", "publish", "devices")
    checks.accepts("genm: crlStatusList", ask("-infotype", "crlStatusList", "-crlcert", pump.certificate, "-crlout", crl), "received GENP")
    checks.accepts("  the authority's list", ["openssl", "crl", "-inform", "DER", "-in", crl, "-noout", "-issuer"], "Devices CA")
    checks.accepts("genm: crlStatusList, which has nothing newer", ask("-infotype", "crlStatusList", "-oldcrl", crl, "-crlout", pump.folder / "newer.der"), "received GENP")


def over_tls(hospital, checks, desk):
    pump = Device(hospital, "TLS-1", "none")
    desk.asset(pump.serial)
    server = f"localhost:{hospital.port}"
    checks.accepts("ir over HTTPS", pump.cmp("ir", *pump.by_secret(desk.secret(pump.serial)), *pump.wanted(), "-tls_used", "-tls_trusted", hospital.root,
                                              server=server))


def wrong_messages(hospital, checks, desk, url):
    """Each refused with its bit of PKIFailureInfo, beside its good twin."""
    url = f"http://{url}/cmp/pumps"
    desk.asset("RAW-1")
    desk.asset("RAW-2")
    secret = desk.secret("RAW-1", "RAW-2", uses=50)
    key = raw.new_key()
    talk = raw.Talk(url, *secret)
    message = talk.message(raw.IR, raw.seq(raw.request(key, "RAW-1")))
    first = talk.post(message)
    checks.that("a raw ir is granted", first.certificate is not None, first)
    checks.that("  by MAC, as it was asked", first.protected and first.transaction == talk.transaction, first)
    checks.equal("replayed, it is the same answer", talk.post(message).raw, first.raw)
    nonce = talk.nonce
    table = [
        ("certConf with a wrong nonce", lambda: talk.confirm(first.certificate, recip_nonce=b"x" * 16), "badRecipientNonce"),
        ("certConf without one", lambda: talk.confirm(first.certificate, recip_nonce=None), "badRecipientNonce"),
        ("certConf with another hash", lambda: talk.confirm(first.certificate, b"\0" * 32, recip_nonce=nonce), "badCertId"),
        ("certConf for another request", lambda: talk.confirm(first.certificate, cert_req_id=7, recip_nonce=nonce), "badRequest"),
        ("pollReq where nothing waits", lambda: talk.say(raw.POLL_REQ, raw.seq(raw.seq(raw.integer(0))), recip_nonce=nonce), "badRequest"),
        ("another key in this transaction", lambda: talk.initial(raw.new_key(), "RAW-1", recip_nonce=None), "transactionIdInUse"),
    ]
    for text, act, failure in table:
        checks.equal(text, act().failures, [failure])
    checks.equal("certConf as it should be", talk.confirm(first.certificate, recip_nonce=nonce).body, raw.PKICONF)

    proofs = {"none": "badPOP", "raVerified": "notAuthorized", "keyEncipherment": "badPOP", "keyAgreement": "badPOP"}
    for proof, failure in proofs.items():
        answer = raw.Talk(url, *secret).say(raw.IR, raw.seq(raw.request(key, "RAW-1", proof)))
        checks.equal(f"proof of possession: {proof}", answer.failures, [failure])
    answer = raw.Talk(url, *secret).say(raw.IR, raw.seq(raw.request(key, "RAW-1", prover=raw.new_key())))
    checks.equal("proof by another key", answer.failures, ["badPOP"])
    one = raw.request(key, "RAW-1")
    bodies = [
        ("two requests", raw.IR, raw.seq(one, one), "badRequest"),
        ("no request", raw.IR, raw.seq(), "badRequest"),
        ("300 requests", raw.IR, raw.seq(*[one] * 300), "badDataFormat"),
        ("a nested message", raw.NESTED, raw.seq(message), "badRequest"),
        ("a key recovery request", 9, raw.seq(one), "badRequest"),
        ("a body cut short", raw.IR, raw.seq(one)[:-20], "badDataFormat"),
    ]
    for text, tag, body, failure in bodies:
        checks.equal(text, raw.Talk(url, *secret).say(tag, body).failures, [failure])
    bent = [
        ("CMP version 1", {"version": 1}, "unsupportedVersion"),
        ("CMP version 9", {"version": 9}, "unsupportedVersion"),
        ("no senderNonce", {"sender_nonce": None}, "badSenderNonce"),
        ("a senderNonce of 4 octets", {"sender_nonce": b"abcd"}, "badSenderNonce"),
        ("no transactionID", {"transaction": None}, "badDataFormat"),
        ("a transactionID of 4 KiB", {"transaction": b"t" * 4096}, None),
        ("a recipNonce in a first message", {"recip_nonce": b"n" * 16}, "badRecipientNonce"),
        ("a MAC of a million rounds", {"iterations": 1_000_000}, "badAlg"),
        ("a MAC of one round", {"iterations": 1}, "badAlg"),
    ]
    for text, fields, failure in bent:
        answer = raw.Talk(url, *secret).initial(key, "RAW-2", **fields)
        checks.equal(text, answer.failures, [failure or "badDataFormat"])
    truncated = raw.post(url, message[:200])
    checks.equal("a message cut short", (truncated.status, truncated.failures), (400, ["badDataFormat"]))
    checks.equal("no message at all", raw.post(url, b"GET / HTTP/1.1").status, 400)
    checks.equal("a message of 200 KiB", raw.post(url, b"\x30" * 200_000).status, 413)
    deep = raw.seq()
    for _ in range(5000):
        deep = raw.seq(deep)
    checks.equal("5000 levels of nesting", raw.post(url, deep).status, 400)
    checks.equal("another media type", raw.post(url, message, "application/octet-stream").status, 415)
    unprotected = raw.seq(raw.seq(raw.integer(2), raw.explicit(4, raw.name("x")), raw.explicit(4, raw.seq()),
                                  raw.explicit(4, raw.octets(b"t" * 16)), raw.explicit(5, raw.octets(b"n" * 16))),
                          raw.explicit(raw.IR, raw.seq(one)))
    checks.equal("no protection", raw.post(url, unprotected).failures, ["badMessageCheck"])
    flipped = raw.Talk(url, *secret).message(raw.IR, raw.seq(one))
    flipped = flipped[:-1] + bytes([flipped[-1] ^ 1])
    wrong = raw.post(url, flipped)
    checks.equal("a MAC with one bit wrong, answered without protection", (wrong.failures, wrong.protected), (["badMessageCheck"], False))
    last = raw.Talk(url, *secret)
    granted = last.initial(key, "RAW-2", implicit=True)
    checks.that("and after all that, a good one is granted", granted.certificate is not None, granted)
    other = raw.Talk(url, *secret)
    other.transaction = last.transaction
    checks.equal("its transaction with another key", other.initial(raw.new_key(), "RAW-2", implicit=True).failures, ["transactionIdInUse"])


def restart(hospital, checks, desk, url):
    """Between ip and certConf, Ward is killed and started again."""
    desk.asset("RESTART-1")
    talk = raw.Talk(f"http://{url}/cmp/pumps", *desk.secret("RESTART-1"))
    answer = talk.initial(raw.new_key(), "RESTART-1")
    hospital.server.kill()
    hospital.server.wait(10)
    hospital.start()
    checks.equal("certConf after a crash of the server", talk.confirm(answer.certificate).body, raw.PKICONF)
    checks.that("  of the certificate", isinstance(answer.certificate, x509.Certificate))


def main():
    checks = Checks("cmp")
    with Hospital("cmp") as hospital:
        own_server(hospital, checks)
        desk = Desk(hospital)
        desk.endpoint("pumps")
        desk.endpoint("open", cmp={"open_information": True})
        desk.endpoint("waiting", unregistered="wait", approval="always")
        url = f"127.0.0.1:{free_port()}"
        legacy = f'\n[[listen.legacy]]\naddress = "{url}"\nendpoints = ["pumps", "open", "waiting"]\nsegment = "pumps"\n'
        with open(hospital.data / "ward.toml", "a") as settings:
            settings.write(legacy)
        hospital.server.terminate()
        hospital.server.wait(10)
        hospital.start()
        pump, secret = by_secret(hospital, checks, desk, url)
        information(hospital, checks, desk, url, pump, secret)
        by_certificate(hospital, checks, desk, url)
        by_vendor(hospital, checks, desk, url)
        strangers(hospital, checks, desk, url, pump, secret)
        approval(hospital, checks, desk, url)
        over_tls(hospital, checks, desk)
        wrong_messages(hospital, checks, desk, url)
        restart(hospital, checks, desk, url)
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
