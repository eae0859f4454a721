#!/usr/bin/env python3
"""EST (RFC 7030) with curl and openssl as a technician would use them, and with strongSwan's pki: devices enrol and renew by
password and by certificate, with bodies however they are written; who gets nothing, and what they are told."""

import base64
import email

import socket
import ssl
import sys

from devices import Desk, Device, certificates, est, in_lines
from pyasn1.codec.der.decoder import decode
from pyasn1_alt_modules import rfc7030, rfc9908

from hospital import Checks, Hospital, must, run

PKI = "/usr/bin/pki"


def trust(hospital, checks):
    """cacerts with no credentials, with a label and without, and that OpenSSL accepts what it leads to."""
    for label in ("pumps", None):
        answer = est(hospital, "cacerts", label=label)
        checks.equal(f"cacerts, label {label}", (answer.status, answer.headers.get("content-type")),
                     (200, "application/pkcs7-mime; smime-type=certs-only"))
        longest = max(map(len, answer.body.decode().splitlines()))
        checks.that("  in lines of 76 characters, or one where the endpoint says so", (longest == 76) == bool(label), longest)
        checks.equal("  the authority and its root", len(certificates(answer.body)), 2)
        checks.that("  the root is Ward's", hospital.root.read_text() in certificates(answer.body), answer)
    plain = run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", hospital.public_url + "/.well-known/est/cacerts"]).stdout
    checks.equal("nothing of EST over plain HTTP", plain, "404")


def by_password(hospital, checks, desk):
    pump = Device(hospital, "INF-0001")
    auth = desk.pump(pump.serial, "inf-0001.mercy.example")
    body = in_lines(pump.request())
    answer = est(hospital, "simpleenroll", body, "pumps")
    checks.equal("without credentials: 401 and a challenge", (answer.status, answer.headers.get("www-authenticate")),
                 (401, 'Basic realm="EST pumps", charset="UTF-8"'))
    answer = est(hospital, "simpleenroll", body, "pumps", pump.serial + ":wrong")
    checks.equal("with a wrong password: the same", answer.status, 401)
    answer = est(hospital, "simpleenroll", body, "pumps", auth)
    if not checks.equal("by password: a certificate", (answer.status, answer.headers.get("content-type")),
                        (200, "application/pkcs7-mime; smime-type=certs-only")):
        raise SystemExit(answer)
    checks.equal("  and no other", len(certificates(answer.body)), 1)
    pump.keep(answer)
    checks.that("  named by the register", "serialNumber=INF-0001" in pump.names() and "inf-0001.mercy.example" in pump.names(), pump.names())
    checks.accepts("  openssl verifies it", ["openssl", "verify", "-CAfile", hospital.root, "-untrusted", pump.chain, pump.certificate], "OK")
    again = est(hospital, "simpleenroll", body, "pumps", auth, more=["--anyauth"])
    checks.equal("curl --anyauth waits for the challenge, and gets the same certificate again", (again.status, again.body),
                 (200, answer.body))
    return pump


