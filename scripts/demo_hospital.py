#!/usr/bin/env python3
"""Fills a running Ward with a hospital that does not exist: about 1,200 certificates in four segments at four sites, devices,
owners, flows of health information, requests that wait, findings of every sort. Everything goes in by the public API and the
command line, as people and machines would bring it in. Names, dates and numbers follow from --seed; RSA keys do not.

  scripts/demo_hospital.py --ward target/debug/ward --data ./ward-data --url https://127.0.0.1:8443

Needs the cryptography package (`make deps` puts it into .tmp/venv).
"""

import argparse
import base64
import datetime
import hashlib
import http.client
import ipaddress
import json
import pathlib
import random
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID as Access
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
ZONE = "northmere.example"
SITES = ["northmere-main", "eastgate", "harbour-clinic", "data-centre"]
# name, range, site, owner, ports, life support may be touched, signed
SEGMENTS = [
    ("clinical", "10.10.0.0/16", "northmere-main", "integration", ["443", "2762", "8443", "6661-6664"], False, True),
    ("administrative", "10.20.0.0/16", "eastgate", "platform", ["443", "636", "8443", "3389"], False, True),
    ("dmz", "192.168.1.0/24", "data-centre", "network", ["443", "25/smtp"], False, True),
    ("devices", "10.30.0.0/16", "northmere-main", "biomed", ["443", "8883"], False, False),
]
PREFIX = {"clinical": "10.10", "administrative": "10.20", "devices": "10.30"}
# TLS as servers were seen to speak it, by IANA's numbers of suites.
MODERN = {"versions": [{"version": "tls1.2", "suites": [0xC02F, 0xC030], "server_order": True, "complete": True},
                       {"version": "tls1.3", "suites": [0x1301, 0x1302], "complete": True}],
          "negotiated": ["tls1.3", 0x1301], "group": 29, "groups": [29, 23]}
PLAIN12 = {"versions": [{"version": "tls1.2", "suites": [0xC02F, 0x009C, 0x002F], "server_order": True, "complete": True}],
           "negotiated": ["tls1.2", 0xC02F], "renegotiation_info": True, "extended_master_secret": True}
OLD = {"versions": [{"version": "tls1.0", "suites": [0x002F, 0x0035, 0x000A], "complete": True},
                    {"version": "tls1.1", "suites": [0x002F, 0x0035], "complete": True},
                    {"version": "tls1.2", "suites": [0x002F, 0x0035], "complete": True}],
       "negotiated": ["tls1.2", 0x002F], "renegotiation_info": False, "extended_master_secret": False}
BROKEN = {"versions": [{"version": "ssl3.0", "suites": [0x0005, 0x000A], "complete": True},
                       {"version": "tls1.0", "suites": [0x0005, 0x000A, 0x0016], "complete": True}],
          "negotiated": ["tls1.0", 0x0005], "compression": 1, "renegotiation_info": False, "key_exchange_bits": 1024}


class Api:
    """One connection that is kept; answers are JSON, and what is not well ends the program with what Ward said."""

    def __init__(self, url, anchors, token):
        parts = urllib.parse.urlsplit(url)
        context = ssl.create_default_context(cafile=str(anchors))
        self.connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=context, timeout=60)
        self.token = token

    def call(self, method, path, body=None, kind="application/json", accept=(200, 201, 202, 204), headers=None):
        headers = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        if body is not None:
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers["Content-Type"] = kind
        for attempt in (1, 2):
            try:
                self.connection.request(method, path, body, headers)
                answer = self.connection.getresponse()
                content = answer.read()
                break
            except (http.client.HTTPException, OSError):
                self.connection.close()
                if attempt == 2:
                    raise
        if answer.status not in accept:
            sys.exit(f"{method} {path} answered {answer.status}: {content.decode(errors='replace')[:2000]}")
        return json.loads(content) if content and "json" in answer.getheader("Content-Type", "") else content


