#!/usr/bin/env python3
"""Chains of every profile through OpenSSL, GnuTLS and Python cryptography; and what each must refuse."""

import datetime
import sys

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

import profiles
from hospital import Checks, Hospital, run

# OpenSSL's purposes that must accept a profile, where it has one for it.
PURPOSE = {
    "server-tls": "sslserver", "api-tls": "sslserver", "radius-server": "sslserver", "vpn-gateway": "sslserver",
    "fhir-mtls": "sslclient", "client-tls": "sslclient", "dicom-node": "sslclient", "device-ldevid": "sslclient",
    "smime": "smimesign", "direct-address": "smimesign", "time-stamping": "timestampsign", "ocsp-responder": "ocsphelper",
}


def check_profile(hospital, checks, name, algorithm, tokens):
    what = f"{name} {algorithm}"
    try:
        chain, _ = profiles.issue(hospital, name, algorithm, *tokens)
    except ValueError as refused:
        checks.that(f"{what} is issued", False, refused)
        return
    pems = profiles.split_chain(chain)
    leaf, issuers = hospital.folder / "leaf.pem", hospital.folder / "issuers.pem"
    leaf.write_text(pems[0])
    issuers.write_text("".join(pems[1:]))
    openssl = ["openssl", "verify", "-x509_strict", "-check_ss_sig", "-CAfile", hospital.root]
    purpose = ["-purpose", PURPOSE[name]] if name in PURPOSE else []
    checks.accepts(f"{what}: openssl verify -x509_strict {' '.join(purpose)}", [*openssl, *purpose, "-untrusted", issuers, leaf], "OK")
    whole = hospital.folder / "whole.pem"
    whole.write_text(chain)
    checks.accepts(f"{what}: certtool --verify", ["certtool", "--verify", "--load-ca-certificate", hospital.root, "--infile", whole],
                   "Verified")
    by_cryptography(hospital, checks, what, pems)


def by_cryptography(hospital, checks, what, pems):
    """Python cryptography knows two purposes; others are parsed, extension by extension."""
    leaf, *issuers = [x509.load_pem_x509_certificate(pem.encode()) for pem in pems]
    root = x509.load_pem_x509_certificate(hospital.root.read_bytes())
    extensions = {extension.oid: extension.value for extension in leaf.extensions}
    usages = extensions.get(x509.ExtendedKeyUsage.oid, [])
    names = extensions.get(x509.SubjectAlternativeName.oid)
    try:
        leaf.verify_directly_issued_by(issuers[0])
        builder = PolicyBuilder().store(Store([root])).time(datetime.datetime.now(datetime.timezone.utc))
        dns = names.get_values_for_type(x509.DNSName) if names else []
        if x509.oid.ExtendedKeyUsageOID.SERVER_AUTH in usages and dns:
            builder.build_server_verifier(x509.DNSName(dns[0])).verify(leaf, issuers)
            what += ": cryptography as a TLS server"
        elif x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH in usages and names:
            builder.build_client_verifier().verify(leaf, issuers)
            what += ": cryptography as a TLS client"
        else:
            what += ": cryptography reads it and checks its signature"
        checks.that(what, True)
    except (VerificationError, ValueError, TypeError) as error:
        checks.that(f"{what}: cryptography", False, error)


def refusals(hospital, checks, tokens):
    """What must not verify: another root, a missing issuer, a wrong purpose, a changed byte, a later time."""
    chain, _ = profiles.issue(hospital, "server-tls", "ecdsa-p256", *tokens)
    pems = profiles.split_chain(chain)
    leaf, issuers = hospital.folder / "leaf.pem", hospital.folder / "issuers.pem"
    leaf.write_text(pems[0])
    issuers.write_text("".join(pems[1:]))
    verify = ["openssl", "verify", "-x509_strict", "-CAfile", hospital.root]
    checks.accepts("twin of the refusals: the chain as it is", [*verify, "-untrusted", issuers, leaf], "OK")
    checks.refuses("without the issuing authority", [*verify, leaf])
    checks.refuses("as an e-mail signer", [*verify, "-purpose", "smimesign", "-untrusted", issuers, leaf])
    later = int(datetime.datetime.now().timestamp()) + 400 * 86400
    checks.refuses("after 400 days", [*verify, "-attime", later, "-untrusted", issuers, leaf], "expired")
    other = hospital.folder / "other.pem"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Other",
         "-keyout", hospital.folder / "other.key", "-out", other])
    checks.refuses("under another root", ["openssl", "verify", "-CAfile", other, "-untrusted", issuers, leaf])
    der = bytearray(x509.load_pem_x509_certificate(pems[0].encode()).public_bytes(profiles.serialization.Encoding.DER))
    der[len(der) // 2] ^= 1
    changed = hospital.folder / "changed.der"
    changed.write_bytes(der)
    checks.refuses("with one bit changed", [*verify, "-untrusted", issuers, changed])


def own_verifier(hospital, checks, tokens):
    """`ward x509 verify` says the same as the others about the same chain."""
    chain, _ = profiles.issue(hospital, "server-tls", "ecdsa-p256", *tokens)
    pems = profiles.split_chain(chain)
    leaf, issuers = hospital.folder / "leaf.pem", hospital.folder / "issuers.pem"
    leaf.write_text(pems[0])
    issuers.write_text("".join(pems[1:]))
    ward = [hospital.binary, "x509", "verify", "--anchors", hospital.root]
    checks.accepts("ward x509 verify --name", [*ward, "--untrusted", issuers, "--name", "portal.mercy.example", leaf])
    checks.refuses("ward x509 verify, another name", [*ward, "--untrusted", issuers, "--name", "other.mercy.example", leaf])
    checks.refuses("ward x509 verify, no issuer", [*ward, "--name", "portal.mercy.example", leaf])


def main():
    checks = Checks("chains")
    with Hospital("chains") as hospital:
        tokens = (hospital.token("chains", "issuer", "admin"), hospital.token("approver", "approver"))
        for name in profiles.profile_names(hospital):
            if name in profiles.WANTED:
                for algorithm in profiles.algorithms_to_try(profiles.profile(hospital, name, tokens[0])):
                    check_profile(hospital, checks, name, algorithm, tokens)
        refusals(hospital, checks, tokens)
        own_verifier(hospital, checks, tokens)
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
