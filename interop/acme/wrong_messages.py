#!/usr/bin/env python3
"""Sends everything in the table of wrong messages, and compares what comes back with what RFC 8555 and its kin ask for.

usage: wrong_messages.py [WORD…]      only cases whose text contains a word
       wrong_messages.py --docs       prints docs/acme-errors.md

Beside the refusals stand acceptances (right.py), and the sessions that wrong messages are sent in prove and finalize orders.
"""

import concurrent.futures
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent)]

from lab import Lab, Quiet  # noqa: E402
from hospital import ROOT, Checks, must  # noqa: E402
from raw import Solver  # noqa: E402
from ward import Ward  # noqa: E402
from wrong import TABLE, Invalid, World  # noqa: E402
import wrong_jws, wrong_accounts, wrong_orders, wrong_validation  # noqa: E401,E402,F401  (the order of the table)
from right import RIGHT  # noqa: E402

DOCUMENT = ROOT / "docs/acme-errors.md"
# Validations that fail are tried again for half a minute, so all of them go at once.
SLOW_AT_ONCE, FAST_AT_ONCE = 64, 4

HEAD = """<!-- Written by interop/acme/wrong_messages.py --docs from the table that the tests send; do not edit. -->
# What Ward's ACME server answers to wrong messages

Every line is sent by a test, with messages built by hand, and the answer compared: the HTTP status and the error type
that follows `urn:ietf:params:acme:error:`. Problems are documents of RFC 9457 (`application/problem+json`) whose `detail`
says what is wrong and which clause says so; an answer to a POST carries a fresh nonce, so that a client goes on with it.
Where the standard leaves the type open, Ward answers `malformed` to what no correct client sends and `unauthorized` to what
this client may not do.

“authorization invalid” means that the message was right and the proof failed: the error stands in the challenge. A proof
that fails is tried again for half a minute first, for machines that are slow to put it in place.
"""


def document():
    lines = [HEAD.rstrip()]
    section = None
    for case in TABLE:
        if case.section != section:
            section = case.section
            lines += ["", f"## {section}", "", "| What is sent | Status | Error | Clause |", "| --- | --- | --- | --- |"]
        sent = case.sent.replace("|", "\\|")
        lines.append(f"| {sent[0].upper() + sent[1:]} | {case.status} | `{case.error}` | {case.clause} |")
    return "\n".join(lines) + "\n"


def world(lab, ward):
    domain, address, _ = lab.hosts["probe"]
    ours = {"open": ward.urls[False], "bound": ward.urls[True],
            "terms": ward.create("terms", external_account="off", terms_of_service="https://hospital.test/terms"),
            "narrow": ward.create("narrow", external_account="optional", names=[f"narrow.{domain}", f"*.narrow.{domain}"], wildcards=False),
            "tight": ward.create("tight", **{"external_account": "off", "limits.new_orders_per_account": "2/h"})}
    for name in ("open", "bound"):
        ward.hospital.ward("acme", "directory", "set", name, "validation.timeout_ms=4000", "validation.step_timeout_ms=2000",
                           *(f"limits.{limit}=off" for limit in LIMITS))

    def external(directory="bound", uses=1, names=(), revoked=False, expired=False, preauthorised=False):
        more = [part for name in names for part in ("--allow-name", name)] + ["--preauthorised"] * preauthorised
        kid, mac = ward.external_account("prober", directory, "--uses", uses, *more)
        if revoked:
            ward.hospital.ward("acme", "eab", "revoke", kid, "--why", "test", "--yes")
        if expired:
            ward.expire(kid)
        return kid, mac

    found = World(ward.tls_ca, ours, domain, Solver(lab, address), external, lab)
    found.address = address
    found.folder, found.dead, found.plain = lab.folder, lab.hosts["dead"][0], lab.hosts["plain"][0]
    found.machines = [lab.hosts[name] for name in MACHINES]
    lab.serve(Quiet, lab.hosts["plain"][1], lab.tls_port)
    found.txt = lambda name, text: must([ROOT / "interop/acme/hook.sh", "dns", "add", name, text],
                                        env={"PATH": "/usr/bin:/bin", "DNS_PORT": str(lab.dns_port), "TSIG_KEY": str(lab.key)})
    return found


MACHINES = [f"tls{number}" for number in range(8)]
LIMITS = ("new_accounts_per_address", "new_accounts", "failed_validations_per_account")


class Probe:
    def __init__(self, checks, world):
        self.checks, self.world = checks, world

    def send(self, case):
        """Sends one; also that the answer is a problem document as it should be."""
        title = f"{case.sent}: {case.status} {case.error}"
        try:
            answer = case.send(self.world)
        except Exception as error:  # one that cannot be sent must not hide the others
            self.checks.that(title, False, f"{type(error).__name__}: {error}")
            return
        right = (answer.status, answer.problem) == (case.status, case.error)
        faults = [] if isinstance(answer, Invalid) else self.faults(case, answer)
        self.checks.that(title, right and not faults, f"{faults}\n{answer!r}")

    def accept(self, right):
        """Sends what is right."""
        title = f"right: {right.__name__.replace('_', ' ')}"
        try:
            right(self.world)
        except Exception as error:  # one that is refused must not hide the others
            self.checks.that(title, False, f"{type(error).__name__}: {error}")
        else:
            self.checks.that(title, True)

    @staticmethod
    def faults(case, answer):
        """What is wrong with the form of a refusal."""
        if not answer.content_type.startswith("application/problem+json"):
            return [f"content type {answer.content_type!r}"]
        found, headers = answer.json, answer.headers
        checks = [
            (found.get("status") == answer.status, "`status` is not the status"), (bool(found.get("detail")), "no `detail`"),
            (headers.get("Replay-Nonce") or answer.method != "POST" or answer.status == 404, "no nonce (RFC 8555 section 6.5)"),
            (answer.status != 405 or headers.get("Allow"), "no Allow"),
            (case.error != "badSignatureAlgorithm" or {"ES256", "HS256"} & set(found.get("algorithms", [])), "no `algorithms` (RFC 8555 section 6.2)"),
            (case.error != "rateLimited" or headers.get("Retry-After"), "no Retry-After (RFC 8555 section 6.6)"),
            (case.error != "userActionRequired" or "terms-of-service" in str(headers.get_all("Link")), "no link to the terms (RFC 8555 section 7.3.3)"),
            (case.status != 409 or case.error != "malformed" or headers.get("Location"), "no Location (RFC 8555 section 7.3.5)")]
        return [fault for holds, fault in checks if not holds]


def main():
    if sys.argv[1:] == ["--docs"]:
        print(document(), end="")
        return 0
    chosen = [case for case in TABLE if not sys.argv[1:] or any(word in f"{case.section} {case.sent}" for word in sys.argv[1:])]
    checks = Checks("wrong messages")
    with Lab("wrong") as lab:
        for name in ("probe", "dead", "plain", *MACHINES):
            lab.host(name)
        lab.start([])
        with Ward(lab, "wrong") as ward:
            probe = Probe(checks, world(lab, ward))
            with concurrent.futures.ThreadPoolExecutor(SLOW_AT_ONCE) as slow, concurrent.futures.ThreadPoolExecutor(FAST_AT_ONCE) as fast:
                work = [(slow if case.slow else fast).submit(probe.send, case) for case in chosen]
                for done in work:
                    done.result()
            # Last, so that it also says that none of the others hurt the server.
            for right in RIGHT:
                probe.accept(right)
    checks.equal("docs/acme-errors.md is what the table says", DOCUMENT.read_text() if DOCUMENT.exists() else None, document())
    print(f"{len(TABLE)} wrong messages in the table")
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