class Hospital:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ward-demo-"))
        self.lines = []
        self.serial = 0
        self.used = set()
        self.anchors = self.folder / "root.pem"
        self.ward("ca", "export", "root", "--out", self.anchors)
        self.officer, self.approver = self.person("registration", "issuer"), self.person("second-pair-of-eyes", "approver")
        self.admin = self.person("pki", "admin")
        self.person("compliance", "auditor", file=True)
        self.person("wallboard", "read-only", file=True)

    # --- talking to Ward

    def ward(self, *arguments):
        command = [str(part) for part in (self.options.ward, *arguments, "--data", self.options.data)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(command)} exited {done.returncode}:\n{done.stdout}")
        return done.stdout

    def person(self, name, role, file=False):
        """A credential with this role. Tokens that are kept lie in the folder, readable by their owner alone."""
        path = self.folder / f"token-{role}"
        self.ward("token", "create", "--name", name, "--role", role, "--days", "7", "--out", path)
        if file:
            return None
        return Api(self.options.url, self.anchors, path.read_text().strip())

    # --- keys and certificates of others

    def key(self, kind="ec"):
        """EC keys follow from the seed."""
        self.serial += 1
        if kind.startswith("rsa"):
            return rsa.generate_private_key(public_exponent=65537, key_size=int(kind[4:]))
        scalar = hashlib.sha256(f"{self.options.seed}/{self.serial}".encode()).digest()
        return ec.derive_private_key(int.from_bytes(scalar) % (2**255) + 1, ec.SECP256R1())

    def made(self, subject, issuer=None, *, begin=-60, days=365, names=(), ca=False, key=None, policy=None, ocsp=True, purpose=(Purpose.SERVER_AUTH,)):
        """A certificate by `issuer` (or itself): subject is a list of (attribute, text)."""
        self.serial += 1
        key = key or self.key()
        name = x509.Name([x509.NameAttribute(getattr(NameOID, attribute), text) for attribute, text in subject])
        by, by_key = (issuer["certificate"].subject, issuer["key"]) if issuer else (name, key)
        number = int.from_bytes(hashlib.sha256(f"serial/{self.options.seed}/{self.serial}".encode()).digest()[:15]) | 1
        built = (x509.CertificateBuilder().subject_name(name).issuer_name(by).public_key(key.public_key()).serial_number(number)
                 .not_valid_before(NOW + begin * DAY).not_valid_after(NOW + (begin + days) * DAY)
                 .add_extension(x509.BasicConstraints(ca, None), True)
                 .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
                 .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by_key.public_key()), False)
                 .add_extension(x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False), True))
        if names:
            built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), False)
        if not ca:
            built = built.add_extension(x509.ExtendedKeyUsage(list(purpose)), False)
            if ocsp and issuer:
                where = x509.UniformResourceIdentifier(f"http://ocsp.{issuer['zone']}/")
                built = built.add_extension(x509.AuthorityInformationAccess([x509.AccessDescription(Access.OCSP, where)]), False)
        if policy:
            built = built.add_extension(x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(policy), None)]), False)
        return {"certificate": built.sign(by_key, hashes.SHA256()), "key": key, "zone": "vendor.example"}

    def old_fashioned(self, name, bits=2048, digest="sha1", days=3650):
        """Signed with SHA-1 by itself, as OpenSSL still makes it when asked."""
        out = self.folder / "old.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", f"rsa:{bits}", "-nodes", f"-{digest}", "-keyout", self.folder / "old.key", "-out", out,
                        "-days", str(days), "-subj", f"/O=Lumascan Imaging/CN={name}"], check=True, stderr=subprocess.DEVNULL)
        return x509.load_pem_x509_certificate(out.read_bytes())

    def authorities(self):
        def authority(common, organization, zone, issuer=None, kind="ec"):
            made = self.made([("ORGANIZATION_NAME", organization), ("COMMON_NAME", common)], issuer, begin=-900, days=3650, ca=True, key=self.key(kind))
            return {**made, "zone": zone}

        ad_root = authority("NORTHMERE-ROOT-CA", "Northmere", "pki.northmere.example", kind="rsa-2048")
        web_root = authority("Aldercross Web Root R2", "Aldercross Trust Services", "aldercross.example")
        self.others = {
            "directory": [authority("NORTHMERE-DC01-CA", "Northmere", "pki.northmere.example", ad_root, "rsa-2048"), ad_root],
            "web": [authority("Aldercross Web DV 7", "Aldercross Trust Services", "aldercross.example", web_root), web_root],
            "fluidic": [authority("Fluidic Device CA 2", "Fluidic", "fluidic.example")],
            "lumascan": [authority("Lumascan Modality CA", "Lumascan Imaging", "lumascan.example")],
        }

    # --- what was seen

    def address(self, segment):
        while True:
            if segment == "dmz":
                address = f"192.168.1.{self.random.randrange(2, 250)}"
            else:
                address = f"{PREFIX[segment]}.{self.random.randrange(0, 40)}.{self.random.randrange(2, 250)}"
            if address not in self.used:
                self.used.add(address)
                return address

    def see(self, chain, segment, *, port=443, tls=MODERN, sni=None, address=None, days=None, outcome=None):
        """Somebody looked there so many days ago; and, where that is long ago, looked again yesterday."""
        days = self.random.randrange(1, 45) if days is None else days
        place = {"kind": "network", "address": address or self.address(segment), "port": port}
        if sni:
            place["sni"] = sni
        line = {"v": 1, "from": f"agent-{segment}", "how": "scan", "place": place, "outcome": outcome or {"kind": "certificate"}}
        if chain:
            line["chain"] = [base64.b64encode(one if isinstance(one, bytes) else der(one)).decode() for one in chain]
            line["tls"] = tls
        for ago in sorted({days, min(days, 1)}, reverse=True):
            at = NOW - ago * DAY + self.random.randrange(-40000, 0) * datetime.timedelta(seconds=1)
            self.lines.append({**line, "at": int(at.timestamp() * 1000)})
        return place["address"]

    def lie(self, chain, host, path, days=3):
        at = int((NOW - days * DAY).timestamp() * 1000)
        for number, one in enumerate(chain):
            self.lines.append({"v": 1, "at": at, "from": "file walk", "how": "file", "outcome": {"kind": "certificate"},
                               "place": {"kind": "file", "host": host, "path": path if not number else f"{path}.{number}"},
                               "chain": [base64.b64encode(one if isinstance(one, bytes) else der(one)).decode()]})

    def hand_in(self):
        body = "\n".join(json.dumps(line) for line in self.lines).encode()
        self.lines = []
        return self.officer.call("POST", "/api/v1/inventory/observations?source=demo&dry_run=false", body, "application/x-ndjson")


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def pem_chain(text):
    """PEM to DER, in its order."""
    return [der(one) for one in x509.load_pem_x509_certificates(text.encode())]


