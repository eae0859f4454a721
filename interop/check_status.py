#!/usr/bin/env python3
"""Revocation as relying parties see it: OCSP and CRLs through OpenSSL, GnuTLS and Python cryptography (R13)."""

import base64
import datetime
import sys
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

import profiles
from hospital import Checks, Hospital, must, run

DER = serialization.Encoding.DER


class Issued:
    """A certificate in files, as other programs want it."""

    def __init__(self, hospital, tokens, label):
        chain, _ = profiles.issue(hospital, "fhir-mtls", "ecdsa-p256", *tokens)
        pems = profiles.split_chain(chain)
        self.leaf, self.issuer = hospital.folder / f"{label}.pem", hospital.folder / f"{label}-issuer.pem"
        self.leaf.write_text(pems[0])
        self.issuer.write_text(pems[1])
        self.certificate, self.issuer_certificate = (x509.load_pem_x509_certificate(pem.encode()) for pem in pems[:2])
        self.serial = f"{self.certificate.serial_number:x}"

    def request(self, algorithm=None, nonce=None):
        builder = ocsp.OCSPRequestBuilder().add_certificate(self.certificate, self.issuer_certificate, algorithm or hashes.SHA1())
        if nonce:
            builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
        return builder.build().public_bytes(DER)


def openssl_ocsp(hospital, issued, *more):
    return ["openssl", "ocsp", "-issuer", issued.issuer, "-cert", issued.leaf, "-url", f"{hospital.public_url}/ocsp",
            "-CAfile", hospital.root, *more]


def ask(hospital, request, get=False):
    if get:
        status, headers, content = hospital.public("/ocsp/" + urllib.parse.quote(base64.b64encode(request), safe=""))
    else:
        status, headers, content = hospital.public("/ocsp", request, {"Content-Type": "application/ocsp-request"})
    return status, headers, ocsp.load_der_ocsp_response(content)


def check_ocsp(hospital, checks, good, revoked):
    checks.accepts("openssl ocsp: good, signature and responder verified", openssl_ocsp(hospital, good), ": good")
    checks.accepts("openssl ocsp: response verified", openssl_ocsp(hospital, good), "Response verify OK")
    checks.accepts("openssl ocsp: revoked, with its reason", openssl_ocsp(hospital, revoked), "keyCompromise")
    checks.accepts("openssl ocsp: SHA-256 certificate identifiers", 
                   ["openssl", "ocsp", "-sha256", *openssl_ocsp(hospital, good)[2:]], ": good")
    answer = hospital.folder / "answer.der"
    for issued, says in ((good, "good"), (revoked, "revoked")):
        must(openssl_ocsp(hospital, issued, "-no_nonce", "-respout", answer))
        checks.accepts(f"ocsptool --verify-response: {says}", ["ocsptool", "--verify-response", "--load-trust", issued.issuer,
                       "--load-response", answer], "Success")
        checks.accepts(f"ocsptool reads: {says}", ["ocsptool", "--response-info", "--load-response", answer],
                       f"Certificate Status: {says}")


