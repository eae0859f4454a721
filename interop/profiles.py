"""One valid request for every built-in profile, made by another library (Python cryptography), and its issuance.

What the table cannot know is asked of Ward: which profiles exist, and which key algorithms each allows. A profile
that is not in the table fails the tests that use it.
"""

import ipaddress
import re
import tomllib
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
HARDWARE_MODULE = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.4")

SUBJECT = {"CN": NameOID.COMMON_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME, "serialNumber": NameOID.SERIAL_NUMBER}


@dataclass
class Wanted:
    subject: dict
    names: list = field(default_factory=list)
    # What only the API's own fields carry.
    body: dict = field(default_factory=dict)


def utf8(text):
    data = text.encode()
    return bytes([0x0C, len(data)]) + data


def hardware_module(serial):
    """RFC 4108 section 5: type 1.3.6.1.4.1.32473.1 (an example arc, RFC 5612), serial number as octets."""
    oid, value = bytes.fromhex("060a2b0601040181fd590101"), serial.encode()
    oid = bytes([0x06, 10]) + oid[2:12]
    octets = bytes([0x04, len(value)]) + value
    return bytes([0x30, len(oid) + len(octets)]) + oid + octets


def dns(*names):
    return [x509.DNSName(name) for name in names]


UUID_URI = x509.UniformResourceIdentifier("urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66")
SID = "S-1-5-21-1004336348-1177238915-682003330-1104"
WORKSTATION = "1f" * 32

WANTED = {
    "api-tls": Wanted({"CN": "api.mercy.example"}, dns("api.mercy.example")),
    "client-tls": Wanted({"CN": "worklist"}, dns("worklist.mercy.example")),
    "clinician-logon": Wanted({"CN": "Ada Example"}, [x509.OtherName(UPN, utf8("ada@mercy.example"))], {"sid": SID}),
    "code-signing": Wanted({"CN": "Mercy Clinical Applications"}),
    "device-ldevid": Wanted({"CN": "Infusion pump", "serialNumber": "SN-4711"},
                            [x509.OtherName(HARDWARE_MODULE, hardware_module("SN-4711")),
                             x509.UniformResourceIdentifier("https://id.gs1.org/01/51022222233336/21/SN-4711")]),
    "device-rsa": Wanted({"CN": "CT scanner", "serialNumber": "SN-4712"}, dns("ct-2.mercy.example")),
    "device-small": Wanted({"serialNumber": "SN-4713"}, dns("pump-13.mercy.example")),
    "dicom-node": Wanted({"CN": "PACS", "serialNumber": "SN-12"},
                         [*dns("pacs.mercy.example"), x509.IPAddress(ipaddress.ip_address("10.30.0.7"))]),
    "direct-address": Wanted({"CN": "ada@direct.mercy.example"}, [x509.RFC822Name("ada@direct.mercy.example")]),
    "direct-org": Wanted({"CN": "direct.mercy.example"}, dns("direct.mercy.example")),
    "eap-tls-client": Wanted({"CN": "laptop-7"}, [*dns("laptop-7.mercy.example"),
                                                  x509.UniformResourceIdentifier(f"tag:microsoft.com,2022-09-14:sid:{SID}")]),
    "fhir-mtls": Wanted({"CN": "fhir.mercy.example"}, dns("fhir.mercy.example")),
    "firmware-signing": Wanted({"CN": "Mercy Device Updates"}),
    "hie-gateway": Wanted({"CN": "hie.mercy.example"}, dns("hie.mercy.example")),
    "legacy-listener": Wanted({"CN": "enrol.mercy.example"}, [*dns("enrol.mercy.example"), x509.IPAddress(ipaddress.ip_address("10.30.0.5"))],
                              {"authority": "devices"}),
    "log-signing": Wanted({"CN": "Mercy audit log"}),
    "ocsp-responder": Wanted({"CN": "Mercy status"}, [], {"authority": "servers"}),
    "registration-authority": Wanted({"CN": "Mercy registration"}, [], {"authority": "devices"}),
    "radius-server": Wanted({"CN": "radius.mercy.example"}, dns("radius.mercy.example")),
    "sdc-consumer": Wanted({"CN": "Central station", "serialNumber": "SN-8"}, [UUID_URI]),
    "sdc-provider": Wanted({"CN": "Bedside monitor", "serialNumber": "SN-9"}, [UUID_URI]),
    "server-tls": Wanted({"CN": "portal.mercy.example"}, [*dns("portal.mercy.example", "*.apps.mercy.example"),
                                                          x509.IPAddress(ipaddress.ip_address("10.20.0.9"))]),
    "smime": Wanted({"CN": "Ada Example"}, [x509.RFC822Name("ada@mercy.example")]),
    "time-stamping": Wanted({"CN": "Mercy time-stamping"}),
    "tls-gateway": Wanted({"CN": "gateway-3"}, dns("mri1.mercy.example", "mri2.mercy.example")),
    "udap-client": Wanted({"CN": "Mercy scheduling"}, [x509.UniformResourceIdentifier("https://app.mercy.example/udap")]),
    "vpn-client": Wanted({"CN": "Ada Example"}, [x509.RFC822Name("ada@mercy.example")]),
    "vpn-gateway": Wanted({"CN": "vpn.mercy.example"}, dns("vpn.mercy.example")),
    "workstation-session": Wanted({"CN": "Ada Example"}, [x509.OtherName(UPN, utf8("ada@mercy.example"))],
                                  {"workstation": WORKSTATION}),
}