# --- the hospital, part by part ------------------------------------------------------------------


def segments(house):
    for name, network, site, owner, ports, life_support, signed in SEGMENTS:
        wanted = {"name": name, "site": site, "owner": owner, "ranges": [network], "ports": ports, "rate": 20.0, "pause_ms": 200, "depth": "suites",
                  "hours": ["daily 01:00-04:00"], "zone": "Europe/London", "life_support": life_support, "silent": 1, "unplaced": True,
                  "exclude": [{"range": network.replace("0.0/16", "39.0/24"), "rule": f"{owner}: being moved"}] if network.endswith("/16") else []}
        stored = house.officer.call("POST", "/api/v1/segments", wanted)
        if signed:
            house.approver.call("POST", f"/api/v1/segments/{name}/sign", {"version": stored["version"], "note": "CHG-2041"})


MODELS = [
    # kind, manufacturer, model, how many, owner, department, criticality, phi, renewal, segment
    ("device", "Fluidic", "Drip 3", 120, "biomed", "ICU", "life-support", False, "automatic", "devices"),
    ("device", "Aerovent", "Breeze 7", 24, "biomed", "ICU", "life-support", False, "spare", "devices"),
    ("device", "Cardimon", "Bedside M2", 70, "biomed", "Cardiology", "high", True, "automatic", "devices"),
    ("device", "Lumascan", "CT Orion", 12, "radiology", "Radiology", "high", True, "manual", "clinical"),
    ("device", "Hemolyt", "Analyser 900", 18, "laboratory", "Laboratory", "high", True, "manual", "clinical"),
    ("server", "", "", 70, "platform", "IT", "medium", False, "automatic", "administrative"),
    ("workstation", "", "", 30, "platform", "Wards", "medium", True, "automatic", "clinical"),
]


def assets(house):
    """The register, as the asset system exports it."""
    rows = ["source,serial,kind,manufacturer,model,host_names,owner,site,department,segment,criticality,phi,renewal,service_life_ends,clock"]
    house.assets = []
    number = 0
    for kind, maker, model, many, owner, department, criticality, phi, renewal, segment in MODELS:
        for count in range(many):
            number += 1
            serial = f"{(maker or kind)[:3].upper()}-{20000 + number}"
            host = f"{(model.split()[0] if model else kind).lower()}-{count + 1:03}.{segment}.{ZONE}"
            ends = (NOW + house.random.randrange(500, 3500) * DAY).date()
            # Some assets were never given to anybody.
            owner_now = "" if house.random.random() < 0.06 else owner
            site = SITES[house.random.randrange(3)] if kind != "server" else "data-centre"
            clock = "none" if maker == "Fluidic" and count % 9 == 0 else "good"
            rows.append(f"CM-{number:05},{serial},{kind},{maker},{model},{host},{owner_now},{site},{department},{segment},{criticality},"
                        f"{'yes' if phi else 'no'},{renewal},{ends},{clock}")
            house.assets.append({"serial": serial, "host": host, "kind": kind, "maker": maker, "segment": segment, "renewal": renewal})
    table = house.folder / "cmms.csv"
    table.write_text("\n".join(rows) + "\n")
    house.ward("asset", "import", table)


