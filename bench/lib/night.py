"""A hospital whose devices all enrol, and all renew in one night: most over EST with TLS client certificates, some over SCEP."""

import json
import sqlite3
import subprocess
import sys
import time

from hospital import ENDPOINT, Hospital
from world import run as must

# Certificates of an asset that are good now: neither revoked (8 is removeFromCRL) nor over.
LIVE = """
    SELECT count(*), sum(live = 1), sum(live = 1 AND good = 1), max(live) FROM (
        SELECT a.id, count(c.sha256) AS live,
               sum(c.profile = 'device-ldevid' AND c.subject LIKE '%' || a.serial || '%' AND h.superseded_at IS NULL) AS good
        FROM assets a
        LEFT JOIN holdings h ON h.asset = a.id AND h.ended IS NULL
             AND NOT EXISTS (SELECT 1 FROM certificates c JOIN revocations r ON r.issuer = c.issuer AND r.serial = c.serial
                             WHERE c.sha256 = h.sha256 AND r.reason <> 8)
        LEFT JOIN certificates c ON c.sha256 = h.sha256 AND c.not_after > ?
        GROUP BY a.id)
"""
DUE = "SELECT count(*) FROM holdings WHERE revoke_due IS NOT NULL AND ended IS NULL"
# A revocation takes some tenths of a millisecond; this is for a machine that has other work.
PATIENCE = 1800


def run(world, binaries, devices, scep, connections):
    # The certificate before is revoked when there is a new one, so that a device is left with one.
    server = Hospital(world, binaries, devices, previous="revoke-at-once")
    print(f"{devices:,} devices in the register, {scep:,} of them with SCEP; {connections} connections", file=sys.stderr)
    command = [binaries / "devicenight", "--tls", f"127.0.0.1:{server.port}", "--plain", f"127.0.0.1:{server.plain_port}",
               "--anchor", server.anchor, "--est-path", f"/.well-known/est/{ENDPOINT}", "--scep-path", f"/scep/{ENDPOINT}",
               "--login", server.login, "--challenge", server.challenge, "--devices", devices, "--scep", scep,
               "--connections", connections, "--pid", server.process.pid]
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit("the night failed")
    ended = time.monotonic()
    halves = [json.loads(line) for line in done.stdout.splitlines()]
    for what, half in zip(("first certificates", "renewals"), halves, strict=True):
        print(f"{what:<20}{half['answers']:>8,} in {half['seconds'] / 60:.1f} minutes: {half['per_second']:,.0f}/s, p50 "
              f"{half['p50_us'] / 1000:.1f} ms, p99 {half['p99_us'] / 1000:.1f} ms, Ward {half['server_cpu_us']:.0f} µs of CPU each, "
              f"peak {half['server_peak_kib'] / 1024:.0f} MiB; generator {half['own_cpu_us']:.0f} µs")
    waited = revoked(server, ended)
    print(f"the certificates before were all revoked {waited:.0f} s after the last renewal")
    check(server, devices)
    print(must([server.binary, "audit", "verify", "--data", server.data]).strip())
    with open(f"/proc/{server.process.pid}/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(f"peak memory {peak / 1024:.0f} MiB, database {(server.data / 'ward.db').stat().st_size / 1e6:.0f} MB")


def query(server, sql, *values):
    with sqlite3.connect(f"file:{server.data / 'ward.db'}?mode=ro", uri=True, timeout=60) as database:
        return database.execute(sql, values).fetchone()


def revoked(server, ended):
    """Seconds until nothing is left to revoke."""
    while query(server, DUE)[0]:
        if time.monotonic() - ended > PATIENCE:
            raise SystemExit("certificates that were superseded are still not revoked")
        time.sleep(1)
    return time.monotonic() - ended


def check(server, devices):
    assets, one, good, most = query(server, LIVE, int(time.time()))
    if (assets, one, good, most) != (devices, devices, devices, 1):
        raise SystemExit(f"of {assets} assets {one} have one live certificate, {good} the right one; one has {most}")
    print(f"each of {devices:,} devices has exactly one live certificate, under its profile and with its serial number")
