"""A CRL of many revoked certificates: Ward's full and partitioned publication beside `openssl ca -gencrl`."""

import argparse
import os
import secrets
import sqlite3
import subprocess
import time

from ward import Ward
from world import World, build, run

REVOKED_AT = "251101120000Z"
# Certificates in one of Ward's partitions.
PARTITION = 100_000


def measured(command, **options):
    """(seconds, peak MiB) of a command that must succeed."""
    started = time.monotonic()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    if status != 0:
        raise SystemExit(f"{command} failed:\n{output.decode(errors='replace')[-2000:]}")
    return seconds, usage.ru_maxrss / 1024


def openssl(world, count):
    """The text database of `openssl ca`, every line revoked."""
    folder = world.folder / "openssl-ca"
    folder.mkdir()
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "365",
         "-keyout", folder / "ca.key", "-out", folder / "ca.pem", "-subj", "/CN=Bench CA"])
    with open(folder / "index.txt", "w") as index:
        for number in range(count):
            index.write(f"R\t301101120000Z\t{REVOKED_AT},keyCompromise\t41{number:08X}{secrets.token_hex(10).upper()}\tunknown\t/CN=n{number}\n")
    (folder / "index.txt.attr").write_text("unique_subject = no\n")
    (folder / "crlnumber").write_text("01\n")
    (folder / "ca.cnf").write_text(f"""
        [ca]
        default_ca = own
        [own]
        database = {folder}/index.txt
        crlnumber = {folder}/crlnumber
        certificate = {folder}/ca.pem
        private_key = {folder}/ca.key
        default_md = sha256
        default_crl_days = 7
    """)
    out = folder / "all.crl"
    seconds, peak = measured(["openssl", "ca", "-gencrl", "-config", folder / "ca.cnf", "-out", out])
    return [("openssl ca -gencrl, full", seconds, peak, out.stat().st_size)]


def ward(world, binaries, count):
    """Ward's database filled with revocations behind its back, then `ward crl publish` as its own process."""
    server = Ward(world, binaries, serve=False)
    now = int(time.time())
    database = sqlite3.connect(server.data / "ward.db")
    rows = ((b"\x41" + number.to_bytes(5, "big") + secrets.token_bytes(10), number // PARTITION, now - 86400, (now - 86400) * 1000,
             now + 365 * 86400) for number in range(count))
    with database:
        database.executemany("INSERT INTO revocations(issuer, serial, partition, reason, revoked_at, changed_at, expires) "
                             "VALUES ('servers', ?, ?, 1, ?, ?, ?)", rows)
        # The newest certificate's partition tells how many lists there are.
        database.execute("INSERT INTO certificates(issuer, serial, sha256, profile, profile_version, subject, names, not_before, "
                         "not_after, issued_at, partition, requester, der) "
                         "VALUES ('servers', x'41', x'41', 'server-tls', 1, '', '', ?, ?, ?, ?, '', x'')",
                         (now, now + 365 * 86400, now * 1000, (count - 1) // PARTITION))
    database.close()
    seconds, peak = measured([server.binary, "crl", "publish", "servers", "--data", server.data])
    database = sqlite3.connect(server.data / "ward.db")
    sizes = dict(database.execute("SELECT partition, length(der) FROM crls WHERE issuer = 'servers'"))
    partitions = [size for partition, size in sizes.items() if partition >= 0]
    entries = database.execute("SELECT max(entries) FROM crls WHERE issuer = 'servers' AND partition = -1").fetchone()[0]
    if entries < count:
        raise SystemExit(f"the complete list has {entries} entries, not {count}")
    name = f"Ward: full and all {len(partitions)} partitions"
    return [(name, seconds, peak, sizes[-1]), ("  its largest partition", None, None, max(partitions))]


def main():
    parser = argparse.ArgumentParser(prog="bench/crl", description=__doc__)
    parser.add_argument("--revoked", type=int, default=1_000_000)
    parser.add_argument("--only", default="openssl,ward")
    arguments = parser.parse_args()
    only = arguments.only.split(",")
    binaries = build(ward="ward" in only)
    rows = []
    with World() as world:
        if "openssl" in only:
            rows += openssl(world, arguments.revoked)
        if "ward" in only:
            rows += ward(world, binaries, arguments.revoked)
    print(f"\n{arguments.revoked:,} revoked")
    print(f"  {'':<40}{'seconds':>9}{'peak MiB':>10}{'size MB':>9}")
    for name, seconds, peak, size in rows:
        figures = f"{seconds:>9.2f}{peak:>10.0f}" if seconds else " " * 19
        print(f"  {name:<40}{figures}{size / 1e6:>9.1f}")


if __name__ == "__main__":
    main()
