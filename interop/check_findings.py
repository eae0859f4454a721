#!/usr/bin/env python3
"""What `openssl s_server` serves wrongly is found, and what it serves rightly is not; a certificate signed with a copied CA key
outside Ward is a critical incident within one scan, alerted, and closed by nobody but a person (R19, R20).

Also: from a scan to a critical risk, with its reasons in command, REST and metrics (R16, R18); the inventory of cryptography against the published schema of CycloneDX 1.6.
"""

import datetime
import hashlib
import hmac
import http.server
import json
import sys
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from hospital import Checks, Hospital, eventually, free_port, must

NAME = "icu.mercy.example"
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
SECRET = "alerts between us"


class Maker:
    """Certificates of a vendor: root, issuing authority, leaves."""

    def __init__(self, folder):
        self.folder = folder
        self.root = self.authority("Vendor Root", None)
        self.issuing = self.authority("Vendor Issuing", self.root)

    def authority(self, name, issuer):
        return self.certificate(name, issuer, ca=True, days=1825)

    def certificate(self, name, issuer, *, ca=False, days=180, begin=-1, key=None, names=(NAME,), organization=None, purpose=None):
        key = key or ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if organization:
            attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
        subject = x509.Name(attributes)
        by, by_key = (issuer["certificate"].subject, issuer["key"]) if issuer else (subject, key)
        built = (x509.CertificateBuilder().subject_name(subject).issuer_name(by).public_key(key.public_key())
                 .serial_number(x509.random_serial_number()).not_valid_before(NOW + begin * DAY).not_valid_after(NOW + (begin + days) * DAY)
                 .add_extension(x509.BasicConstraints(ca, None), True)
                 .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
                 .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by_key.public_key()), False))
        usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
                               "decipher_only"), False)
        built = built.add_extension(x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **usage), True)
        if not ca:
            purpose = purpose or ExtendedKeyUsageOID.SERVER_AUTH
            built = (built.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), False)
                     .add_extension(x509.ExtendedKeyUsage([purpose]), False)
                     .add_extension(x509.AuthorityInformationAccess([x509.AccessDescription(
                         AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://ocsp.vendor.example"))]), False))
        return {"certificate": built.sign(by_key, hashes.SHA256()), "key": key}

    def files(self, name, made, chain=()):
        key, cert, more = (self.folder / f"{name}.{end}" for end in ("key", "pem", "chain"))
        key.write_bytes(made["key"].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                  serialization.NoEncryption()))
        cert.write_bytes(pem(made["certificate"]))
        more.write_bytes(b"".join(pem(one["certificate"]) for one in chain))
        return ["-cert", cert, "-key", key, *(["-cert_chain", more] if chain else [])]


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def fingerprint(made):
    return made["certificate"].fingerprint(hashes.SHA256()).hex()


class Receiver:
    """The program that is alerted: says no once, then yes."""

    def __init__(self):
        self.bodies, self.signed = [], []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                at, _, mac = self.headers["Ward-Signature"].removeprefix("t=").partition(",v1=")
                right = hmac.new(SECRET.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
                receiver.signed.append(hmac.compare_digest(mac, right))
                receiver.bodies.append(json.loads(body))
                self.send_response(503 if len(receiver.bodies) == 1 else 204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.port = free_port()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Lab:
    def __init__(self, hospital, checks):
        self.hospital, self.checks = hospital, checks
        self.ports = []

    def serve(self, *options):
        port = free_port()
        self.hospital.spawn(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-quiet", *options],
                            stdout=-3, stderr=-3)
        self.ports.append(port)
        return port

    def scan(self, ports):
        hospital = self.hospital
        done = hospital.ward_json("discover", "scan", "lab", "--name", NAME, "--depth", "versions",
                                  *(part for port in ports for part in ("--port", port)))
        self.checks.that("the scan ends", done, done)

    def findings(self, made=None, show="open"):
        more = ["--certificate", fingerprint(made)] if made else []
        return self.hospital.ward_json("finding", "list", "--show", show, "--limit", "1000", *more)["findings"]

    def rules(self, made, least="low"):
        weights = ["note", "low", "medium", "high", "critical"]
        heavy = weights[weights.index(least):]
        return sorted({one["rule"] for one in self.findings(made) if one["severity"] in heavy})


def segment(hospital, ports):
    """Limits by one person, signed off by another."""
    given = [part for port in ports for part in ("--port", port)]
    hospital.ward("segment", "set", "lab", "--range", "127.0.0.1/32", *given, "--rate", "200", "--pause-ms", "0", "--hours", "always",
                  "--zone", "UTC", "--depth", "suites", "--unplaced", "yes", "--life-support", "yes")
    approver = hospital.token("second", "approver")
    version = hospital.ward_json("segment", "show", "lab")["version"]
    status, _, body = hospital.rest("POST", "/api/v1/segments/lab/sign", approver, {"version": version, "note": "the lab"})
    assert status == 200, body
    return approver


def wrong_ones(maker):
    """(rule, certificate, options of s_server) of everything that is wrong in one way."""
    issuing, root = maker.issuing, maker.root
    chain = [issuing]
    rsa_key = lambda bits: rsa.generate_private_key(public_exponent=65537, key_size=bits)
    old = ["-cipher", "ALL:@SECLEVEL=0"]
    leaf = lambda **how: maker.certificate(NAME, issuing, **how)
    table = [
        ("expired.in-use", leaf(begin=-90, days=60), chain, []),
        ("expiring.30", leaf(begin=-150, days=170), chain, []),
        ("expiring.60", leaf(begin=-130, days=180), chain, []),
        ("expiring.90", leaf(begin=-100, days=180), chain, []),
        ("validity.future", leaf(begin=2), chain, []),
        ("validity.long", leaf(days=1200), chain, []),
        ("self-signed", maker.certificate(NAME, None), [], []),
        ("key.weak", leaf(key=rsa_key(1024)), chain, old),
        ("name.mismatch", leaf(names=("pacs.mercy.example",)), chain, []),
        ("chain.incomplete", leaf(), [], []),
        ("chain.order", leaf(), [root, issuing], []),
        ("usage.server", leaf(purpose=ExtendedKeyUsageOID.CLIENT_AUTH), chain, []),
        ("vendor.default", leaf(organization="Internet Widgits Pty Ltd"), chain, []),
        ("tls.version", leaf(), chain, ["-tls1", *old]),
        ("tls.forward-secrecy", leaf(key=rsa_key(2048)), chain, ["-tls1_2", "-cipher", "AES128-GCM-SHA256"]),
        ("tls.suite", leaf(), chain, ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"]),
        ("issuer.untrusted", maker.certificate(NAME, maker.authority("Nobody's Root", None)), [], []),
    ]
    return table


def sha1(maker):
    """OpenSSL signs it; Python's library will not."""
    made = maker.certificate(NAME, maker.issuing)
    request, out, config = (maker.folder / f"sha1-leaf.{end}" for end in ("csr", "crt", "cnf"))
    maker.files("sha1-leaf", made)
    maker.files("issuing", maker.issuing)
    config.write_text(f"subjectAltName=DNS:{NAME}\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n"
                      "keyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
                      "authorityInfoAccess=OCSP;URI:http://ocsp.vendor.example\n")
    must(["openssl", "req", "-new", "-key", maker.folder / "sha1-leaf.key", "-subj", f"/CN={NAME}", "-out", request])
    must(["openssl", "x509", "-req", "-sha1", "-in", request, "-CA", maker.folder / "issuing.pem", "-CAkey", maker.folder / "issuing.key",
          "-set_serial", "0x51a1000000000000000000000001", "-days", "180", "-extfile", config, "-out", out])
    return {"certificate": x509.load_pem_x509_certificate(out.read_bytes()), "key": made["key"]}


def each_wrong_is_found(lab, maker):
    checks, hospital = lab.checks, lab.hospital
    table = [*wrong_ones(maker), ("signature.weak", sha1(maker), [maker.issuing], ["-cipher", "ALL:@SECLEVEL=0"])]
    sound = maker.certificate(NAME, maker.issuing)
    lab.serve(*maker.files("sound", sound, [maker.issuing]))
    for rule, made, chain, options in table:
        lab.serve(*maker.files(rule, made, chain), *options)
    vendor_root = hospital.folder / "vendor-root.pem"
    vendor_root.write_bytes(pem(maker.root["certificate"]))
    hospital.ward("bundle", "create", "vendors", "--audience", "the lab", "--authority", "servers", "--foreign", vendor_root)
    hospital.ward("asset", "add", "--kind", "server", "--serial", "SRV-1", "--manufacturer", "Dell", "--model", "R1",
                  "--host-name", NAME, "--host-name", "pacs.mercy.example", "--owner", "biomed", "--renewal", "automatic")
    approver = segment(hospital, lab.ports)
    lab.scan(lab.ports)
    last = table[-1][1]
    eventually(60, lambda: lab.rules(last) and lab.rules(table[0][1]))
    for rule, made, _, _ in table:
        found = lab.rules(made)
        checks.that(f"{rule} is found", rule in found, f"found {found}")
    checks.equal("its sound twin has no finding", lab.rules(sound), [])
    return approver


def copied_key(lab, maker, receiver, approver):
    checks, hospital = lab.checks, lab.hospital
    stick = next((hospital.folder / "root-usb").glob("*key*"))
    text = must(["openssl", "pkey", "-in", stick, "-passin", f"file:{hospital.data / 'root-passphrase'}"])
    root = x509.load_pem_x509_certificate(hospital.root.read_bytes())
    ours = {"certificate": root, "key": serialization.load_pem_private_key(text.encode(), None)}
    copied = maker.certificate(NAME, ours)
    checks.that("there is no incident before", hospital.ward_json("finding", "incident", "list") == [])
    port = lab.serve(*maker.files("copied", copied))
    lab.ports.append(port)
    approver = segment(hospital, [port]) if approver is None else resign(hospital, approver, port)
    lab.scan([port])
    incidents = eventually(30, lambda: hospital.ward_json("finding", "incident", "list"))
    checks.equal("it is an incident within one scan", [one["sha256"] for one in incidents], [fingerprint(copied)])
    if not incidents:
        return
    checks.equal("and critical", incidents[0]["severity"], "critical")
    log = hospital.ward("audit", "show", "--action", "incident.misissuance", "--json")
    checks.that("the log has it", fingerprint(copied) in log, log)
    eventually(20, lambda: len(receiver.bodies) > 1)
    checks.that("the alert comes again until it is taken", len(receiver.bodies) == 2 and receiver.bodies[0] == receiver.bodies[1], receiver.bodies)
    checks.that("and is signed", receiver.signed and all(receiver.signed), receiver.signed)
    metrics = eventually(70, lambda: [line for line in hospital.public("/metrics")[2].decode().splitlines()
                                      if line.startswith("ward_findings_open") and 'rule="ca.unrecorded"' in line])
    checks.that("the metrics count it", metrics and 'severity="critical"' in metrics[0], metrics)
    number = incidents[0]["id"]
    body = {"owner": "nobody", "reason": "we would rather not know", "until": (NOW + 30 * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")}
    status, _, answer = hospital.rest("POST", f"/api/v1/findings/{number}/waive", approver, body)
    checks.equal("it cannot be waived", (status, answer.get("rule")), (422, "waiver.incident"))
    status, _, answer = hospital.rest("POST", f"/api/v1/findings/{number}/close", approver, {"reason": "the key was rotated"})
    checks.equal("nor closed while it is shown", (status, answer.get("rule")), (422, "incident.in-use"))
    other = next(one for one in lab.findings() if one["rule"] == "validity.long")
    status, _, answer = hospital.rest("POST", f"/api/v1/findings/{other['id']}/waive", approver, body)
    checks.equal("another finding can be waived", status, 201)
    checks.equal("and is listed as waived", [one["id"] for one in lab.findings(show="waived")], [other["id"]])


def phi_flow(lab, maker, approver):
    """From a scan of a TLS server to a critical risk: by the map of flows and the days that are left. It answers for a name
    of an asset, so its owner is the asset's; what rules say comes after the register."""
    checks, hospital = lab.checks, lab.hospital
    name = "ehr.mercy.example"
    soon = maker.certificate(name, maker.issuing, begin=-168, days=180, organization="Interface", names=(name,))
    later = maker.certificate(name, maker.issuing, organization="Interface", names=(name,))
    ports = [lab.serve(*maker.files(name, made, [maker.issuing])) for name, made in (("soon", soon), ("later", later))]
    resign(hospital, approver, *ports)
    hospital.ward("owner", "add", "integration", "--subject", "*O=Interface*", "--owner", "integration")
    lab.scan(ports)
    first = hospital.ward_json("inventory", "risk", fingerprint(soon))
    checks.that("before the map knows it, it is not critical", first["level"] != "critical", first)
    hospital.ward("flow", "system", "add", "EHR", "--kind", "ehr", "--phi", "yes", "--address", "127.0.0.1", "--owner", "integration")
    hospital.ward("flow", "system", "add", "Portal", "--kind", "portal", "--patient-facing", "yes", "--address", "10.99.0.1")
    for name, port in zip(("EHR interface", "EHR archive"), ports):
        hospital.ward("flow", "add", name, "--from", "Portal", "--to", "EHR", "--protocol", "fhir", "--port", port)
    told = hospital.ward("inventory", "risk", fingerprint(soon))
    wanted = "Critical because: PHI via EHR interface"
    checks.that("the command says that it is critical, and why", wanted in told and "11 days left" in told, told)
    checks.that("and its twin with time left is not", hospital.ward_json("inventory", "risk", fingerprint(later))["level"] == "high",
                hospital.ward("inventory", "risk", fingerprint(later)))
    status, _, answer = hospital.rest("GET", f"/api/v1/inventory/{fingerprint(soon)}/risk", approver)
    reasons = [one["what"] for one in answer.get("because", [])]
    checks.equal("REST says the same", (status, answer.get("level"), answer.get("owner")), (200, "critical", "biomed"))
    checks.that("with its reasons", {"phi", "expiry", "ehr", "patient-facing"} <= set(reasons), answer)
    listed = lambda: [one["sha256"] for one in hospital.ward_json("inventory", "search", "risk = critical and owner = biomed")["certificates"]]
    checks.that("the inventory lists it", eventually(60, lambda: fingerprint(soon) in listed()), listed())
    expected = len(listed())
    counts = hospital.rest("GET", "/api/v1/risk", approver)[2]["counts"]
    mine = [(one["risk"], one["certificates"]) for one in counts if one.get("owner") == "biomed" and one["risk"] == "critical"]
    checks.equal("it is counted for its owner", sum(count for _, count in mine), expected)


def resign(hospital, approver, *ports):
    hospital.ward("segment", "set", "lab", *(part for port in ports for part in ("--port", port)))
    version = hospital.ward_json("segment", "show", "lab")["version"]
    status, _, body = hospital.rest("POST", "/api/v1/segments/lab/sign", approver, {"version": version, "note": "other ports"})
    assert status == 200, body
    return approver


def cbom(lab, approver):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    status, headers, body = lab.hospital.rest("GET", "/api/v1/inventory/cbom", approver)
    document = body if isinstance(body, (dict, list)) else json.loads(body)
    lab.checks.equal("the inventory of cryptography is CycloneDX 1.6", (status, document["specVersion"]), (200, "1.6"))
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))
    lab.checks.that("its published schema accepts it", fault is None, fault)
    spoiled = json.loads(json.dumps(document))
    spoiled["components"][0]["cryptoProperties"] = {"assetType": "rumour"}
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(spoiled))
    lab.checks.that("and refuses one that is spoiled", fault is not None, fault)
    kinds = {part.get("cryptoProperties", {}).get("assetType") for part in document["components"]}
    lab.checks.that("it names certificates, keys, algorithms and protocols",
                    kinds >= {"certificate", "related-crypto-material", "algorithm", "protocol"}, kinds)
    known = {part["bom-ref"] for part in document["components"]}
    used = {part["cryptoProperties"]["certificateProperties"][name] for part in document["components"]
            if part.get("cryptoProperties", {}).get("assetType") == "certificate" for name in ("signatureAlgorithmRef", "subjectPublicKeyRef")}
    lab.checks.that("what it refers to is in it", used <= known, used - known)


def main():
    checks = Checks("findings")
    receiver = Receiver()
    with Hospital("findings") as hospital:
        hospital.server.terminate()
        hospital.server.wait(20)
        hospital.processes.remove(hospital.server)
        secret = hospital.data / "alerts.secret"
        secret.write_text(SECRET + "\n")
        config = hospital.data / "ward.toml"
        config.write_text(config.read_text() + f'\n[alerts]\nurl = "http://127.0.0.1:{receiver.port}/alerts"\nsecret_file = "alerts.secret"\n')
        hospital.start()
        lab = Lab(hospital, checks)
        folder = hospital.folder / "made"
        folder.mkdir()
        maker = Maker(folder)
        approver = each_wrong_is_found(lab, maker)
        copied_key(lab, maker, receiver, approver)
        phi_flow(lab, maker, approver)
        cbom(lab, approver)
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
