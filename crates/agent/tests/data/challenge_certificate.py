"""Makes a certificate for tls-alpn-01 (RFC 8737 §3), or one that differs from it in one way.

usage: challenge_certificate.py VARIANT IDENTIFIER KEY_AUTHORIZATION OUT.pem   (the key goes to OUT.key)
"""
import datetime
import hashlib
import ipaddress
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

variant, identifier, key_authorization, out = sys.argv[1:]

if variant == "rsa":
    key = rsa.generate_private_key(65537, 2048)
elif variant == "p384":
    key = ec.generate_private_key(ec.SECP384R1())
elif variant == "ed25519":
    key = ed25519.Ed25519PrivateKey.generate()
else:
    key = ec.generate_private_key(ec.SECP256R1())

try:
    own = x509.IPAddress(ipaddress.ip_address(identifier))
except ValueError:
    own = x509.DNSName(identifier.upper() if variant == "upper-case" else identifier)

names = {
    "other-name": [x509.DNSName("other.example")],
    "two-names": [own, x509.DNSName("other.example")],
    "name-and-address": [own, x509.IPAddress(ipaddress.ip_address("127.0.0.1"))],
    "wildcard": [x509.DNSName("*." + identifier.split(".", 1)[-1])],
}.get(variant, [own])

digest = hashlib.sha256(key_authorization.encode()).digest()
value = b"\x04\x20" + digest
if variant == "other-digest":
    value = b"\x04\x20" + hashlib.sha256(b"another.authorization").digest()
elif variant == "digest-not-wrapped":
    value = digest
elif variant == "digest-and-more":
    value = b"\x04\x21" + digest + b"\0"

subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, identifier)])
if variant == "good":
    subject = x509.Name([])
issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an issuer")]) if variant == "issued" else subject
signer = key
if variant in ("issued", "self-issued-other-key"):
    signer = ec.generate_private_key(ec.SECP256R1())

now = datetime.datetime.now(datetime.timezone.utc)
end = now + datetime.timedelta(days=-1 if variant == "expired" else 7)
builder = (
    x509.CertificateBuilder()
    .subject_name(subject)
    .issuer_name(issuer)
    .public_key(key.public_key())
    .serial_number(x509.random_serial_number())
    .not_valid_before(now - datetime.timedelta(days=2))
    .not_valid_after(end)
)
if variant != "common-name-only":
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
if variant != "no-proof":
    oid = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
    builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=variant != "not-critical")

algorithm = None if variant == "ed25519" else hashes.SHA256()
certificate = builder.sign(signer, algorithm)
with open(out, "wb") as file:
    file.write(certificate.public_bytes(serialization.Encoding.PEM))
with open(out.removesuffix(".pem") + ".key", "wb") as file:
    file.write(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