def owners(house):
    rules = [
        {"name": "portals", "when": {"names": [f"*.portal.{ZONE}"]}, "give": {"owner": "web", "patient_facing": True, "phi": True, "tags": ["renewal-automatic"]}},
        {"name": "web", "when": {"issuers": ["*Aldercross*"]}, "give": {"owner": "web", "tags": ["renewal-automatic", "public"]}},
        {"name": "record", "when": {"names": [f"*.ehr.{ZONE}"]}, "give": {"owner": "integration", "phi": True, "criticality": "high", "tags": ["ehr"]}},
        {"name": "pictures", "when": {"names": [f"*.pacs.{ZONE}"]}, "give": {"owner": "radiology", "phi": True, "criticality": "high"}},
        {"name": "test", "when": {"names": [f"*.test.{ZONE}"]}, "give": {"owner": "platform", "environment": "test"}},
        {"name": "directory", "when": {"issuers": ["*NORTHMERE-DC01-CA*"], "segments": ["administrative"]}, "give": {"owner": "platform"}},
        {"name": "pumps", "when": {"issuers": ["*O=Fluidic*"]}, "give": {"owner": "biomed", "vendor": "Fluidic", "criticality": "life-support"}},
        {"name": "gate", "when": {"segments": ["dmz"]}, "give": {"owner": "network"}},
    ]
    for rule in rules:
        house.officer.call("POST", "/api/v1/owner-rules", rule)


def flows(house):
    system = lambda name, kind, **more: {"name": name, "kind": kind, **more}
    flow = lambda name, start, end, protocol, port, **more: {"name": name, "from": start, "to": end, "protocol": protocol, "ports": [port], **more}
    house.officer.call("POST", "/api/v1/flow-map?dry_run=false", {
        "systems": [
            system("Health record", "ehr", phi=True, criticality="high", owner="integration", addresses=["10.10.0.10-10.10.0.13"]),
            system("Patient portal", "portal", phi=True, patient_facing=True, owner="web", addresses=["192.168.1.10-192.168.1.12"]),
            system("Picture archive", "imaging", phi=True, criticality="high", owner="radiology", addresses=["10.10.0.20-10.10.0.21"]),
            system("CT scanners", "imaging", phi=True, owner="radiology", addresses=["10.10.30.0/28"]),
            system("Interface engine", "integration", phi=True, criticality="high", owner="integration", addresses=["10.10.0.30"]),
            system("Laboratory system", "laboratory", phi=True, owner="laboratory", addresses=["10.10.0.40"]),
            system("Pump gateway", "devices", criticality="life-support", owner="biomed", addresses=["10.30.0.10"]),
            system("Monitoring centre", "devices", phi=True, criticality="life-support", patient_facing=True, owner="biomed", addresses=["10.30.0.20"]),
            system("Pharmacy", "pharmacy", phi=True, owner="pharmacy", addresses=["10.10.0.50"]),
            system("Directory", "infrastructure", criticality="high", owner="platform", addresses=["10.20.0.10"]),
            system("Health exchange", "partner", phi=True, addresses=["192.168.1.40"]),
        ],
        "flows": [
            flow("Portal reads the record", "Patient portal", "Health record", "fhir", 8443, mutual=True),
            flow("Patients to the portal", "Health exchange", "Patient portal", "https", 443),
            flow("Pictures are archived", "CT scanners", "Picture archive", "dicom", 2762),
            flow("Orders and results", "Interface engine", "Laboratory system", "hl7", 6661),
            flow("Engine to the record", "Interface engine", "Health record", "fhir", 8443, mutual=True),
            flow("Prescriptions", "Health record", "Pharmacy", "hl7", 6662),
            flow("Drug libraries", "Pump gateway", "Pharmacy", "https", 8444, phi=False),
            flow("Vital signs", "Monitoring centre", "Health record", "hl7", 6663),
            flow("Sign in", "Health record", "Directory", "ldap", 636, phi=False),
            flow("Exchange of summaries", "Health exchange", "Health record", "xdr", 8445, mutual=True),
        ],
    })


