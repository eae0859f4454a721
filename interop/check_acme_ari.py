#!/usr/bin/env python3
"""lego and certbot follow renewal information (RFC 9773), and what they then have is compared by serial number.
Both also name a profile (draft-ietf-acme-profiles) and get what it says.

 - before the window they leave a certificate alone;
 - inside the window they renew it;
 - what is recalled, and what is revoked by an operator, they renew at their next look, and the rest they leave alone.

certbot ends with status 0 whether it renewed or not. Neither is forced: they are run as their timers run them.
"""

import concurrent.futures
import datetime
import json
import pathlib
import ssl
import sys
import urllib.request

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent / "acme")]

from lab import Lab  # noqa: E402
from clients import HTTP, Certbot, Lego  # noqa: E402
from ward import Ward  # noqa: E402
from wrong_validation import certificate_id  # noqa: E402
from cryptography import x509  # noqa: E402

from hospital import Checks, eventually  # noqa: E402

KINDS = (Certbot, Lego)
# Its window begins four minutes ago and ends in twelve seconds, so a client's random instant in it is nearly always past.
INSIDE = {"renewal.after": 10, "renewal.spread": 0, "renewal.length": 42, "external_account": "off"}
TRIES = 3
# A command writes to the database; the server hears of it by the log.
HEARD_WITHIN = 30


class Place(Ward):
    """A Ward whose directory depends on the name of the machine."""

    def __enter__(self):
        super().__enter__()
        self.make_brief_profile()
        self.brief = self.create("brief", "brief", **INSIDE)
        self.choice = self.create("choice", profiles=[{"profile": "server-tls"}, {"profile": "brief"}], external_account="off")
        return self

    def make_brief_profile(self):
        lines = self.hospital.ward("profile", "show", "server-tls").splitlines()
        text = "\n".join({"name": 'name = "brief"', "default": 'default = "10m"', "max": 'max = "1h"'}.get(line.split(" =")[0], line)
                         for line in lines)
        path = self.hospital.folder / "brief.toml"
        path.write_text(text)
        self.hospital.ward("profile", "set", path)

    def directory(self, client, eab):
        return self.brief if "brief" in client else self.choice if "choice" in client else super().directory(client, eab)


class Machine:
    """A client with one certificate."""

    def __init__(self, lab, kind, label):
        self.client = kind(lab, f"{kind.name}-{label}")
        self.names = [self.client.domain]

    def issue(self, ward, extra=()):
        self.ward = ward
        self.client.at(ward, HTTP, False)
        self.serial = self.read(self.client.issue(self.names, extra))

    def read(self, files):
        self.certificate = x509.load_pem_x509_certificate(files[0].read_bytes())
        return self.certificate.serial_number

    def look(self):
        """What its timer does; true if it has another certificate now."""
        before, self.serial = self.serial, self.read(self.client.renew(force=False))
        return self.serial != before

    def window(self):
        directory = self.get(self.client.directory)[0]
        answer, headers = self.get(f"{directory['renewalInfo']}/{certificate_id(self.certificate)}")
        start, end = (datetime.datetime.fromisoformat(answer["suggestedWindow"][side]) for side in ("start", "end"))
        return start, end, int(headers["Retry-After"]), answer.get("explanationURL")

    def get(self, url):
        with urllib.request.urlopen(url, context=ssl.create_default_context(cafile=str(self.ward.tls_ca)), timeout=10) as answer:
            return json.load(answer), answer.headers


def run(checks, ward, kind, machines):
    name, now = kind.name, lambda: datetime.datetime.now(datetime.timezone.utc)
    left, recalled, revoked = (machines[label] for label in ("left", "recalled", "revoked"))
    for machine in (left, recalled, revoked):
        machine.issue(ward)
    start, end, again, _ = left.window()
    life = left.certificate.not_valid_after_utc - left.certificate.not_valid_before_utc
    checks.that(f"{name}: the window lies between half and nine tenths of the life, and it is asked again within a day",
                left.certificate.not_valid_before_utc + life / 2 < start < end < left.certificate.not_valid_after_utc - life / 10
                and 60 <= again <= 86400, left.window())
    checks.that(f"{name}: before its window a certificate is left alone", not left.look())

    ward.hospital.ward("acme", "recall", "create", "--serial", f"{recalled.serial:x}", "--why", "weak key", "--explanation", "https://hospital.test/why")
    moved = eventually(HEARD_WITHIN, lambda: recalled.window()[1] < now())
    checks.that(f"{name}: the window of a recalled certificate is past, and says why", moved and recalled.window()[3] == "https://hospital.test/why", recalled.window())
    checks.that(f"{name}: a recalled certificate is renewed at once", recalled.look())
    start, _, _, _ = recalled.window()
    checks.that(f"{name}: its successor is not recalled", start > now(), recalled.window())
    # certbot does not ask again before Retry-After, so only what it has not asked for yet can show this.
    checks.that(f"{name}: and is left alone", kind is Certbot or not recalled.look())

    ward.hospital.ward("cert", "revoke", f"{revoked.serial:x}", "--reason", "superseded", "--why", "mass revocation")
    checks.that(f"{name}: the window of a revoked certificate is past", eventually(HEARD_WITHIN, lambda: revoked.window()[1] < now()), revoked.window())
    checks.that(f"{name}: a revoked certificate is renewed at once", revoked.look())

    chosen = machines["choice"]
    chosen.issue(ward, ("--required-profile" if kind is Certbot else "--profile", "brief"))
    life = chosen.certificate.not_valid_after_utc - chosen.certificate.not_valid_before_utc
    checks.that(f"{name}: the profile that it names is the one that it gets", life < datetime.timedelta(hours=1), life)

    seen = []
    for attempt in range(TRIES):
        machine = machines[f"brief{attempt}"]
        machine.issue(ward)
        start, end, _, _ = machine.window()
        seen.append((start, now(), end))
        if start < now() < end and machine.look() and now() < end + datetime.timedelta(seconds=5):
            break
    else:
        checks.that(f"{name}: inside its window a certificate is renewed", False, seen)
        return
    checks.that(f"{name}: inside its window a certificate is renewed", True)


def main():
    checks = Checks("acme ari")
    with Lab("ari") as lab:
        labels = ["left", "recalled", "revoked", "choice", *(f"brief{number}" for number in range(TRIES))]
        machines = {kind: {label: Machine(lab, kind, label) for label in labels} for kind in KINDS}
        lab.start([])
        with Place(lab, "ari") as ward, concurrent.futures.ThreadPoolExecutor(len(KINDS)) as pool:
            for done in [pool.submit(run, checks, ward, kind, machines[kind]) for kind in KINDS]:
                done.result()
            # Many at once: what a mass revocation is.
            everything = ward.hospital.ward_json("acme", "recall", "create", "--everything", "--why", "all of them")
            left = [machines[kind]["left"] for kind in KINDS]
            past = lambda: all(machine.window()[1] < datetime.datetime.now(datetime.timezone.utc) for machine in left)  # noqa: E731
            checks.that("a recall of everything moves every window", eventually(HEARD_WITHIN, past), everything)
            checks.that("lego renews all that it has", machines[Lego]["left"].look())
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
