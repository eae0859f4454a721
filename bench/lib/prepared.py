"""Prepared requests: P-256 certificate requests as each server's JSON, OCSP requests as DER."""

import base64
import json
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp


def certificate_requests(count):
    """PEM requests, each with a key and a name of its own."""
    requests = []
    for number in range(count):
        key = ec.generate_private_key(ec.SECP256R1())
        name = f"node-{number:05}.ward.example"
        builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        requests.append(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode())
    return requests


def write_bodies(path, bodies):
    """One base64 line a body, as loadgen reads them."""
    lines = [base64.b64encode(body if isinstance(body, bytes) else json.dumps(body).encode()).decode() for body in bodies]
    path.write_text("\n".join(lines) + "\n")
    return path


def ocsp_requests(issuer_pem, serials, nonce=None):
    issuer = x509.load_pem_x509_certificate(issuer_pem.encode() if isinstance(issuer_pem, str) else issuer_pem)
    name_hash, key_hash = issuer_hashes(issuer)
    requests = []
    for serial in serials:
        builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name_hash, key_hash, serial, hashes.SHA1())
        if nonce:
            builder = builder.add_extension(x509.OCSPNonce(nonce(serial)), critical=False)
        requests.append(builder.build().public_bytes(serialization.Encoding.DER))
    return requests


def issuer_hashes(issuer):
    """RFC 6960 §4.1.1: SHA-1 over the issuer's name and over its key's bit string."""
    def sha1(data):
        digest = hashes.Hash(hashes.SHA1())
        digest.update(data)
        return digest.finalize()
    return sha1(issuer.subject.public_bytes()), x509.SubjectKeyIdentifier.from_public_key(issuer.public_key()).digest


def get_paths(prefix, requests):
    """RFC 6960 appendix A.1: the request in base64, URL-encoded, behind the responder's path."""
    return [f"{prefix}/{urllib.parse.quote(base64.b64encode(request), safe='')}" for request in requests]
