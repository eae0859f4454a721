"""Makes attestation statements with a software TPM: tpm.json beside this file.

Needs swtpm, tpm2-tools and Python's `cryptography`; the tests only need what it wrote. The TPM itself
certifies the keys (TPM2_Certify is sent as bytes, because tpm2_certify has no option for the qualifying
data), so that nothing in the structures comes from the code under test.

usage: make_tpm.py WORKDIR
"""
import datetime
import hashlib
import json
import os
import pathlib
import struct
import subprocess
import sys
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID

work = pathlib.Path(sys.argv[1])
work.mkdir(parents=True, exist_ok=True)
port = 24321
os.environ["TPM2TOOLS_TCTI"] = f"swtpm:host=127.0.0.1,port={port}"

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
KEY_AUTHORIZATION = TOKEN + ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
SERIAL = "WARD-0042"


def run(*command, **more):
    # There is no resource manager; contexts are in files, so that nothing need stay loaded.
    if command[0].startswith("tpm2_"):
        subprocess.run(["tpm2_flushcontext", "-t"], cwd=work, capture_output=True)
        subprocess.run(["tpm2_flushcontext", "-s"], cwd=work, capture_output=True)
    return subprocess.run(command, check=True, cwd=work, capture_output=True, **more).stdout


def cbor(value):
    def head(major, n):
        if n < 24:
            return bytes([major << 5 | n])
        if n < 256:
            return bytes([major << 5 | 24, n])
        return bytes([major << 5 | 25]) + struct.pack(">H", n)

    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value)) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())


def certify(key, ak, qualifying):
    password = bytes.fromhex("40000009 0000 00 0000")
    body = struct.pack(">II", key, ak) + struct.pack(">I", 18) + password * 2
    body += struct.pack(">H", len(qualifying)) + qualifying + struct.pack(">H", 0x0010)
    command = struct.pack(">HII", 0x8002, 10 + len(body), 0x148) + body
    answer = run("tpm2_send", input=command)
    code = struct.unpack(">I", answer[6:10])[0]
    assert code == 0, hex(code)
    at = 14

    def sized(at):
        n = struct.unpack(">H", answer[at : at + 2])[0]
        return answer[at + 2 : at + 2 + n], at + 2 + n

    info, at = sized(at)
    algorithm = struct.unpack(">H", answer[at : at + 2])[0]
    at += 4
    first, at = sized(at)
    if algorithm == 0x0014:
        return info, first
    second, _ = sized(at)
    return info, encode_dss_signature(int.from_bytes(first, "big"), int.from_bytes(second, "big"))


def tcg_names():
    oid = x509.ObjectIdentifier
    return x509.DirectoryName(
        x509.Name(
            [
                x509.NameAttribute(oid("2.23.133.2.1"), "id:00001014"),
                x509.NameAttribute(oid("2.23.133.2.2"), "swtpm"),
                x509.NameAttribute(oid("2.23.133.2.3"), "id:20191023"),
            ]
        )
    )


def device_names():
    # PermanentIdentifier { "WARD-0042" } and HardwareModuleName { 1.2.3.4, "WARD-0042" }.
    text = SERIAL.encode()
    permanent = b"\x0c" + bytes([len(text)]) + text
    permanent = b"\x30" + bytes([len(permanent)]) + permanent
    module = b"\x06\x03\x2a\x03\x04\x04" + bytes([len(text)]) + text
    module = b"\x30" + bytes([len(module)]) + module
    oid = x509.ObjectIdentifier
    return [
        x509.OtherName(oid("1.3.6.1.5.5.7.8.3"), permanent),
        x509.OtherName(oid("1.3.6.1.5.5.7.8.4"), module),
    ]


def certificate(key, issuer_key, issuer, subject, extensions):
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2026, 1, 1))
        .not_valid_after(datetime.datetime(2076, 1, 1))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def ak_extensions(ak, root, drop=None, ca=False):
    usage = x509.KeyUsage(True, *[False] * 8)
    purposes = x509.ExtendedKeyUsage([x509.ObjectIdentifier("2.23.133.8.3")])
    names = ([] if drop == "tcg" else [tcg_names()]) + ([] if drop == "device" else device_names())
    extensions = [(x509.BasicConstraints(ca, None), True), (usage, True)]
    if drop != "purpose":
        extensions.append((purposes, False))
    extensions.append((x509.SubjectAlternativeName(names), True))
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
    extensions.append((identifier, False))
    return extensions


def attest(alg, ak_certificate, pub_area, info, signature):
    statement = {
        "ver": "2.0",
        "alg": alg,
        "x5c": [ak_certificate.public_bytes(serialization.Encoding.DER)],
        "sig": signature,
        "certInfo": info,
        "pubArea": pub_area,
    }
    return cbor({"fmt": "tpm", "attStmt": statement}).hex()


