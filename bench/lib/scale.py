"""Start-up time, idle memory and issuance with many certificates stored, all of them issued over REST."""

import argparse
import sqlite3
import time

import measure
from prepared import certificate_requests, write_bodies
from ward import Ward
from world import World, build, end


def stored(server):
    with sqlite3.connect(f"file:{server.data / 'ward.db'}?mode=ro", uri=True) as database:
        return database.execute("SELECT max(id) FROM certificates").fetchone()[0]


def resident_mib(pid, key):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(key)) / 1024


def restart(world, server):
    """Seconds from start to the first open port."""
    end(server.process)
    started = time.monotonic()
    server.start(world, f"again-{started}")
    seconds = time.monotonic() - started
    server.pids = [server.process.pid]
    return seconds


def main():
    parser = argparse.ArgumentParser(prog="bench/scale", description=__doc__)
    parser.add_argument("--certificates", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement of issuance")
    arguments = parser.parse_args()
    binaries = build()
    with World() as world:
        server = Ward(world, binaries)
        bodies = write_bodies(world.folder / "bodies", [server.body(csr) for csr in certificate_requests(2000)])
        print(f"{'stored':>12}{'issued/s':>10}{'p99 ms':>9}{'start s':>9}{'idle MiB':>10}{'peak MiB':>10}{'database MB':>13}")
        while True:
            outcome = measure.load(binaries, server.signer(bodies), 16, arguments.seconds)
            peak = outcome["server_peak_kib"] / 1024
            seconds = restart(world, server)
            time.sleep(2)
            print(f"{stored(server):>12,}{outcome['per_second']:>10.0f}{outcome['p99_us'] / 1000:>9.2f}{seconds:>9.2f}"
                  f"{resident_mib(server.process.pid, 'VmRSS:'):>10.0f}{peak:>10.0f}"
                  f"{(server.data / 'ward.db').stat().st_size / 1e6:>13.0f}", flush=True)
            missing = arguments.certificates - stored(server)
            if missing <= 0:
                return
            # Enough to reach the next of a few stages.
            measure.load(binaries, server.signer(bodies), 32, min(60, missing / outcome["per_second"] + 1))


if __name__ == "__main__":
    main()
