"""All that one client can do at one directory, one after another; nothing is believed that it says."""

import time

from clients import DNS, Failed
from cryptography import x509
from hospital import run


class Trial:
    """One client on one machine, one challenge, with or without a binding: all that the client can do there."""

    def __init__(self, checks, lab, kind, method, eab, ip=False):
        self.checks, self.lab, self.method, self.eab, self.ip = checks, lab, method, eab, ip
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
            done.append("deactivate")
            if client.registers_again and not self.eab:
                return done
            try:
                client.renew()
            except Failed:
                pass
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
