#!/usr/bin/env python3
"""A crowd of devices enrols over EST and SCEP at once, over bad lines: connections that are reset, closed or fall silent at
any byte, requests that are repeated, sent twice at once, or made anew for the same key after a lost answer, slow ones; and a
server that is killed in the middle. When the lines are good again every device has exactly one certificate that counts.

usage: check_crowd.py [--devices N] [--workers N] [--seed N] [--no-kill] [--postgres]

Of four devices three speak EST (P-256, over HTTPS) and one SCEP (RSA-2048, over plain HTTP). They are imported from a table.
Three quarters have a password of their own, good for one certificate; the others are in cartons of twenty that share one,
good for twenty: a device that uses it up twice leaves another one without. One in sixteen is replaced once it has a
certificate, by a part with another key that enrols with another password. From the outside, after the storm:

 - each serial number has exactly one certificate that is not revoked (by the CRL that it names, and OCSP), which is for the
   device's key and which the device has; REST says the same of each certificate;
 - whoever had a password was never refused, no password gave more or fewer certificates than it counts;
 - the exported log verifies with verify_log.py, with every certificate in it, and Ward finds nothing in the live one;
 - answers of 500 and above were 503, which is documented; the server's memory and open sockets stayed bounded.
"""

import argparse
import collections
import concurrent.futures
import csv
import http.client
import json
import multiprocessing
import pathlib
import random
import ssl
import sys
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
# The measurements have a hospital and devices of their own: theirs come last.
sys.path[:0] = [str(HERE / "scep")]
sys.path.append(str(HERE.parent / "bench/lib"))

import client as scep  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from cryptography.x509 import ocsp  # noqa: E402

from crowd import outside  # noqa: E402
from crowd.device import EstDevice, Log, ScepDevice  # noqa: E402
from crowd.wire import SILENT, Place  # noqa: E402
from devices import Desk  # noqa: E402
from hospital import Checks, Hospital, eventually, free_port, run  # noqa: E402
from postgres import Postgres  # noqa: E402
from world import World  # noqa: E402

PROFILE = "device-ldevid"
CARTON = 20
REPLACED = 16
# A server that keeps what a broken connection leaves behind would pass this soon.
MOST_MEMORY_MB = 400
# Beyond what it had open before: a few idle connections to its database.
MOST_MORE_FILES = 24
# So long may superseded certificates, and the lists that say so, take; on PostgreSQL a dead server's lease has to end first.
SETTLED_SECONDS = 90
SAMPLE = 150


