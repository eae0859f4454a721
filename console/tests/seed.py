#!/usr/bin/env python3
"""Certificates for the browser tests: an ordinary house, and the strings that its makers should not have put into names.

  seed.py FOLDER [TIME]     writes found.csv (places with their certificates) there

Dates count from that time, or from now, so that the screens have something that ends soon.
"""

import datetime
import pathlib
import random
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.fromisoformat(sys.argv[2]) if len(sys.argv) > 2 else datetime.datetime.now(datetime.timezone.utc)
NOW = NOW.replace(microsecond=0)
DAY = datetime.timedelta(days=1)
PICK = random.Random(6)

# Unicode TR36 §2.10; CWE-79, CWE-1236; longer than any screen.
HOSTILE = [
    '<script>document.title="owned"</script>',
    '<img src=x onerror="document.title=\'owned\'">',
    "pump\u202egpj.exe",
    "pay\u200bpal\u2066.example\u2069",
    "line\none\u0000\u001b[31mred",
    "A" * 10_000,
    '=HYPERLINK("https://evil.example","click")',
    "בית חולים מרסי",
    "javascript:alert(1)",
]
KINDS = [("pump", "icu", "biomed"), ("monitor", "icu", "biomed"), ("pacs", "imaging", "radiology"), ("ct", "imaging", "radiology"),
         ("ehr", "administrative", "ehr-team"), ("badge", "administrative", ""), ("portal", "dmz", "network"), ("mirth", "administrative", "integration")]


def name(common, organization="Mercy Hospital"):
    attributes = [(NameOID.COMMON_NAME, common), (NameOID.ORGANIZATION_NAME, organization)]
    # Names are as their makers wrote them, beyond X.520's upper bounds too.
    return x509.Name([x509.NameAttribute(kind, value, _validate=False) for kind, value in attributes])


def certificate(subject, key, issuer, signer, days, begins=-200, authority=False, host=None):
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + min(begins, days - 100) * DAY)
        .not_valid_after(NOW + days * DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if host:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def main():
    folder = pathlib.Path(sys.argv[1])
    root_key, issuing_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    weak = rsa.generate_private_key(65537, 1024)
    root = certificate(name("Device Root R1", "Fluidic GmbH"), root_key, name("Device Root R1", "Fluidic GmbH"), root_key, 3650, authority=True)
    issuing = certificate(name("Device Issuing 2", "Fluidic GmbH"), issuing_key, root.subject, root_key, 1800, authority=True)
    found = [("10.10.0.1", 443, root, "biomed", "prod"), ("10.10.0.2", 443, issuing, "biomed", "prod")]
    for number in range(140):
        kind, segment, owner = KINDS[number % len(KINDS)]
        host = f"{kind}-{number:03}.{segment}.mercy.example"
        days = PICK.choice([-40, -3, 5, 12, 20, 26, 45, 70, 110, 160, 220, 300, 420, 540, 700])
        own = number % 11 == 5
        used = weak if number % 17 == 3 else ec.generate_private_key(ec.SECP256R1()) if number % 5 else key
        subject = name(host)
        made = certificate(subject, used, subject if own else issuing.subject, used if own else issuing_key, days, host=host)
        found.append((f"10.{10 + number % 4 * 10}.{number // 40}.{number % 200 + 10}", 443, made, owner, "test" if number % 13 == 0 else "prod"))
    for number, text in enumerate(HOSTILE):
        made = certificate(name(text), key, issuing.subject, issuing_key, 33 + number, host=f"hostile-{number}.mercy.example")
        found.append((f"10.30.9.{number + 1}", 8443, made, "security", "prod"))
    with open(folder / "found.csv", "w", encoding="utf-8") as table:
        table.write("Server,Port,Certificate,Owner,Env\n")
        for host, port, made, owner, environment in found:
            pem = made.public_bytes(serialization.Encoding.PEM).decode().strip()
            # A cell has at most 8,192 bytes: what is longer comes as a file.
            if len(pem) < 8000:
                table.write(f'{host},{port},"{pem}",{owner},{environment}\n')
            else:
                (folder / "long.pem").write_text(pem + "\n")


main()