def bodies(hospital, checks, desk):
    """However a request is written, it is the same request."""
    device = Device(hospital, "INF-0002", "rsa")
    auth = desk.pump(device.serial)
    der = device.request()
    pem = must(["openssl", "req", "-inform", "DER", "-in", device.folder / "request.der"]).encode()
    chunked = ["-H", "Transfer-Encoding: chunked"]
    table = [
        ("in lines of 76", in_lines(der), []),
        ("in lines of 64, ended as Windows does", in_lines(der, 64, "\r\n"), []),
        ("in one line", base64.b64encode(der), []),
        ("with tabs and blanks", in_lines(der, 10, " \t\r\n"), []),
        ("as PEM", pem, []),
        ("in DER", der, []),
        ("chunked (HTTP/1.1)", in_lines(der), [*chunked, "--http1.1"]),
        ("over HTTP/1.1", in_lines(der), ["--http1.1"]),
        ("over HTTP/2 without a length", in_lines(der), [*chunked, "--http2"]),
        ("over TLS 1.2", in_lines(der), ["--tls-max", "1.2"]),
        ("with a Content-Transfer-Encoding that lies", in_lines(der), ["-H", "Content-Transfer-Encoding: binary"]),
        ("without a content type", in_lines(der), ["-H", "Content-Type:"]),
        ("as application/x-pkcs10", in_lines(der), ["-H", "Content-Type: application/x-pkcs10"]),
        ("with Expect: 100-continue", in_lines(der), ["-H", "Expect: 100-continue", "--http1.1"]),
    ]
    first = None
    for what, body, more in table:
        answer = est(hospital, "simpleenroll", body, "pumps", auth, more=more)
        got = certificates(answer.body) if answer.status == 200 else answer
        first = first or got
        checks.equal(f"a request {what}", got, first)
    checks.equal("a body of 200 KiB", est(hospital, "simpleenroll", b"A" * 200_000, "pumps", auth).status, 413)
    for what, body in (("nothing", b""), ("no base64", b"***"), ("no request", base64.b64encode(b"0" * 99)), ("a cut request", in_lines(der)[:300])):
        answer = est(hospital, "simpleenroll", body, "pumps", auth)
        checks.equal(f"a body with {what}: 400 and a text", (answer.status, answer.headers.get("content-type")), (400, "text/plain; charset=utf-8"))
    one_byte_at_a_time(hospital, checks, der, auth, first)


def one_byte_at_a_time(hospital, checks, der, auth, expected):
    """A device that writes each line as a packet and a chunk of its own."""
    context = ssl.create_default_context(cafile=str(hospital.root))
    head = ("POST /.well-known/est/pumps/simpleenroll HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
            f"Content-Type: application/pkcs10\r\nAuthorization: Basic {base64.b64encode(auth.encode()).decode()}\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", hospital.port)) as raw, context.wrap_socket(raw, server_hostname="localhost") as device:
        device.settimeout(20)
        device.sendall(head)
        for byte in in_lines(der, 40).splitlines(keepends=True):
            device.sendall(b"%x\r\n%s\r\n" % (len(byte), byte))
        device.sendall(b"0\r\n\r\n")
        answer = b""
        while more := device.recv(65536):
            answer += more
    body = answer.split(b"\r\n\r\n", 1)[1]
    checks.equal("in many small chunks and packets", certificates(body), expected)


def renewals(hospital, checks, desk, pump):
    old, names = pump.number(), pump.names()
    identity = pump.identity()
    next_key = pump.new_key("next.pem")
    answer = est(hospital, "simplereenroll", in_lines(pump.request(next_key)), "pumps", identity=identity)
    if checks.equal("by its own certificate: another one", answer.status, 200) or checks.that("", False, answer):
        pump.keep(answer)
    checks.that("  with another number and the same names", pump.number() != old and pump.names() == names, pump.names())
    checks.equal("  for the new key", must(["openssl", "x509", "-in", pump.certificate, "-noout", "-pubkey"]),
                 must(["openssl", "pkey", "-in", next_key, "-pubout"]))
    pump.key = next_key
    answer = est(hospital, "simplereenroll", in_lines(pump.request()), "pumps", identity=pump.identity(), more=["--tls-max", "1.2"])
    checks.equal("over TLS 1.2, with the same key", answer.status, 200)
    pump.keep(answer)
    answer = est(hospital, "simplereenroll", in_lines(pump.request(subject="/serialNumber=INF-0002")), "pumps", identity=pump.identity())
    checks.equal("but not for another device's serial number", answer.status, 403)
    auth = desk.right({"asset": desk.ask("GET", f"assets?serial={pump.serial}")["assets"][0]["asset"]["id"]})
    fresh = pump.new_key("fresh.pem")
    answer = est(hospital, "simplereenroll", in_lines(pump.request(fresh)), "pumps", auth)
    if checks.equal("by password: another one, too", answer.status, 200):
        pump.key = fresh
        pump.keep(answer)