swtpm = subprocess.Popen(
    ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={work}", "--flags", "startup-clear"]
    + ["--server", f"type=tcp,port={port}", "--ctrl", f"type=tcp,port={port + 1}"]
)
try:
    time.sleep(1)
    root = ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test attestation CA")])
    root_certificate = certificate(
        root.public_key(), root, root_name, root_name,
        [
            (x509.BasicConstraints(True, None), True),
            (x509.KeyUsage(False, False, False, False, False, True, True, False, False), True),
            (x509.SubjectKeyIdentifier.from_public_key(root.public_key()), False),
        ],
    )
    run("tpm2_createprimary", "-C", "o", "-c", "primary.ctx")
    run("tpm2_createek", "-G", "ecc", "-c", "ek.ctx")
    vectors = []
    bound = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign"
    handle = 0x81010010
    for label, ak_kind, scheme, alg, key_kind, attributes in [
        ("ecc", "ecc", "ecdsa", -7, "ecc256:ecdsa-sha256", bound),
        ("rsa", "rsa", "rsassa", -257, "rsa2048", bound),
        ("p384", "ecc", "ecdsa", -7, "ecc384", bound),
        ("exportable", "ecc", "ecdsa", -7, "ecc256", "sensitivedataorigin|userwithauth|sign"),
    ]:
        run("tpm2_createak", "-C", "ek.ctx", "-c", "ak.ctx", "-G", ak_kind, "-g", "sha256", "-s", scheme)
        run("tpm2_create", "-C", "primary.ctx", "-G", key_kind, "-a", attributes, "-u", "k.pub", "-r", "k.priv")
        run("tpm2_load", "-C", "primary.ctx", "-u", "k.pub", "-r", "k.priv", "-c", "k.ctx")
        ak_handle, key_handle = handle, handle + 1
        handle += 2
        run("tpm2_evictcontrol", "-C", "o", "-c", "ak.ctx", hex(ak_handle))
        run("tpm2_evictcontrol", "-C", "o", "-c", "k.ctx", hex(key_handle))
        run("tpm2_readpublic", "-c", hex(ak_handle), "-f", "pem", "-o", "ak.pem")
        run("tpm2_readpublic", "-c", hex(key_handle), "-f", "der", "-o", "k.der")
        ak_key = serialization.load_pem_public_key((work / "ak.pem").read_bytes())
        pub_area = (work / "k.pub").read_bytes()[2:]
        digest = hashlib.sha256(KEY_AUTHORIZATION.encode()).digest()
        info, signature = certify(key_handle, ak_handle, digest)
        empty = x509.Name([])

        def ak_certificate(**how):
            return certificate(ak_key, root, root_name, empty, ak_extensions(ak_key, root, **how))

        good = ak_certificate()
        vector = {
            "label": label,
            "attestation_object": attest(alg, good, pub_area, info, signature),
            "spki": (work / "k.der").read_bytes().hex(),
        }
        vectors.append(vector)
        if label != "ecc":
            continue
        refused = {}
        other_info, other_signature = certify(key_handle, ak_handle, hashlib.sha256(b"another.authorization").digest())
        refused["another challenge"] = attest(alg, good, pub_area, other_info, other_signature)
        refused["a signature over something else"] = attest(alg, good, pub_area, other_info, signature)
        refused["another key in pubArea"] = attest(alg, good, pub_area[:-1] + bytes([pub_area[-1] ^ 1]), info, signature)
        refused["another algorithm"] = attest(-257, good, pub_area, info, signature)
        refused["SHA-1"] = attest(-65535, good, pub_area, info, signature)
        for how in ({"drop": "tcg"}, {"drop": "purpose"}, {"drop": "device"}, {"ca": True}):
            name = " ".join(f"{k} {v}" for k, v in how.items())
            refused[f"AK certificate: {name}"] = attest(alg, ak_certificate(**how), pub_area, info, signature)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an AK")])
        named = certificate(ak_key, root, root_name, subject, ak_extensions(ak_key, root))
        refused["AK certificate: a subject"] = attest(alg, named, pub_area, info, signature)
        stranger = ec.generate_private_key(ec.SECP256R1())
        foreign = certificate(ak_key, stranger, root_name, empty, ak_extensions(ak_key, stranger))
        refused["AK certificate: of another CA"] = attest(alg, foreign, pub_area, info, signature)
        # A quote of the TPM instead of a certification: same AK, right challenge, says nothing of a key.
        run("tpm2_quote", "-c", hex(ak_handle), "-l", "sha256:0", "-q", digest.hex(), "-m", "q.msg", "-s", "q.sig", "-f", "plain")
        refused["a quote"] = attest(alg, good, pub_area, (work / "q.msg").read_bytes(), (work / "q.sig").read_bytes())

    # Apple's devices: extensions with bare octets, freshness code = SHA-256 of the token.
    def apple(code, chain_root=root, serial=SERIAL.encode()):
        key = ec.generate_private_key(ec.SECP384R1())
        oid = x509.ObjectIdentifier
        extensions = [(x509.BasicConstraints(False, None), True), (x509.KeyUsage(True, *[False] * 8), True)]
        for last, value in (("9.1", serial), ("9.2", b"00008103-000000000000001E"), ("11.1", code)):
            extensions.append((x509.UnrecognizedExtension(oid(f"1.2.840.113635.100.8.{last}"), value), False))
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "attested key")])
        leaf = certificate(key.public_key(), chain_root, root_name, name, extensions)
        der = leaf.public_bytes(serialization.Encoding.DER)
        spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return cbor({"fmt": "apple", "attStmt": {"x5c": [der]}}).hex(), spki.hex()

    code = hashlib.sha256(TOKEN.encode()).digest()
    object_, spki = apple(code)
    vectors.append({"label": "apple", "attestation_object": object_, "spki": spki})
    refused["apple: another challenge"] = apple(hashlib.sha256(b"another").digest())[0]
    refused["apple: no freshness code"] = apple(b"")[0]
    refused["apple: another device"] = apple(code, serial=b"OTHER")[0]
    refused["apple: of another CA"] = apple(code, chain_root=ec.generate_private_key(ec.SECP256R1()))[0]

    document = {
        "token": TOKEN,
        "key_authorization": KEY_AUTHORIZATION,
        "permanent_identifier": SERIAL,
        "hardware_module": SERIAL + "/1.2.3.4",
        "root": root_certificate.public_bytes(serialization.Encoding.DER).hex(),
        "vectors": vectors,
        "refused": refused,
    }
    out = pathlib.Path(__file__).with_name("tpm.json")
    out.write_text(json.dumps(document, indent=1) + "\n")
finally:
    swtpm.terminate()
    swtpm.wait()
