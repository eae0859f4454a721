#!/usr/bin/env python3
"""Certificates of every built-in profile, the authorities, CRLs and OCSP answers, through pkilint and zlint.

Exceptions stand in lint_exceptions.toml with their reason; one that no longer occurs fails too.
"""

import contextlib
import io
import json
import pathlib
import sys
import tomllib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from pkilint.bin import lint_crl, lint_ocsp_response, lint_pkix_cert

import profiles
from hospital import Checks, Hospital, must

# zlint's rules of the public web (CA/Browser Forum, root programmes) do not bind a private hierarchy.
ZLINT_WITHOUT = "Apple,CABF_BR,CABF_EV,CABF_SMIME_BR,ETSI_ESI,Mozilla"
SERIOUS = {"ERROR", "FATAL", "error", "fatal"}
EXCEPTIONS = pathlib.Path(__file__).with_name("lint_exceptions.toml")


def pkilint(module, path, *options):
    """[(severity, rule)] of warnings and worse."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        status = module.main(["lint", "-f", "JSON", "-s", "WARNING", *options, str(path)])
    text = output.getvalue()
    if not text.lstrip().startswith("{"):
        return [("FATAL", f"pkilint exited {status}: {text.strip()[:200]}")]
    found = [finding for result in json.loads(text)["results"] for finding in result["finding_descriptions"]]
    return [(finding["severity"], finding["code"]) for finding in found]


def zlint(path):
    results = json.loads(must(["zlint", "-excludeSources", ZLINT_WITHOUT, path]))
    return [(result["result"], rule) for rule, result in results.items() if result["result"] in ("warn", "error", "fatal")]


class Linting:
    def __init__(self, checks):
        self.checks = checks
        self.exceptions = tomllib.loads(EXCEPTIONS.read_text()).get("exception", [])
        self.used = set()

    def explained(self, what, rule):
        for index, exception in enumerate(self.exceptions):
            if exception["rule"] == rule and what.startswith(exception["what"]):
                self.used.add(index)
                return True
        return False

    def judge(self, what, findings):
        serious = [(severity, rule) for severity, rule in findings if severity in SERIOUS and not self.explained(what, rule)]
        warnings = [rule for severity, rule in findings if severity not in SERIOUS and not self.explained(what, rule)]
        note = f" (warnings: {', '.join(warnings)})" if warnings else ""
        self.checks.that(f"{what}{note}", not serious, "\n".join(f"{severity} {rule}" for severity, rule in serious))

    def certificate(self, what, path):
        self.judge(f"{what}: pkilint", pkilint(lint_pkix_cert, path))
        self.judge(f"{what}: zlint", zlint(path))

    def finish(self):
        for index, exception in enumerate(self.exceptions):
            self.checks.that(f"exception {exception['what']} {exception['rule']} still occurs", index in self.used,
                             "it no longer does: remove it")


def lint_profiles(hospital, linting):
    checks = linting.checks
    issuer = hospital.token("lint", "issuer", "admin")
    approver = hospital.token("approver", "approver")
    leaves = {}
    names = profiles.profile_names(hospital)
    checks.equal("every built-in profile has a request in the table", sorted(set(names) - profiles.NOT_REQUESTED), sorted(profiles.WANTED))
    for name in names:
        if name not in profiles.WANTED:
            continue
        for algorithm in profiles.algorithms_to_try(profiles.profile(hospital, name, issuer)):
            try:
                chain, _ = profiles.issue(hospital, name, algorithm, issuer, approver)
            except ValueError as refused:
                checks.that(f"{name} {algorithm} is issued", False, refused)
                continue
            path = hospital.folder / f"{name}-{algorithm}.pem"
            path.write_text(profiles.split_chain(chain)[0])
            linting.certificate(f"{name} {algorithm}", path)
            leaves[name] = chain
    return leaves


def lint_authorities(hospital, linting):
    for name in ("root", "servers", "devices", "people"):
        path = hospital.folder / f"ca-{name}.pem"
        hospital.ward("ca", "export", name, "--out", path)
        linting.certificate(f"authority {name}", path)


def lint_crls(hospital, linting):
    for name, kind in (("root", "ARL"), ("servers", "CRL"), ("devices", "CRL"), ("people", "CRL")):
        # The root revokes rarely and offline: it has no delta.
        for suffix in ("",) if name == "root" else ("", "-delta"):
            status, _, der = hospital.public(f"/crl/{name}{suffix}.crl")
            if not linting.checks.equal(f"/crl/{name}{suffix}.crl is served", status, 200):
                continue
            path = hospital.folder / f"{name}{suffix}.crl"
            path.write_bytes(der)
            linting.judge(f"CRL {name}{suffix}: pkilint", pkilint(lint_crl, path, "-t", kind, "-p", "PKIX"))
            pem = path.with_suffix(".crl.pem")
            pem.write_bytes(x509.load_der_x509_crl(der).public_bytes(serialization.Encoding.PEM))
            linting.judge(f"CRL {name}{suffix}: zlint", zlint(pem))


def lint_ocsp(hospital, linting, chain):
    leaf, issuer = (x509.load_pem_x509_certificate(pem.encode()) for pem in profiles.split_chain(chain)[:2])
    for label, nonce in (("without nonce", None), ("with nonce", b"\x5a" * 32)):
        builder = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA1())
        if nonce:
            builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
        request = builder.build().public_bytes(serialization.Encoding.DER)
        _, _, der = hospital.public("/ocsp", request, {"Content-Type": "application/ocsp-request"})
        path = hospital.folder / "answer.ocsp"
        path.write_bytes(der)
        linting.judge(f"OCSP answer {label}: pkilint", pkilint(lint_ocsp_response, path))


def main():
    checks = Checks("lint")
    linting = Linting(checks)
    with Hospital("lint") as hospital:
        lint_authorities(hospital, linting)
        leaves = lint_profiles(hospital, linting)
        if "server-tls" in leaves:
            serial = x509.load_pem_x509_certificate(leaves["server-tls"].encode()).serial_number
            hospital.ward("cert", "revoke", f"{serial:x}", "--reason", "superseded")
            lint_ocsp(hospital, linting, leaves["server-tls"])
        lint_crls(hospital, linting)
    linting.finish()
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
