#!/usr/bin/env python3
"""The REST surface as a stranger's client meets it: tokens, roles, refusals, approval, the log (R07, R36, R37)."""

import base64
import json
import re
import sys
import urllib.error

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import profiles
from hospital import Checks, Hospital, run

PROBLEM = "application/problem+json"


def is_problem(answer, status):
    """RFC 9457 section 3.1, and Ward's promise: a refusal names its rule and its source."""
    code, headers, content = answer
    return (code == status and headers.get("Content-Type", "").startswith(PROBLEM) and isinstance(content, dict)
            and content.get("status") == status and content.get("type") and content.get("title"))


def csr(name="api.mercy.example", key=None, extensions=()):
    builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key or profiles.new_key("ecdsa-p256"), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def body(**more):
    return {"profile": "server-tls", "csr": csr()} | more


def check_tokens(hospital, checks, issuer):
    post = lambda token, what=None: hospital.rest("POST", "/api/v1/certificates", token, what or body())
    checks.equal("an issuer's token issues", post(issuer)[0], 201)
    checks.that("no token: 401", is_problem(post(None), 401), post(None))
    checks.that("a token that nobody has: 401", is_problem(post("ward_0000_0000"), 401))
    checks.that("one character changed: 401", is_problem(post(issuer[:-1] + ("a" if issuer[-1] != "a" else "b")), 401))
    for role in ("auditor", "read-only", "approver"):
        token = hospital.token(role, role)
        checks.that(f"role {role} does not issue: 403", is_problem(post(token), 403), post(token))
    reader = hospital.token("reader", "read-only")
    checks.equal("role read-only reads", hospital.rest("GET", "/api/v1/certificates", reader)[0], 200)
    scoped = hospital.token("scoped", "issuer", more=("--profile", "server-tls", "--allow-name", "*.lab.mercy.example"))
    checks.equal("a scoped token issues inside its names", post(scoped, body(csr=csr("a.lab.mercy.example")))[0], 201)
    checks.that("and not outside", post(scoped)[0] in (403, 422), post(scoped))
    checks.that("nor for another profile", post(scoped, body(profile="fhir-mtls", csr=csr("a.lab.mercy.example")))[0] in (403, 422))
    doomed = hospital.token("doomed", "issuer")
    checks.equal("a token before its removal", post(doomed)[0], 201)
    listed = json.loads(hospital.ward("token", "list", "--json"))
    rows = listed if isinstance(listed, list) else listed["tokens"]
    hospital.ward("token", "revoke", next(row["id"] for row in rows if row["name"] == "doomed"))
    checks.soon("is refused after it", lambda: post(doomed)[0] == 401)


