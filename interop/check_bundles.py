#!/usr/bin/env python3
"""Trust bundles: every format through OpenSSL, GnuTLS, Java and Python cryptography; rotation; EST and SCEP agree."""

import base64
import hashlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

from hospital import Checks, Hospital, eventually, must

PASSWORD = "changeit"


def fingerprints(certificates):
    return sorted(certificate.fingerprint(hashes.SHA256()).hex() for certificate in certificates)


def index(hospital, name):
    status, _, body = hospital.public(f"/bundles/{name}")
    assert status == 200, body
    return body


def saved(hospital, path, file):
    status, _, body = hospital.public(path)
    assert status == 200, (path, status)
    place = hospital.folder / file
    place.write_bytes(body)
    return place


def formats(hospital, checks, name, expected):
    """Each tool finds exactly the certificates that the index names."""
    count = len(expected)
    pem = saved(hospital, f"/bundles/{name}/anchors.pem", f"{name}.pem")
    checks.equal("PEM by Python cryptography", fingerprints(x509.load_pem_x509_certificates(pem.read_bytes())), expected)
    done = must(["openssl", "storeutl", "-noout", "-certs", pem])
    checks.that("PEM by openssl storeutl", f"Total found: {count}" in done, done)
    done = must(["certtool", "--certificate-info", "--infile", pem])
    checks.that("PEM by certtool", done.count("X.509 Certificate Information") == count, done)

    p7b = saved(hospital, f"/bundles/{name}/anchors.p7b", f"{name}.p7b")
    checks.equal("PKCS #7 by Python cryptography", fingerprints(pkcs7.load_der_pkcs7_certificates(p7b.read_bytes())), expected)
    done = must(["openssl", "pkcs7", "-inform", "DER", "-in", p7b, "-print_certs"])
    checks.that("PKCS #7 by openssl", done.count("BEGIN CERTIFICATE") == count, done)
    checks.accepts("PKCS #7 by certtool", ["certtool", "--p7-info", "--inder", "--infile", p7b], f"Number of certificates: {count}")

    p12 = saved(hospital, f"/bundles/{name}/anchors.p12", f"{name}.p12")
    store = pkcs12.load_pkcs12(p12.read_bytes(), PASSWORD.encode())
    checks.equal("PKCS #12 by Python cryptography", fingerprints(bag.certificate for bag in store.additional_certs), expected)
    done = must(["openssl", "pkcs12", "-in", p12, "-nokeys", "-passin", f"pass:{PASSWORD}"])
    checks.that("PKCS #12 by openssl", done.count("BEGIN CERTIFICATE") == count, done)
    checks.refuses("PKCS #12 by openssl, wrong password", ["openssl", "pkcs12", "-in", p12, "-nokeys", "-passin", "pass:wrong"])
    checks.accepts("PKCS #12 by certtool", ["certtool", "--p12-info", "--inder", "--infile", p12, "--password", PASSWORD],
                   "BEGIN CERTIFICATE")

    jks = saved(hospital, f"/bundles/{name}/anchors.jks", f"{name}.jks")
    for kind, file in (("JKS", jks), ("PKCS12", p12)):
        listed = must(["keytool", "-list", "-storetype", kind, "-keystore", file, "-storepass", PASSWORD])
        shown = sorted(line.rpartition(" ")[2].replace(":", "").lower() for line in listed.splitlines() if "SHA-256" in line)
        checks.equal(f"{kind} by keytool", shown, expected)
        checks.that(f"{kind}: keytool takes them for trust anchors", listed.count("trustedCertEntry") == count, listed)
    checks.refuses("JKS by keytool, wrong password", ["keytool", "-list", "-storetype", "JKS", "-keystore", jks, "-storepass", "wrong1"])