def issue(house, profile, common, names, *, days=None, generate="ecdsa-p256", who=None, evidence=(), subject=None, accept=(201,)):
    body = {"profile": profile, "generate": generate, "subject": subject or f"CN={common}", "names": names, "evidence": list(evidence)}
    if days:
        body["days"] = days
    return (who or house.officer).call("POST", "/api/v1/certificates", body, accept=accept)


def issued(house):
    """What Ward issues by REST: servers, interfaces, modalities, portals. Ends are spread over the next year and a half."""
    house.chains = {}
    made = []

    def one(profile, host, segment, port, tls=MODERN, days=None, address=None, served=True):
        days = days or max(2, min(360, int(house.random.triangular(2, 380, 240))))
        answer = issue(house, profile, host, [f"dns:{host}"], days=days)
        chain = pem_chain(answer["chain"])
        if served:
            house.see(chain, segment, port=port, tls=tls, sni=host, address=address)
        made.append(answer["sha256"])
        house.chains[host] = chain

    for number, address in enumerate(["10.10.0.10", "10.10.0.11", "10.10.0.12", "10.10.0.13"]):
        one("fhir-mtls", f"fhir{number + 1}.ehr.{ZONE}", "clinical", 8443, address=address, days=[21, 190, 240, 300][number])
    for number, address in enumerate(["192.168.1.10", "192.168.1.11", "192.168.1.12"]):
        one("server-tls", f"p{number + 1}.portal.{ZONE}", "dmz", 443, address=address, days=[12, 88, 150][number])
    for number, address in enumerate(["10.10.0.20", "10.10.0.21"]):
        one("dicom-node", f"archive{number + 1}.pacs.{ZONE}", "clinical", 2762, address=address, days=[27, 260][number])
    one("server-tls", f"lab.{ZONE}", "clinical", 6661, address="10.10.0.40", days=45)
    one("server-tls", f"monitoring.{ZONE}", "devices", 443, address="10.30.0.20", days=33)
    one("server-tls", f"ldap.{ZONE}", "administrative", 636, address="10.20.0.10", days=210)
    for number in range(230):
        segment = house.random.choices(["administrative", "clinical", "dmz"], [6, 3, 1])[0]
        label = house.random.choice(["app", "intranet", "api", "print", "files", "wiki", "rota", "mail"])
        zone = f"test.{ZONE}" if number % 17 == 0 else ZONE
        one("server-tls", f"{label}{number:03}.{zone}", segment, 443, tls=house.random.choices([MODERN, PLAIN12], [4, 1])[0])
    for number in range(70):
        one("fhir-mtls", f"iface{number:03}.ehr.{ZONE}", "clinical", 8443)
    for number in range(50):
        one("dicom-node", f"node{number:03}.pacs.{ZONE}", "clinical", 2762)
    for number in range(130):
        host = f"ws{number:03}.wards.{ZONE}"
        answer = issue(house, "eap-tls-client", host, [f"dns:{host}"], days=house.random.randrange(20, 360))
        made.append(answer["sha256"])
    house.issued = made


def revoked(house):
    """Some is revoked; three of them are still served, because nobody has put the new ones in."""
    victims = house.random.sample(house.issued[12:], 26)
    reasons = ["superseded", "cessationOfOperation", "keyCompromise", "affiliationChanged"]
    for sha256 in victims:
        house.officer.call("POST", f"/api/v1/certificates/{sha256}/revoke", {"reason": house.random.choice(reasons), "why": "INC-1187"})


def enrolled(house, many):
    """Devices ask for themselves, over EST with passwords from their labels."""
    house.admin.call("POST", "/api/v1/enrolment/endpoints", {"name": "bedside", "profile": "device-ldevid", "protocols": {"est": True}}, accept=(201, 422))
    automatic = [one for one in house.assets if one["kind"] == "device" and one["renewal"] == "automatic"]
    chosen = house.random.sample(automatic, min(many, len(automatic)))
    known = {}
    after = ""
    while True:
        page = house.officer.call("GET", f"/api/v1/assets?kind=device&limit=1000{after}")
        known.update({one["asset"]["serial"]: one["asset"]["id"] for one in page["assets"]})
        if not page["next"]:
            break
        after = f"&after={page['next']}"
    house.ids = known
    for one in chosen:
        right = house.admin.call("POST", "/api/v1/enrolment/rights", {"endpoint": "bedside", "for": {"asset": known[one["serial"]]},
                                                                     "credential": "one-time-password"})
        request = (x509.CertificateSigningRequestBuilder()
                   .subject_name(x509.Name([x509.NameAttribute(NameOID.SERIAL_NUMBER, one["serial"])])).sign(house.key(), hashes.SHA256()))
        login = base64.b64encode(f"device:{right['secret']}".encode()).decode()
        answer = house.officer.call("POST", "/.well-known/est/bedside/simpleenroll", base64.encodebytes(request.public_bytes(serialization.Encoding.DER)),
                                    "application/pkcs10", headers={"Authorization": f"Basic {login}"})
        if house.random.random() < 0.8:
            from cryptography.hazmat.primitives.serialization import pkcs7
            chain = [der(x) for x in pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer))]
            house.see(chain, one["segment"], port=443, sni=one["host"])


