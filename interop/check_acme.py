#!/usr/bin/env python3
"""Eight ACME clients of other people issue, renew and revoke: against pebble first, then against Ward.

usage: check_acme.py [pebble] [ward] [CLIENT…]      all of both authorities if none is named

That pebble goes before Ward proves the test: what then fails is Ward's fault. A client's word for its success
counts for nothing: serial numbers are compared, chains verified by openssl, and the status is asked for.
"""

import concurrent.futures
import pathlib
import sys
import time

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent / "acme")]

from lab import Lab  # noqa: E402
from clients import DNS, EVERYONE, HTTP, Failed  # noqa: E402
from pebble import Pebble  # noqa: E402
from cryptography import x509  # noqa: E402

from hospital import Checks, run  # noqa: E402

WORKERS = 12


class Trial:
    """One client on one machine, one challenge, with or without a binding: all that the client can do there."""

    def __init__(self, checks, lab, kind, method, eab, ip=False):
        self.checks, self.method, self.eab, self.ip = checks, method, eab, ip
        what = ["address" if ip else "", "bound" if eab else ""]
        self.client = kind(lab, "-".join([kind.name, method.split("-")[0], *filter(None, what)]))
        self.title = " ".join([kind.name, method, *filter(None, what)])

    def run(self, authority):
        self.authority, began = authority, time.monotonic()
        try:
            self.client.at(authority, self.method, self.eab)
            done = self.steps()
            self.checks.that(f"{authority.name} {self.title}: {', '.join(done)} ({time.monotonic() - began:.1f} s)", True)
        except Exception as error:  # a failure of one must not hide those of others
            self.checks.that(f"{authority.name} {self.title}", False, f"{type(error).__name__}: {error}")
        finally:
            self.client.close()

    def steps(self):
        client, wildcard = self.client, self.method == DNS
        names = client.names(wildcard, self.ip)
        first = self.verified(client.issue(names), names)
        second = self.verified(client.renew(), names)
        self.demand(first.serial_number != second.serial_number, "it says that it renewed, and has the same certificate")
        done = ["issue", "renew"]
        if client.changes_key:
            client.change_key()
            third = self.verified(client.renew(), names)
            self.demand(third.serial_number != second.serial_number, "no new certificate after the change of the account's key")
            second = third
            done.append("change key")
        if client.revokes:
            client.revoke()
            self.demand(self.authority.status(second, self.others) == "revoked", "it says that it revoked, and the status is good")
            self.demand(self.authority.status(first, self.others) == "good", "another certificate was revoked")
            done.append("revoke")
        if client.deactivates:
            client.deactivate()
            try:
                client.renew()
            except Failed:
                done.append("deactivate")
            else:
                self.demand(False, "an account that was deactivated still gets certificates")
        return done

    def verified(self, files, names):
        """The certificate, which must be for the names, have a chain to the root and be good."""
        leaf, others = files
        certificate = x509.load_pem_x509_certificate(leaf.read_bytes())
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        has = {str(name.value) for name in found}
        self.demand(has == set(getattr(self.client, "wanted", names)), f"it is for {has}")
        done = run(["openssl", "verify", "-CAfile", self.authority.roots, "-untrusted", others, "-purpose", "sslserver", leaf])
        self.demand(done.returncode == 0, done.stdout)
        self.others = others
        self.demand(self.authority.status(certificate, others) == "good", "its status is not good")
        return certificate

    @staticmethod
    def demand(holds, text):
        if not holds:
            raise Failed(text)


def trials(checks, lab, kinds):
    for kind in kinds:
        for method in kind.methods:
            for eab in (False, True) if kind.eab and method == HTTP else (kind.eab and method == DNS,):
                yield Trial(checks, lab, kind, method, eab)
            if method in kind.ip:
                yield Trial(checks, lab, kind, method, False, ip=True)


def against(authority, trials):
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for done in [pool.submit(trial.run, authority) for trial in trials]:
            done.result()


def main():
    chosen = sys.argv[1:]
    checks = Checks("acme")
    with Lab("acme") as lab:
        kinds = [kind for kind in EVERYONE if kind.name in chosen] or EVERYONE
        everything = list(trials(checks, lab, kinds))
        lab.start([trial.client.machine for trial in everything if trial.client.web_root])
        for authority in (Pebble,):
            if authority.name in chosen or not {"pebble", "ward"} & set(chosen):
                against(authority(lab), everything)
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