def check_http(hospital, checks, good):
    status, headers, answer = ask(hospital, good.request(), get=True)
    checks.equal("GET is answered (RFC 5019 section 5)", (status, answer.certificate_status), (200, ocsp.OCSPCertStatus.GOOD))
    for header in ("Cache-Control", "ETag", "Last-Modified", "Expires"):
        checks.that(f"GET answers with {header} (RFC 5019 section 6.2)", headers.get(header), str(headers))
    checks.equal("content type", headers.get("Content-Type"), "application/ocsp-response")
    status, _, _ = hospital.public("/ocsp/" + urllib.parse.quote(base64.b64encode(good.request()), safe=""),
                                   headers={"If-None-Match": headers.get("ETag", "")})
    checks.that("a cache that asks again with its ETag is answered", status in (200, 304), status)
    for nonce, fine in ((b"n" * 32, True), (b"n" * 1, True), (b"n" * 128, True)):
        _, _, answer = ask(hospital, good.request(nonce=nonce))
        returned = answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce if answer.extensions else None
        checks.equal(f"a nonce of {len(nonce)} octets comes back (RFC 9654)", returned == nonce, fine)
    _, _, answer = ask(hospital, good.request(hashes.SHA256()))
    checks.equal("SHA-256 identifiers are answered with SHA-256 ones", answer.hash_algorithm.name, "sha256")
    age = datetime.datetime.now(datetime.timezone.utc) - answer.this_update_utc
    checks.that("thisUpdate is not in the future and not old", datetime.timedelta(0) <= age < datetime.timedelta(days=1), age)
    for label, body in (("nothing", b""), ("no DER", b"hello"), ("a certificate", good.certificate.public_bytes(DER)),
                        ("64 KiB of zeros", bytes(65536))):
        _, _, answer = ask(hospital, body)
        checks.equal(f"{label} is a malformed request", answer.response_status, ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
    stranger = ocsp.OCSPRequestBuilder().add_certificate_by_hash(b"\0" * 20, b"\0" * 20, 5, hashes.SHA1()).build().public_bytes(DER)
    _, _, answer = ask(hospital, stranger)
    checks.equal("an issuer that is not ours is unauthorized (RFC 5019 section 2.2.3)", answer.response_status,
                 ocsp.OCSPResponseStatus.UNAUTHORIZED)


def fetch_crl(hospital, path):
    status, _, der = hospital.public(path)
    return x509.load_der_x509_crl(der) if status == 200 else None


def write_crls(hospital, *paths):
    file = hospital.folder / "crls.pem"
    file.write_bytes(b"".join(fetch_crl(hospital, path).public_bytes(serialization.Encoding.PEM) for path in paths))
    return file


def check_crl(hospital, checks, good, revoked):
    crl = fetch_crl(hospital, "/crl/servers.crl")
    entry = crl.get_revoked_certificate_by_serial_number(revoked.certificate.serial_number)
    checks.that("the full CRL lists the revoked one", entry is not None)
    if entry is not None:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        checks.equal("with its reason", reason, x509.ReasonFlags.key_compromise)
    checks.that("and not the good one", crl.get_revoked_certificate_by_serial_number(good.certificate.serial_number) is None)
    checks.that("its signature is the issuer's", crl.is_signature_valid(good.issuer_certificate.public_key()))
    crls = write_crls(hospital, "/crl/root.crl", "/crl/servers.crl")
    verify = ["openssl", "verify", "-x509_strict", "-crl_check_all", "-CAfile", hospital.root, "-CRLfile", crls]
    checks.accepts("openssl verify -crl_check_all: good", [*verify, "-untrusted", good.issuer, good.leaf], "OK")
    checks.refuses("openssl verify -crl_check_all: revoked", [*verify, "-untrusted", revoked.issuer, revoked.leaf], "revoked")
    pem = hospital.folder / "servers.crl.pem"
    pem.write_bytes(crl.public_bytes(serialization.Encoding.PEM))
    checks.accepts("certtool --verify-crl", ["certtool", "--verify-crl", "--load-ca-certificate", good.issuer, "--infile", pem], "Verified")
    points = good.certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    url = points[0].full_name[0].value
    status, _, content = hospital.public(urllib.parse.urlparse(url).path)
    checks.equal("the certificate's own distribution point is served", status, 200)
    if status == 200:
        partition = x509.load_der_x509_crl(content)
        idp = partition.extensions
        try:
            point = idp.get_extension_for_class(x509.IssuingDistributionPoint).value
            checks.equal("its issuing distribution point names that very URL (RFC 5280 section 5.2.5)",
                         point.full_name[0].value if point.full_name else None, url)
        except x509.ExtensionNotFound:
            checks.that("it is a full CRL", url.endswith("/crl/servers.crl"), url)


def check_delta(hospital, checks, tokens):
    base = fetch_crl(hospital, "/crl/servers.crl")
    late = Issued(hospital, tokens, "late")
    revoke(hospital, late, "superseded")
    number = lambda crl: crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    def delta_with_late():
        delta = fetch_crl(hospital, "/crl/servers-delta.crl")
        return delta if delta and delta.get_revoked_certificate_by_serial_number(late.certificate.serial_number) else None

    delta = checks.soon("a revocation is in the delta CRL", delta_with_late)
    if not delta:
        return
    indicator = delta.extensions.get_extension_for_class(x509.DeltaCRLIndicator).value.crl_number
    checks.that("the delta's base is a CRL that was published", indicator <= number(delta), (indicator, number(delta)))
    checks.that("CRL numbers grow", number(delta) >= number(base), (number(base), number(delta)))
    files = hospital.folder / "with-delta.pem"
    current = fetch_crl(hospital, "/crl/servers.crl")
    pems = [fetch_crl(hospital, "/crl/root.crl"), current, delta]
    files.write_bytes(b"".join(crl.public_bytes(serialization.Encoding.PEM) for crl in pems))
    checks.refuses("openssl verify -use_deltas -extended_crl: revoked in the delta",
                   ["openssl", "verify", "-crl_check_all", "-use_deltas", "-extended_crl", "-CAfile", hospital.root, "-CRLfile", files,
                    "-untrusted", late.issuer, late.leaf], "revoked")


def revoke(hospital, issued, reason):
    hospital.ward("cert", "revoke", issued.serial, "--reason", reason)


def check_life(hospital, checks, tokens):
    """Hold and release, prompt publication, and what cannot be undone."""
    held = Issued(hospital, tokens, "held")
    status_of = lambda: ask(hospital, held.request())[2].certificate_status
    checks.equal("a new certificate is good", status_of(), ocsp.OCSPCertStatus.GOOD)
    hospital.ward("cert", "hold", held.serial)
    checks.soon("held: OCSP says revoked", lambda: status_of() == ocsp.OCSPCertStatus.REVOKED)
    checks.equal("with reason certificateHold", ask(hospital, held.request())[2].revocation_reason, x509.ReasonFlags.certificate_hold)
    hospital.ward("cert", "release", held.serial)
    checks.soon("released: good again", lambda: status_of() == ocsp.OCSPCertStatus.GOOD)
    revoke(hospital, held, "cessationOfOperation")
    checks.soon("revoked", lambda: status_of() == ocsp.OCSPCertStatus.REVOKED)
    refused = run([hospital.binary, "cert", "release", held.serial, "--data", hospital.data])
    checks.equal("what was revoked for good is not released", refused.returncode, 1)
    unknown = run([hospital.binary, "cert", "revoke", "00" * 10, "--data", hospital.data])
    checks.equal("a serial number that nobody has is not revoked", unknown.returncode, 1)
    listed = lambda: fetch_crl(hospital, "/crl/servers.crl").get_revoked_certificate_by_serial_number(held.certificate.serial_number)
    checks.soon("the full CRL lists it", listed)


def main():
    checks = Checks("status")
    with Hospital("status") as hospital:
        tokens = (hospital.token("status", "issuer"), hospital.token("approver", "approver"))
        good, revoked = Issued(hospital, tokens, "good"), Issued(hospital, tokens, "revoked")
        revoke(hospital, revoked, "keyCompromise")
        published = lambda: ask(hospital, revoked.request())[2].certificate_status == ocsp.OCSPCertStatus.REVOKED
        checks.soon("a revocation is published", published)
        on_list = lambda: fetch_crl(hospital, "/crl/servers.crl").get_revoked_certificate_by_serial_number(
            revoked.certificate.serial_number)
        checks.soon("and is on the CRL", on_list)
        check_ocsp(hospital, checks, good, revoked)
        check_http(hospital, checks, good)
        check_crl(hospital, checks, good, revoked)
        check_delta(hospital, checks, tokens)
        check_life(hospital, checks, tokens)
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