def foreign(house):
    """What others issued: the directory's authority, vendors, the web's authorities, and nobody."""
    pick, made = house.random, house.made
    directory, web, fluidic, lumascan = (house.others[name] for name in ("directory", "web", "fluidic", "lumascan"))
    above = lambda authority: [one["certificate"] for one in authority]
    for number in range(150):
        host = f"srv{number:03}.ad.{ZONE}"
        kind = "rsa-2048" if number % 3 == 0 else "ec"
        leaf = made([("COMMON_NAME", host)], directory[0], begin=-pick.randrange(10, 500), days=730, names=[host], key=house.key(kind))["certificate"]
        house.see([leaf, *above(directory)[:1]], pick.choice(["administrative", "administrative", "clinical"]), port=pick.choice([443, 3389, 8443]),
                  sni=host, tls=pick.choice([MODERN, PLAIN12, PLAIN12, OLD]))
    for number in range(60):
        host = f"www{number:02}.portal.{ZONE}" if number < 15 else f"public{number:02}.{ZONE}"
        days = 398 if number % 12 == 0 else 90 if number % 2 else 190
        leaf = made([("COMMON_NAME", host)], web[0], begin=-pick.randrange(1, 80), days=days, names=[host], policy="2.23.140.1.2.1")["certificate"]
        house.see([leaf] if number % 20 == 7 else [leaf, *above(web)[:1]], "dmz", port=443, sni=host)
    shared = house.key()
    for number in range(140):
        name = f"PUMP-{70000 + number}"
        key = shared if number < 6 else None
        leaf = made([("ORGANIZATION_NAME", "Fluidic"), ("COMMON_NAME", name), ("SERIAL_NUMBER", name)], fluidic[0], begin=-900, days=7300, key=key, ocsp=False)
        house.see([leaf["certificate"], *above(fluidic)], "devices", port=443, tls=OLD if number % 4 == 0 else PLAIN12)
    for number in range(40):
        name = f"modality-{number:02}"
        leaf = made([("ORGANIZATION_NAME", "Lumascan Imaging"), ("COMMON_NAME", name)], lumascan[0], begin=-700, days=720 + pick.randrange(0, 900),
                    key=house.key("rsa-1024") if number % 5 == 0 else None)
        house.see([leaf["certificate"], *above(lumascan)], "clinical", port=2762, tls=pick.choice([OLD, BROKEN, PLAIN12]))
    for number in range(110):
        host = f"appliance{number:02}.{ZONE}"
        begin = -pick.randrange(300, 1500)
        leaf = made([("COMMON_NAME", host)], begin=begin, days=pick.choice([365, 1095, 3650]), names=[host] if number % 2 else ())["certificate"]
        house.see([leaf], pick.choice(["administrative", "clinical", "devices", "dmz"]), port=pick.choice([443, 8443, 9443]),
                  sni=host if number % 3 else f"other{number}.{ZONE}", tls=pick.choice([OLD, PLAIN12, BROKEN]))
    for number in range(10):
        house.see([house.old_fashioned(f"workstation {number}", 1024 if number % 2 else 2048, "sha1")], "clinical", port=443, tls=BROKEN)
    for number in range(25):
        host = f"old{number:02}.{ZONE}"
        leaf = made([("COMMON_NAME", host)], directory[0], begin=-400 - number, days=365, names=[host])["certificate"]
        house.see([leaf, *above(directory)[:1]], "administrative", port=443, sni=host, tls=PLAIN12)
    for number in range(30):
        host = f"files{number:02}.{ZONE}"
        leaf = made([("COMMON_NAME", host)], directory[0], begin=-200, days=pick.randrange(150, 600), names=[host])["certificate"]
        house.lie([leaf], f"host{number % 9}.{ZONE}", f"/etc/ssl/{host}.pem")
    # The ends of flows: the engine has none, the pharmacy answers in plain text, the exchange is silent.
    house.see(None, "clinical", address="10.10.0.50", port=6662, outcome={"kind": "not-tls", "first_bytes": "0b4d5348"})
    house.see(None, "clinical", address="10.10.0.13", port=6663, outcome={"kind": "not-tls", "first_bytes": "0b4d5348"})
    expired = made([("COMMON_NAME", f"gateway.pumps.{ZONE}")], fluidic[0], begin=-800, days=790)["certificate"]
    house.see([expired, *above(fluidic)], "devices", address="10.30.0.10", port=443, tls=OLD)