class House(Hospital):
    """A hospital with an EST endpoint, a SCEP endpoint and a listener for devices without TLS."""

    def __init__(self, *init):
        super().__init__("crowd", *init)
        self.plain_port = free_port()
        self.most_memory = 0

    def start(self):
        configuration = self.data / "ward.toml"
        if "listen.legacy" not in configuration.read_text():
            with open(configuration, "a") as file:
                file.write(f'\n[[listen.legacy]]\naddress = "127.0.0.1:{self.plain_port}"\nendpoints = ["crowd-scep"]\nsegment = "wards"\n')
        super().start()

    def furnish(self):
        self.desk = Desk(self)
        self.desk.endpoint("crowd-est")
        self.desk.endpoint("crowd-scep", protocols={"scep": True})
        self.scep = scep.Server(f"http://127.0.0.1:{self.plain_port}/scep/crowd-scep")
        self.scep.learn()
        self.files = self.open_files()

    def register(self, serials):
        """All devices, from a table, as the asset system would give it."""
        table = self.folder / "assets.csv"
        with open(table, "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["Asset Tag", "Serial No.", "Make", "Model Number", "Facility", "Criticality"])
            rows.writerows([f"C-{number}", serial, "Acme Medical", "Infusomat", "North", "high"] for number, serial in enumerate(serials))
        return self.ward("device", "import", table)

    def passwords(self, serials, endpoint, credential):
        """A password for each device: of its own, or of its carton."""
        alone, shared = serials[: len(serials) * 3 // 4], serials[len(serials) * 3 // 4:]
        batches = [[serial] for serial in alone] + [shared[at:at + CARTON] for at in range(0, len(shared), CARTON)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            size = -(-len(batches) // 8) or 1
            made = pool.map(lambda part: self.rights(part, endpoint, credential), [batches[at:at + size] for at in range(0, len(batches), size)])
            return {serial: password for part in made for serial, password in part.items()}

    def rights(self, batches, endpoint, credential):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=ssl.create_default_context(cafile=str(self.root)))
        headers, found = {"Authorization": f"Bearer {self.desk.token}", "Content-Type": "application/json"}, {}
        for batch in batches:
            body = {"for": {"batch": batch}, "credential": credential, "endpoint": endpoint}
            connection.request("POST", "/api/v1/enrolment/rights", json.dumps(body), headers)
            answer = connection.getresponse()
            made = json.loads(answer.read())
            if answer.status // 100 != 2:
                raise SystemExit(f"no right for {batch}: {made}")
            found |= dict.fromkeys(batch, (made["right"]["id"], made["secret"]))
        connection.close()
        return found

    def kill(self):
        self.note_memory()
        self.server.kill()
        self.server.wait()
        self.processes.remove(self.server)

    def note_memory(self):
        status = pathlib.Path(f"/proc/{self.server.pid}/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
        self.most_memory = max(self.most_memory, peak)

    def open_files(self):
        return len(list(pathlib.Path(f"/proc/{self.server.pid}/fd").iterdir()))

    def known(self):
        """Each certificate of the profile, as REST has it."""
        found, after = {}, ""
        while after is not None:
            page = self.desk.ask("GET", f"certificates?profile={PROFILE}&limit=1000{after and f'&after={after}'}")
            found |= {certificate["sha256"]: certificate for certificate in page["certificates"]}
            after = page["next"]
        return found


def rsa_keys(count):
    """For another process: so many keys."""
    encoding = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return [scep.rsa_key().private_bytes(*encoding) for _ in range(count)]


def read_key(der):
    # It was made a moment ago: to prove once more that its primes are prime takes longer than all the rest.
    return serialization.load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)


def crowd(house, options, log, keys):
    """The devices, in the register, each with a key and a right, and the rights."""
    over_scep = options.devices // 4
    est, by_scep = ([f"{kind}-{number:05}" for number in range(count)] for kind, count in
                    (("EST", options.devices - over_scep), ("SCEP", over_scep)))
    print(f"  {house.register(est + by_scep).splitlines()[0]}", flush=True)
    ScepDevice.server, devices, rights = house.scep, [], []
    made = (read_key(der) for part in keys.get() for der in part)
    for kind, serials, endpoint, credential, place in (
            (EstDevice, est, "crowd-est", {"http-password": {}}, Place(house.port, house.root)),
            (ScepDevice, by_scep, "crowd-scep", "one-time-password", Place(house.plain_port))):
        new_key = (lambda: next(made)) if kind is ScepDevice else (lambda: ec.generate_private_key(ec.SECP256R1()))
        parts = house.passwords(serials[::REPLACED], endpoint, credential)
        first = house.passwords(serials, endpoint, credential)
        for serial in serials:
            device = kind(len(devices), serial, place, log, options.seed)
            device.use(first[serial], new_key())
            device.part = (parts[serial], new_key()) if serial in parts else None
            devices.append(device)
        rights += [right for right, _ in [*parts.values(), *first.values()]]
    random.Random(options.seed).shuffle(devices)
    return devices, rights


def everybody(devices, workers, action, log):
    """Runs `action` of each device; an accident of ours is a fault too."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(getattr(device, action)): device for device in devices}
        for done in concurrent.futures.as_completed(running):
            if done.exception():
                log.fault(f"{running[done].serial}: {done.exception()!r}")
            yield running[done]


def storm(house, options, devices, log):
    began = time.monotonic()
    kill_at = len(devices) * 2 // 5 if options.kill else None
    for done, _ in enumerate(everybody(devices, options.workers, "storm", log)):
        if done == kill_at:
            house.kill()
            log.count("kills")
            house.start()
        if done % 1000 == 999:
            print(f"  {done + 1} devices through the storm after {time.monotonic() - began:.0f} s", flush=True)
    return time.monotonic() - began


def report(log, took, devices):
    left = sum(not device.certificates for device in devices)
    print(f"  storm of {took:.0f} s: {left} of {len(devices)} devices without a certificate")
    for what, number in sorted(log.counts.items()):
        print(f"    {number:6} {what}")
    print("    answers: " + ", ".join(f"{status}: {number}" for status, number in sorted(log.statuses.items())))


def check_certificates(house, checks, devices, count):
    """What each device ends with, seen from outside."""
    party, by_name = outside.RelyingParty(house), {device.serial: device for device in devices}

    def is_settled():
        live = [entry["subject"] for entry in house.known().values() if entry["state"] == "issued"]
        return len(live) == len(set(live))

    checks.that("superseded certificates are revoked", eventually(SETTLED_SECONDS, is_settled))
    folder = house.folder / "export"
    house.ward("audit", "export", folder)
    done = run([sys.executable, HERE / "verify_log.py", folder, "--vkey", folder / "vkey"], timeout=600)
    checks.that(f"verify_log.py: {done.stdout.strip().splitlines()[-1]}", done.returncode == 0, done.stdout)
    logged = outside.exported(folder)
    owned = outside.by_serial(logged, by_name)
    known = house.known()
    checks.equal("the log has the certificates that REST has", {sha256 for of in owned.values() for sha256 in of}, set(known))
    gone = {sha256 for sha256, entry in known.items() if entry["state"] == "revoked"}

    def are_listed():
        party.forget_lists()
        return all(logged[sha256].serial_number in party.revoked(logged[sha256]) for sha256 in gone)

    checks.that("  and CRLs list what REST calls revoked", eventually(SETTLED_SECONDS, are_listed))
    live = {serial: {sha256: c for sha256, c in owned[serial].items() if party.is_live(c)} for serial in by_name}
    wrong = {serial: len(found) for serial, found in live.items() if len(found) != 1}
    checks.equal(f"each of {len(devices)} devices has exactly one live certificate", wrong, {})
    alone = {serial: next(iter(found)) for serial, found in live.items() if len(found) == 1}
    checks.equal("  it is for the device's key", [s for s, sha256 in alone.items() if logged[sha256].public_key() != by_name[s].key.public_key()], [])
    checks.equal("  and the device has it", [s for s, sha256 in alone.items() if sha256 not in by_name[s].certificates], [])
    checks.equal("  REST calls it live, and no other", {sha256 for sha256 in known if sha256 not in gone}, set(alone.values()))
    given = {sha256 for device in devices for sha256 in (*device.certificates, *device.earlier)}
    checks.equal(f"  {count} certificates were given, as many as there are devices and parts", (len(given), len(known)), (count, count))
    checks.equal("  each of them is in the log", given - set(logged), set())
    chance = random.Random(len(known))
    for what, numbers, status in (("good", alone.values(), ocsp.OCSPCertStatus.GOOD), ("revoked", gone, ocsp.OCSPCertStatus.REVOKED)):
        sample = chance.sample(sorted(numbers), min(SAMPLE, len(numbers)))
        answers = {party.ocsp(logged[sha256]) for sha256 in sample}
        checks.equal(f"OCSP says {what} of {len(sample)} of those", answers, {status} if sample else set())
    print(f"  {len(known)} certificates issued, {len(gone)} of them superseded and revoked")


def check_server(house, checks, rights):
    # Devices that fell silent have been waited for as long as the server waits for anybody.
    settled = eventually(30, lambda: house.open_files() <= house.files + MOST_MORE_FILES)
    checks.that(f"it holds {house.open_files()} files open ({house.files} before), though {len(SILENT)} devices never closed", settled)
    house.note_memory()
    checks.that(f"its memory peaked at {house.most_memory} MB", house.most_memory < MOST_MEMORY_MB)
    used = {right["id"]: right["used"] for right in house.desk.ask("GET", "enrolment/rights")}
    wanted = collections.Counter(rights)
    checks.equal("each password gave as many certificates as it is for devices", {right: used[right] for right in wanted}, dict(wanted))
    checks.equal("ward audit verify", house.ward_json("audit", "verify")["findings"], [])


def trial(house, options, checks, keys):
    log, began = Log(), time.monotonic()
    house.furnish()
    devices, rights = crowd(house, options, log, keys)
    print(f"  ready after {time.monotonic() - began:.0f} s", flush=True)
    took = storm(house, options, devices, log)
    report(log, took, devices)
    began = time.monotonic()
    for _ in everybody(devices, options.workers, "settle", log):
        pass
    print(f"  settled after {time.monotonic() - began:.0f} s", flush=True)
    checks.equal("nobody was refused, nobody got another's certificate", log.wrong[:5], [])
    checks.equal("  errors of the server's were 503", {status for status in log.statuses if status.split()[1] >= "500"} - {"EST 503", "SCEP 503"}, set())
    checks.equal("  every device has a certificate", [device.serial for device in devices if not device.certificates], [])
    check_certificates(house, checks, devices, len(rights))
    check_server(house, checks, rights)


def main():
    parser = argparse.ArgumentParser(description="Many devices enrol at once over bad lines.")
    parser.add_argument("--devices", type=int, default=400)
    parser.add_argument("--workers", type=int, default=32)
    parser.add_argument("--seed", type=int, default=8894)
    parser.add_argument("--kill", action=argparse.BooleanOptionalAction, default=True, help="kill -9 the server in the middle")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL instead of SQLite")
    options = parser.parse_args()
    print(f"crowd: {options.devices} devices, --seed {options.seed}", flush=True)
    checks, count = Checks("crowd"), options.devices // 4
    count += -(-count // REPLACED)
    # Before there are threads: the processes that make keys are forked.
    with multiprocessing.Pool(2) as pool, World() as world:
        keys = pool.map_async(rsa_keys, [min(5, count - at) for at in range(0, count, 5)])
        database = ["--database", Postgres(world).url] if options.postgres else []
        with House(*database) as house:
            trial(house, options, checks, keys)
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
