#!/usr/bin/env python3
"""`ward serve` ends and starts again in the middle of orders, kindly and by SIGKILL, and no client notices.

The client's own hook asks for the restart, when the challenge is in place and the order half done; so every request
after it goes to another process than those before. Two Wards, each with half of the clients, go side by side.
"""

import concurrent.futures
import pathlib
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent / "acme")]

from lab import Lab, Restarts, proxy_that_restarts  # noqa: E402
from clients import DNS, HTTP, AcmeSh, AcmeTiny, Certbot, CertbotOfDebian, Dehydrated, Lego, Uacme  # noqa: E402
from trial import Trial  # noqa: E402
from ward import Ward  # noqa: E402

from hospital import Checks  # noqa: E402

# Where a client can be interrupted: those that answer http-01 by themselves have no hook there.
CLIENTS = [(Certbot, DNS), (CertbotOfDebian, HTTP), (Lego, DNS), (Dehydrated, HTTP), (AcmeTiny, HTTP), (AcmeSh, DNS), (Uacme, HTTP)]
ENDS = [("SIGTERM", signal.SIGTERM), ("SIGKILL", signal.SIGKILL)]
LANES = 2


class Interrupted(Trial):
    def __init__(self, checks, lab, kind, method):
        super().__init__(checks, lab, kind, method, eab=kind.eab)

    def run_with(self, ward, restarts, label, number):
        client, began = self.client, time.monotonic()
        title = f"{self.title}: {label} in the middle"
        self.authority = ward
        try:
            client.at(ward, self.method, self.eab, label, restarts)
            restarts.proxy = proxy_that_restarts(self.lab, client.root, restarts)
            restarts.count, restarts.action = 0, lambda: ward.restart(number)
            names = client.names(self.method == DNS, False)
            first = self.verified(client.issue(names), names)
            issuing = restarts.count
            second = self.verified(client.renew(), names)
            self.demand(first.serial_number != second.serial_number, "it says that it renewed, and has the same certificate")
            self.demand(issuing and restarts.count > issuing, "there was no restart")
            self.checks.that(f"{title}: issued and renewed, {restarts.count} restarts ({time.monotonic() - began:.1f} s)", True)
        except Exception as error:  # a failure of one must not hide those of others
            self.checks.that(title, False, f"{type(error).__name__}: {error}")
        finally:
            restarts.action = None
            client.close()


def lane(lab, name, trials):
    with Ward(lab, name) as ward:
        restarts = Restarts(lab)
        for trial in trials:
            for label, number in ENDS:
                trial.run_with(ward, restarts, label, number)


def main():
    checks = Checks("acme restart")
    with Lab("restart") as lab:
        trials = [Interrupted(checks, lab, kind, method) for kind, method in CLIENTS if not sys.argv[1:] or kind.name in sys.argv[1:]]
        lab.start([trial.client.machine for trial in trials if trial.client.web_root])
        with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
            for done in [pool.submit(lane, lab, f"restart{number}", trials[number::LANES]) for number in range(LANES)]:
                done.result()
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