def strange_names(house):
    """Certificates bring hostile texts; screens must stand them."""
    names = ["<script>alert(1)</script>", "=HYPERLINK(\"http://x.example\")", "pay\u202egnp.exe", "O'Brien & \"Sons\" <ward>", "Ärztehaus Süd 東"]
    for text in names:
        house.see([house.made([("COMMON_NAME", text[:64])], begin=-30, days=300)["certificate"]], "administrative", tls=PLAIN12)


def incident(house):
    """Somebody has signed with a copy of the root's key: only where the carried key is at hand."""
    usb, passphrase = house.options.root_key, pathlib.Path(house.options.data) / "root-passphrase"
    if not usb or not passphrase.exists():
        return
    key = serialization.load_pem_private_key((pathlib.Path(usb) / "root-key.pem").read_bytes(), passphrase.read_text().strip().encode())
    root = x509.load_pem_x509_certificate(house.anchors.read_bytes())
    host = f"update.{ZONE}"
    leaf = house.made([("COMMON_NAME", host)], {"certificate": root, "key": key, "zone": ZONE}, begin=-3, days=200, names=[host])["certificate"]
    house.see([leaf], "dmz", sni=host, days=1)


def requests(house):
    """Some wait, some were decided."""
    ticket = [{"kind": "ticket", "text": "CHG-2077: update of pump firmware"}]
    waiting = []
    for number, name in enumerate(["Pump updates", "Monitor updates", "CT updates", "Drug library", "Gateway updates", "Analyser updates", "Bedside app"]):
        profile = "firmware-signing" if number < 5 else "code-signing"
        key = ec.generate_private_key(ec.SECP384R1())
        csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])).sign(key, hashes.SHA256())
        wanted = {"profile": profile, "csr": csr.public_bytes(serialization.Encoding.PEM).decode(), "evidence": ticket}
        answer = house.officer.call("POST", "/api/v1/certificates", wanted, accept=(202,))
        waiting.append(answer["request"])
    for request, verb in zip(waiting, ["approve", "approve", "deny"]):
        house.approver.call("POST", f"/api/v1/requests/{request}/{verb}", {"comment": "checked against the ticket"})


def spares(house):
    ventilators = [one for one in house.assets if one["renewal"] == "spare"]
    for one in ventilators[:9]:
        house.officer.call("POST", "/api/v1/spares", {"asset": house.ids[one["serial"]], "profile": "device-ldevid", "note": "locker 4, ICU"})


# id, name, role, group
PEOPLE = [
    ("ines.marlow", "Ines Marlow", "admin", "pki"),
    ("tobias.reed", "Tobias Reed", "ra-officer", "registration"),
    ("hanna.osei", "Hanna Osei", "approver", "second-pair-of-eyes"),
    ("marta.lindqvist", "Marta Lindqvist", "clinical-engineering", "biomed"),
    ("pavel.novak", "Pavel Novák", "clinical-engineering", "biomed"),
    ("yusuf.demir", "Yusuf Demir", "integration", "interfaces"),
    ("cora.whitfield", "Cora Whitfield", "security", "security"),
    ("elias.brandt", "Elias Brandt", "auditor", "compliance"),
    ("noor.haddad", "Noor Haddad", "help-desk", "help-desk"),
    ("wallboard", "Wallboard in the control room", "read-only", "screens"),
    ("sam.okafor", "Sam Okafor", "security", "security"),
    ("greta.moll", "Greta Moll", "ra-officer", "registration"),
]
ON_LEAVE, GONE = "sam.okafor", "greta.moll"