def check_refusals(hospital, checks, issuer):
    post = lambda **more: hospital.rest("POST", "/api/v1/certificates", issuer, body(**more))
    checks.equal("twin of the refusals: a plain request is issued", post()[0], 201)
    small = rsa.generate_private_key(65537, 1024)
    ca = (x509.BasicConstraints(ca=True, path_length=None), True)
    many = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(
        x509.SubjectAlternativeName([x509.DNSName(f"h{number}.mercy.example") for number in range(1001)]), critical=False
    ).sign(profiles.new_key("ecdsa-p256"), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    der = bytearray(x509.load_pem_x509_csr(csr().encode()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1

    forged = "-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(bytes(der)).decode() + "-----END CERTIFICATE REQUEST-----\n"
    table = [
        ("RSA of 1024 bits", {"csr": csr(key=small)}),
        ("a signature that does not verify", {"csr": forged}),
        ("a request to become a CA", {"csr": csr(extensions=[ca])}),
        ("1,001 names", {"csr": many}),
        ("no DER at all", {"csr": "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"}),
        ("a name that is none", {"csr": csr("not_a_name..example")}),
        ("a profile that does not exist", {"profile": "no-such-profile"}),
        ("more days than the profile allows", {"days": 4000}),
        ("a field that does not exist", {"colour": "blue"}),
    ]
    for label, more in table:
        answer = post(**more)
        checks.that(f"{label}: refused with a problem document", 400 <= answer[0] < 500 and is_problem(answer, answer[0]), answer)
        if answer[0] == 422:
            checks.that(f"{label}: names the rule and whose rule it is", answer[2].get("rule") and answer[2].get("source"), answer[2])
    checks.that("four megabytes: refused, or hung up on (RFC 9110 section 15.5.14)", too_large(hospital, issuer) in (400, 413, "closed"))
    checks.equal("and the server is well", post()[0], 201)


def too_large(hospital, issuer):
    try:
        return hospital.rest("POST", "/api/v1/certificates", issuer, b"{" + b" " * (4 << 20) + b"}")[0]
    except urllib.error.URLError:
        return "closed"


def check_approval(hospital, checks, issuer):
    approver, both = hospital.token("second", "approver"), hospital.token("both", "issuer", "approver")
    wanted = {"profile": "hie-gateway", "csr": csr("hie.mercy.example"), "evidence": profiles.EVIDENCE}
    status, _, waiting = hospital.rest("POST", "/api/v1/certificates", both, wanted)
    checks.equal("a profile that wants two people: 202", status, 202)
    path = f"/api/v1/requests/{waiting.get('request')}/approve"
    own = hospital.rest("POST", path, both, {})
    checks.that("nobody approves their own request", own[0] in (403, 409, 422), own)
    checks.that("an issuer does not approve", hospital.rest("POST", path, issuer, {})[0] == 403)
    checks.equal("a second person does, and it is issued", hospital.rest("POST", path, approver, {})[0], 201)
    again = hospital.rest("POST", path, approver, {})
    checks.that("once", again[0] in (403, 404, 409, 422), again)


def check_retry(hospital, checks, issuer):
    same = body()
    first, second = (hospital.rest("POST", "/api/v1/certificates", issuer, same, {"Idempotency-Key": "order-1"}) for _ in range(2))
    checks.that("a retry with the same Idempotency-Key gets the same certificate",
                first[0] == 201 and first[2]["serial"] == second[2].get("serial"), (first[0], second[0]))


def check_documents(hospital, checks, issuer):
    status, _, document = hospital.rest("GET", "/api/v1/openapi.json", issuer)
    checks.that("OpenAPI 3.1 is served", status == 200 and document["openapi"].startswith("3.1"), status)
    if status == 200:
        missing = [path for path in ("/api/v1/certificates", "/api/v1/certificates/{id}/revoke", "/api/v1/tokens") if path not in document["paths"]]
        checks.equal("and knows the paths", missing, [])
        references = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document)))
        checks.equal("and defines what it refers to", sorted(references - set(document.get("components", {}).get("schemas", {}))), [])
    status, _, metrics = hospital.public("/metrics")
    checks.that("metrics are in Prometheus' text format", status == 200 and re.search(rb"^# TYPE \w+ \w+$", metrics, re.M), metrics[:200])
    for path in ("/healthz", "/readyz", "/log/checkpoint"):
        checks.equal(f"{path} needs no token", hospital.public(path)[0], 200)
    checks.that("issuance is not offered without TLS", hospital.public("/api/v1/certificates", b"{}")[0] in (404, 405))


def check_log(hospital, checks, issuer):
    auditor = hospital.token("auditing", "auditor")
    status, _, events = hospital.rest("GET", "/api/v1/audit/events?limit=1000", auditor)
    text = json.dumps(events)
    checks.that("an auditor reads events", status == 200 and "certificate.issue" in text, status)
    checks.that("refused attempts are events too", "refused" in text, text[-500:])
    checks.that("an issuer does not", hospital.rest("GET", "/api/v1/audit/events", issuer)[0] == 403)
    checks.accepts("ward audit verify", [hospital.binary, "audit", "verify", "--data", hospital.data])
    folder = hospital.folder / "log"
    hospital.ward("audit", "export", folder)
    checks.accepts("the exported log, by the verifier in Python",
                   [sys.executable, "interop/verify_log.py", folder, "--vkey", (folder / "vkey").read_text().strip()])
    checks.equal("no token is in the data directory or the log in clear", leaks(hospital, issuer), "")


def leaks(hospital, token):
    # ward_ID_SECRET, and the secret is base64url, which may hold underscores: by its last part a search would find anything.
    secret = token.split("_", 2)[2]
    assert len(secret) >= 22, "128 bits at least"
    return run(["grep", "-rlaF", "-e", secret, hospital.data, hospital.folder / "ward.log"]).stdout.strip()


def check_restart(hospital, checks, issuer):
    hospital.server.terminate()
    checks.equal("SIGTERM ends the server with status 0", hospital.server.wait(15), 0)
    hospital.start()
    checks.equal("started again, the token still issues", hospital.rest("POST", "/api/v1/certificates", issuer, body())[0], 201)
    second = run([hospital.binary, "serve", "--data", hospital.data, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"], timeout=20)
    checks.that("a second server on the same data directory is refused", second.returncode in (1, 2), second.stdout[-300:])


def main():
    checks = Checks("api")
    with Hospital("api") as hospital:
        issuer = hospital.token("ci", "issuer")
        for check in (check_tokens, check_refusals, check_approval, check_retry, check_documents, check_log, check_restart):
            check(hospital, checks, issuer)
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