def strangers(hospital, checks, desk, pump):
    """Each beside the same request that is granted."""
    anyone = desk.right("any", uses=50)
    unknown = Device(hospital, "EVIL-1")
    answer = est(hospital, "simpleenroll", in_lines(unknown.request()), "pumps", anyone)
    checks.equal("a serial number that is not in the register", (answer.status, b"enrolment.unregistered" in answer.body), (403, True))
    known = Device(hospital, "INF-0003")
    desk.asset(known.serial)
    answer = est(hospital, "simpleenroll", in_lines(known.request()), "pumps", anyone)
    checks.equal("its twin that is", answer.status, 200)
    self_signed = unknown.folder / "self.pem"
    must(["openssl", "req", "-x509", "-new", "-key", unknown.key, "-subj", f"/serialNumber={pump.serial}", "-out", self_signed])
    for operation in ("simpleenroll", "simplereenroll"):
        answer = est(hospital, operation, in_lines(unknown.request(subject=f"/serialNumber={pump.serial}")), "pumps",
                     identity=(self_signed, unknown.key))
        checks.equal(f"{operation} with a certificate that it made itself", answer.status, 401)
    small = unknown.folder / "small.pem"
    must(["openssl", "req", "-new", "-nodes", "-newkey", "rsa:1024", "-keyout", small, "-subj", "/serialNumber=INF-0003", "-out", "/dev/null"])
    answer = est(hospital, "simpleenroll", in_lines(known.request(small)), "pumps", anyone)
    checks.equal("a key of 1024 bits", answer.status, 400)
    desk.ask("POST", f"certificates/{pump.number()}/revoke", {"reason": "keyCompromise", "why": "stolen"})
    answer = est(hospital, "simplereenroll", in_lines(pump.request(pump.new_key("after.pem"))), "pumps", identity=pump.identity())
    checks.that("a renewal by a revoked certificate", answer.status in (401, 403), answer)
    checks.equal("an endpoint that does not exist", est(hospital, "cacerts", label="nowhere").status, 404)
    answer = est(hospital, "fullcmc", in_lines(b"0\0"), "pumps", anyone)
    checks.equal("full CMC", answer.status, 501)


def approval(hospital, checks, desk):
    """An unregistered serial number waits for a second person."""
    device = Device(hospital, "NEW-0001")
    auth = desk.right("any", "waiting")
    body = in_lines(device.request())
    answer = est(hospital, "simpleenroll", body, "waiting", auth)
    checks.equal("an unregistered device waits", (answer.status, answer.headers.get("retry-after", "").isdigit()), (202, True))
    waiting = desk.ask("GET", "requests?state=pending")["requests"]
    checks.equal("  one request for people", len(waiting), 1)
    status, _, told = hospital.rest("POST", f"/api/v1/requests/{waiting[0]['id']}/approve", desk.token, {"comment": "mine"})
    checks.that("  whoever made the right does not decide", status == 403, told)
    Desk(hospital, "boss").ask("POST", f"requests/{waiting[0]['id']}/approve", {"comment": "seen in room 4"})
    answer = est(hospital, "simpleenroll", body, "waiting", auth)
    if checks.equal("  approved: the same request gets its certificate", answer.status, 200):
        checks.that("  of its serial number", "NEW-0001" in device.keep(answer).names())


def keys_made_here(hospital, checks, desk):
    device = Device(hospital, "KEY-0001")
    auth = desk.pump(device.serial)
    answer = est(hospital, "serverkeygen", in_lines(device.request()), "pumps", auth)
    checks.equal("serverkeygen where the endpoint does not say so", answer.status, 501)
    answer = est(hospital, "serverkeygen", in_lines(device.request()), "keys", auth)
    if not checks.equal("serverkeygen where it does", answer.status, 200):
        checks.that("", False, answer)
        return
    message = email.message_from_bytes(f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode() + answer.body)
    kinds = [part.get_content_type() for part in message.get_payload()]
    checks.equal("  two parts (RFC 7030 §4.4.2)", kinds, ["application/pkcs8", "application/pkcs7-mime"])
    key, certificate = (part.get_payload(decode=True) for part in message.get_payload())
    (device.folder / "made.der").write_bytes(key)
    made = certificates(base64.b64encode(certificate))[0]
    (device.folder / "made.pem").write_text(made)
    checks.equal("  the key is the certificate's", must(["openssl", "pkey", "-inform", "DER", "-in", device.folder / "made.der", "-pubout"]),
                 must(["openssl", "x509", "-in", device.folder / "made.pem", "-noout", "-pubkey"]))
    again = est(hospital, "serverkeygen", in_lines(device.request()), "keys", auth)
    checks.that("  and is given once", 400 <= again.status < 500, again)


