"""A CRL of many revoked certificates: Ward's full and partitioned publication beside `openssl ca -gencrl`."""

import argparse
import os
import pathlib
import secrets
import subprocess
import time

from world import World, build, run

REVOKED_AT = "251101120000Z"


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
    """Ward's own measurement: its database is filled with revocations, then it publishes."""
    program = binaries / "crl-bench"
    folder = world.folder / "ward"
    seconds, peak = measured([program, folder, str(count)])
    raise SystemExit(f"unreachable without {program}: {seconds} {peak} {pathlib.Path(folder)}")


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
        print(f"  {name:<40}{seconds:>9.2f}{peak:>10.0f}{size / 1e6:>9.1f}")


if __name__ == "__main__":
    main()
