#!/usr/bin/env python3
"""Eight ACME clients of other people issue, renew and revoke: against pebble first, then against Ward.

usage: check_acme.py [pebble] [ward] [CLIENT…]      all of both authorities if none is named

That pebble goes before Ward proves the test: what then fails is Ward's fault. A client's word for its success
counts for nothing: serial numbers are compared, chains verified by openssl, and the status is asked for.
"""

import concurrent.futures
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent / "acme")]

from lab import Lab  # noqa: E402
from clients import DNS, EVERYONE, HTTP  # noqa: E402
from pebble import Pebble  # noqa: E402
from trial import Trial  # noqa: E402
from ward import Ward  # noqa: E402

from hospital import Checks  # noqa: E402

WORKERS = 12


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


def metered(checks, ward, trials):
    """What was validated where stands in the metrics of the directory."""
    told = ward.hospital.public("/metrics")[2].decode()
    for directory, method in sorted({("bound" if trial.eab else "open", trial.method) for trial in trials}):
        line = f'ward_acme_validations_total{{directory="{directory}",kind="{method}",outcome="valid"}}'
        checks.that(f"metrics count {method} in directory {directory}", line in told, told)


def main():
    chosen = sys.argv[1:]
    checks = Checks("acme")
    with Lab("acme") as lab:
        kinds = [kind for kind in EVERYONE if kind.name in chosen] or EVERYONE
        everything = list(trials(checks, lab, kinds))
        lab.start([trial.client.machine for trial in everything if trial.client.web_root])
        authorities = [name for name in ("pebble", "ward") if name in chosen or not {"pebble", "ward"} & set(chosen)]
        if "pebble" in authorities:
            against(Pebble(lab), everything)
        if "ward" in authorities:
            with Ward(lab) as ward:
                against(ward, everything)
                metered(checks, ward, everything)
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