def people(house):
    """Somebody of every role, in groups as a directory would have them, each with a link to sign in by; machines have tokens."""
    labels = {"pki": "PKI administration", "registration": "Registration authority", "second-pair-of-eyes": "Approvers", "biomed": "Clinical engineering",
              "interfaces": "EHR and interfaces", "security": "Security operations", "compliance": "Compliance", "help-desk": "Help desk", "screens": "Screens"}
    for group, label in labels.items():
        role = next(one[2] for one in PEOPLE if one[3] == group)
        house.admin.call("POST", "/api/v1/groups", {"name": group, "label": label, "grants": [{"role": role}], "claims": [f"northmere-{group}"]})
    for name, full, _, group in PEOPLE:
        house.admin.call("POST", "/api/v1/people", {"id": name, "name": full, "email": f"{name}@{ZONE}", "grants": [], "groups": [group]})
    house.ward("person", "suspend", ON_LEAVE, "--why", "on leave")
    house.ward("person", "leave", GONE, "--why", "end of contract")
    house.invitations = [(full, role, house.admin.call("POST", "/api/v1/invitations", {"person": name})["url"])
                         for name, full, role, _ in PEOPLE if name not in (ON_LEAVE, GONE)]
    # A second pair of eyes for what security revokes; the request of a person's script waits for it.
    house.admin.call("POST", "/api/v1/approval-policies", {"name": "revocation", "label": "Two people revoke", "action": "revoke-certificate", "asker": "security",
                                                           "needed": 1, "hours": 48, "emergency": True})
    operations = house.person("cora.whitfield", "security")
    operations.call("POST", f"/api/v1/certificates/{house.issued[5]}/revoke", {"reason": "keyCompromise", "why": "INC-1203: laptop stolen"}, accept=(202,))


def waivers(house):
    """Once the inventory has settled, some findings are borne."""
    until = (NOW + 120 * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
    house.approver.call("POST", "/api/v1/waivers", {"rule": "validity.long", "segment": "devices", "owner": "biomed", "until": until,
                                                   "reason": "the vendor's firmware takes no shorter certificates"})
    found = house.approver.call("GET", "/api/v1/findings?rule=tls.version&limit=6")["findings"]
    for one in found[:4]:
        house.approver.call("POST", f"/api/v1/findings/{one['id']}/waive", {"owner": "radiology", "reason": "replaced with the new scanner in spring", "until": until})


def views(house):
    for name, query in [("pumps-without-renewal", "owner = biomed and not automated"), ("legacy-tls", "tls < 1.2"), ("record-soon", "ehr and expires < 90d")]:
        house.officer.call("POST", "/api/v1/inventory/views", {"name": name, "query": query})


def settled(house, seconds):
    """Waits until the server has looked at everything that came in."""
    begun = None
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        waiting = house.officer.call("GET", "/api/v1/risk")["risks"].get("none", 0)
        radar = house.officer.call("GET", "/api/v1/radar")
        if waiting < 40:
            # Everything has its risk: the next count has everything.
            begun = begun or radar["counted_at"]
            if radar["counted_at"] > begun:
                return radar
        time.sleep(1)
    return house.officer.call("GET", "/api/v1/radar")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ward", required=True, help="the program")
    parser.add_argument("--data", required=True, help="its data directory")
    parser.add_argument("--url", required=True, help="its HTTPS listener")
    parser.add_argument("--root-key", help="directory with the carried root key: lets the demo stage a misissuance")
    parser.add_argument("--seed", type=int, default=7)
    house = Hospital(parser.parse_args())
    begun = time.monotonic()
    house.authorities()
    for step, text in [(segments, "segments and their limits"), (assets, "the asset register"), (owners, "owner rules"), (flows, "flows of health information"),
                       (issued, "certificates that Ward issues"), (lambda one: enrolled(one, 70), "devices that enrol by themselves"),
                       (spares, "spares"), (foreign, "certificates of others"), (strange_names, "names that screens must stand"), (incident, "a misissuance"),
                       (Hospital.hand_in, "what scans and file walks saw"), (revoked, "revocations"), (requests, "requests that wait"), (people, "people of every role"), (views, "saved views")]:
        step(house)
        print(f"  {time.monotonic() - begun:5.1f} s  {text}", flush=True)
    settled(house, 60)
    waivers(house)
    radar = settled(house, 40)
    counts = radar["certificates"]
    print(f"  {time.monotonic() - begun:5.1f} s  {counts['all']} certificates of end entities, {counts['phi']} of health information; score {radar['score']:.0f}")
    for full, role, url in house.invitations:
        print(f"  {role:<21} {full:<30} {url}")
    print(f"tokens of every role: {house.folder}/token-*")


if __name__ == "__main__":
    main()