def addresses(hospital, checks):
    status, headers, body = hospital.public("/bundles/devices/v1/anchors.pem")
    checks.equal("a numbered version", status, 200)
    same = hospital.public("/bundles/devices/v1/anchors.pem", headers={"If-None-Match": headers["ETag"]})
    checks.equal("If-None-Match", same[0], 304)
    for path in ("nothing", "devices/v9/anchors.pem", "devices/anchors.exe", "devices/../../etc/passwd", "devices/v0/anchors.pem",
                 "devices/v1/v1/anchors.pem", "devices/v18446744073709551616/anchors.pem", "%00", "devices/anchors.der/"):
        status, _, _ = hospital.public(f"/bundles/{path}")
        checks.equal(f"/bundles/{path}", status, 404)
    for file in index(hospital, "devices")["files"]:
        status, _, body = hospital.public(file["path"])
        known = file.get("sha256", hashlib.sha256(body).hexdigest())
        checks.that(f"{file['format']}: the digest of the index", status == 200 and hashlib.sha256(body).hexdigest() == known)


def main():
    checks = Checks("bundles")
    with Hospital("bundles") as hospital:
        hospital.ward("bundle", "create", "devices", "--audience", "Pumps", "--authority", "devices")
        root = fingerprints([x509.load_pem_x509_certificate(hospital.root.read_bytes())])
        one = [entry["sha256"] for entry in index(hospital, "devices")["certificates"]]
        checks.equal("a bundle of an authority is its root", one, root)
        status, headers, der = hospital.public("/bundles/devices/anchors.der")
        checks.equal("DER of a single anchor", fingerprints([x509.load_der_x509_certificate(der)]), root)
        formats(hospital, checks, "devices", one)
        addresses(hospital, checks)

        hospital.ward("bundle", "create", "all", "--authority", "devices", "--issuers", "yes")
        several = sorted(entry["sha256"] for entry in index(hospital, "all")["certificates"])
        checks.that("with its issuers it has more", len(several) > 1, several)
        formats(hospital, checks, "all", several)
        checks.equal("no DER of several", hospital.public("/bundles/all/anchors.der")[0], 404)

        token = hospital.token("bundles", "admin")
        status, _, body = hospital.rest("PUT", "/api/v1/bundles/devices?dry_run=true", token,
                                        {"bundle": {"authorities": ["devices", "servers"], "issuers": True}})
        checks.that("REST: a dry run", status == 200, body)
        checks.equal("REST: it changed nothing", index(hospital, "devices")["version"], 1)
        status, _, body = hospital.rest("PUT", "/api/v1/bundles/devices", token,
                                        {"bundle": {"authorities": ["nowhere"]}})
        checks.equal("REST: an unknown authority", status, 422)
        enrolment(hospital, checks, several)
    return checks.summary()


def enrolment(hospital, checks, expected):
    """EST's cacerts is the bundle with issuers; SCEP's GetCACert leads to its root."""
    hospital.ward("enrol", "endpoint", "create", "pumps", "--profile", "device-ldevid", "--est", "--scep")

    def cacerts():
        status, _, body = hospital.rest("GET", "/.well-known/est/pumps/cacerts")
        return (status, body) if status == 200 else None

    answer = eventually(10, cacerts)
    checks.that("EST cacerts answers", answer)
    if answer:
        found = pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer[1]))
        checks.equal("EST cacerts agrees with the bundle", fingerprints(found), expected)
    status, _, body = hospital.public("/scep/pumps?operation=GetCACert")
    if status != 200:
        status, _, body = hospital.rest("GET", "/scep/pumps?operation=GetCACert")
    checks.equal("SCEP GetCACert answers", status, 200)
    if status == 200:
        found = fingerprints(pkcs7.load_der_pkcs7_certificates(body))
        above = [one for one in found if one in expected]
        checks.that("SCEP GetCACert agrees: all but the registration authority are in the bundle",
                    len(found) == len(above) + 1, (found, expected))


if __name__ == "__main__":
    sys.exit(main())