# Issued by other means than a request: `ward ca create` and `ward ca cross-sign`.
NOT_REQUESTED = {"sub-ca"}

EVIDENCE = [{"kind": "ticket", "text": "CHG-1001, identity seen"}]


def new_key(algorithm):
    if algorithm == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm.startswith("rsa-"):
        return rsa.generate_private_key(65537, int(algorithm.removeprefix("rsa-")))
    curve = {"ecdsa-p256": ec.SECP256R1, "ecdsa-p384": ec.SECP384R1, "ecdsa-p521": ec.SECP521R1}[algorithm]
    return ec.generate_private_key(curve())


def request_for(wanted, key):
    attributes = [x509.NameAttribute(SUBJECT[kind], value) for kind, value in wanted.subject.items()]
    builder = x509.CertificateSigningRequestBuilder(x509.Name(attributes))
    if wanted.names:
        builder = builder.add_extension(x509.SubjectAlternativeName(wanted.names), critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM).decode()


def profile_names(hospital):
    listed = hospital.ward_json("profile", "list")
    rows = listed if isinstance(listed, list) else listed["profiles"]
    return sorted(row["name"] if isinstance(row, dict) else row for row in rows)


def profile(hospital, name, token):
    """The profile's TOML as a dictionary."""
    status, _, text = hospital.rest("GET", f"/api/v1/profiles/{name}", token)
    if status != 200:
        raise SystemExit(f"profile {name}: status {status}: {text}")
    return tomllib.loads(text.decode())


def issue(hospital, name, algorithm, issuer_token, approver_token):
    """PEM chain, leaf first, of a certificate of this profile; approved by a second person where that is demanded."""
    wanted, key = WANTED[name], new_key(algorithm)
    body = {"profile": name, "csr": request_for(wanted, key), "evidence": EVIDENCE} | wanted.body
    status, _, answer = hospital.rest("POST", "/api/v1/certificates", issuer_token, body)
    if status == 202:
        status, _, answer = hospital.rest("POST", f"/api/v1/requests/{answer['request']}/approve", approver_token, {})
    if status != 201:
        raise ValueError(f"{name} with {algorithm}: status {status}: {answer}")
    return answer["chain"], key


def split_chain(pem):
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", pem, re.S)


def algorithms_to_try(definition):
    """One of each family that the profile allows: the encodings differ by family, not by size."""
    allowed = definition["keys"]["algorithms"]
    families = {}
    for algorithm in allowed:
        families.setdefault(algorithm.split("-")[0], algorithm)
    return list(families.values())