def attributes(hospital, checks):
    checks.equal("csrattrs with nothing to say", (est(hospital, "csrattrs", label="pumps").status), 204)
    answer = est(hospital, "csrattrs", label="keys")
    checks.equal("csrattrs", (answer.status, answer.headers.get("content-type")), (200, "application/csrattrs"))
    found, rest = decode(base64.b64decode(answer.body), asn1Spec=rfc7030.CsrAttrs())
    checks.equal("  in DER and nothing behind it", rest, b"")
    last = found[len(found) - 1]["attribute"]
    template, rest = decode(bytes(last[1][0]), asn1Spec=rfc9908.CertificationRequestInfoTemplate())
    checks.equal("  with a template (RFC 9908)", (str(last[0]), int(template["version"]), rest), ("1.2.840.113549.1.9.16.2.61", 0, b""))
    rdn = template["subject"]["rdnSequence"][0][0]
    checks.equal("  whose serial number the device fills in", (str(rdn["type"]), rdn["value"].isValue), ("2.5.4.5", False))


def strongswan(hospital, checks, desk):
    """pki 5.9.8 reads no base64 in lines (mended in strongSwan 6), so its endpoint has `one_line`; and it puts a label before
    /.well-known, so its endpoint is the one without."""
    device = Device(hospital, "SWAN-0001")
    auth = desk.pump(device.serial)
    version = run([PKI, "--help"]).stdout
    checks.that("strongSwan's pki is here", "strongSwan" in version, version)
    url = f"https://localhost:{hospital.port}"
    anchors = device.folder / "anchor"
    lines = run([PKI, "--estca", "--url", url + "/pumps", "--cacert", hospital.root], cwd=device.folder)
    checks.that("  (with a label it asks elsewhere)", lines.returncode != 0, lines.stdout[-2000:])
    done = run([PKI, "--estca", "--url", url, "--cacert", hospital.root, "--caout", anchors, "--outform", "pem"], cwd=device.folder)
    checks.that("pki --estca", done.returncode == 0 and list(device.folder.glob("anchor*")), done.stdout[-2000:])
    device.request()
    done = run([PKI, "--est", "--url", url, "--in", device.folder / "request.der", "--cacert", hospital.root, "--userpass", auth, "--outform", "pem"])
    pem = done.stdout[done.stdout.find("-----BEGIN"):]
    if checks.that("pki --est by password", done.returncode == 0 and "BEGIN CERTIFICATE" in pem, done.stdout[-2000:]):
        device.certificate.write_text(pem)
        before = device.number()
        device.request(device.new_key("next.pem"))
        done = run([PKI, "--est", "--url", url, "--in", device.folder / "request.der", "--cacert", hospital.root, "--cert", device.certificate,
                    "--key", device.key, "--outform", "pem"])
        pem = done.stdout[done.stdout.find("-----BEGIN"):]
        if checks.that("pki --est by its certificate", done.returncode == 0 and "BEGIN CERTIFICATE" in pem, done.stdout[-2000:]):
            device.certificate.write_text(pem)
            checks.that("  another one", device.number() != before)


def main():
    checks = Checks("EST")
    with Hospital("est") as hospital:
        desk = Desk(hospital)
        desk.endpoint("pumps")
        desk.endpoint("default", est={"one_line": True})
        desk.endpoint("waiting", unregistered="wait")
        desk.endpoint("keys", est={"server_keygen": True, "csr_attributes": {
            "key": "ecdsa-p256", "subject": "serialNumber=?", "extensions": ["subjectAltName"], "template": True}})
        trust(hospital, checks)
        pump = by_password(hospital, checks, desk)
        bodies(hospital, checks, desk)
        renewals(hospital, checks, desk, pump)
        strangers(hospital, checks, desk, pump)
        approval(hospital, checks, desk)
        keys_made_here(hospital, checks, desk)
        attributes(hospital, checks)
        strongswan(hospital, checks, desk)
        checks.that("the log verifies", hospital.ward_json("audit", "verify") is not None)
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
