"""An inventory of a million certificates in three million places, on SQLite and PostgreSQL: how fast it is taken in, how
long saved views take to work out and their first pages to come, what searches take that nobody has saved, the risk of
everything, and what a change costs on which much depends."""

import argparse
import json
import os
import pathlib
import resource
import time

from postgres import Postgres
from world import World, build, run

# What issue 5 asks for: the first page of any saved view, the risk of everything, certificates taken in.
PAGE_MS = 50
RISK_SECONDS = 10
TAKEN_PER_SECOND = 20_000
# What nobody else's write should wait longer than while what follows from a change is worked out.
WAIT_MS = 100


def told(command):
    return json.loads(run([str(part) for part in command]))


def load():
    return f"load average {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores, {time.strftime('%H:%M', time.gmtime())} UTC"


def pages(asked):
    print(f"\n{'saved view':<64}{'members':>10}{'median ms':>11}{'worst ms':>10}")
    for view, line in asked["views"].items():
        print(f"{view:<64}{line['members']:>10,}{line['median_ms']:>11.2f}{line['worst_ms']:>10.2f}")
    print(f"\n{'search':<64}{'found':>10}{'median ms':>11}{'worst ms':>10}")
    for text, line in asked["searches"].items():
        found = "given up" if line["found"] is None else line["found"]
        print(f"{text or '(everything)':<64}{found:>10}{line['median_ms']:>11.1f}{line['worst_ms']:>10.1f}", flush=True)


def changes(changed):
    print(f"\n{'change':<20}{'settled':>10}{'seconds':>10}{'another write: median ms':>26}{'worst ms':>10}")
    for name, line in changed.items():
        took = line["took"]
        median, worst = took["wait_median_ms"] or 0, took["wait_worst_ms"] or 0
        print(f"{name:<20}{line.get('settled', line.get('ends', 0)):>10,}{took['seconds']:>10.2f}{median:>26.1f}{worst:>10.1f}", flush=True)


def cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def take_in(programs, there, certificates, places, arguments, first=0, more=()):
    before = cpu_of_children()
    taken = told([programs / "inventorygen", *there, "--certificates", certificates, "--places", places, "--first", first,
                  "--callers", arguments.callers, *more])
    each = (cpu_of_children() - before) / max(certificates, 1) * 1e6
    print(f"{taken['certificates']:,} certificates in {taken['places']:,} places taken in within {taken['seconds']:.1f} s: "
          f"{taken['certificates_per_second']:,.0f} certificates/s, {taken['observations_per_second']:,.0f} observations/s, "
          f"{each:.0f} µs of CPU a certificate with making them, another's small write waited "
          f"{taken['wait_worst_ms'] or 0:.0f} ms at most; {load()}", flush=True)
    return taken


def measure(name, url, world, programs, arguments, certificates):
    """The bounds of the issue with what was measured: what, wanted, measured, whether it holds."""
    directory = world.folder / f"keys-{name}"
    directory.mkdir(mode=0o700)
    there = [url, "--directory", directory]
    print(f"\n{name}, {certificates:,} certificates, {load()}", flush=True)
    taken = take_in(programs, there, certificates, arguments.places, arguments, more=["--assign"])
    print(f"owners and the rest given in {taken['assigned_seconds']:.1f} s", flush=True)
    # As a list of another tool comes: one place each, into an inventory that is full already.
    more = take_in(programs, there, certificates // 10, 1, arguments, first=certificates, more=["--assign"])
    rate = more["certificates_per_second"]
    bounds = [(f"certificates/s into {certificates:,} that are there", TAKEN_PER_SECOND, rate, rate >= TAKEN_PER_SECOND)]
    asked = told([programs / "inventoryask", *there, "--rounds", arguments.rounds])
    print(f"{len(asked['views'])} views worked out in {asked['worked_out_seconds']:.1f} s; "
          f"a round in which nothing changed {asked['idle_round_seconds'] * 1e3:.1f} ms; {load()}")
    pages(asked)
    slowest = max(line["median_ms"] for line in asked["views"].values())
    bounds.append(("first page of the slowest saved view, ms", PAGE_MS, slowest, slowest < PAGE_MS))
    # Before the risk, which touches everything: then everything would be settled first.
    changed = told([programs / "inventorychange", *there])
    changes(changed)
    waited = max(line["took"]["wait_worst_ms"] or 0 for line in changed.values())
    bounds.append(("longest wait of another write while a change is followed, ms", WAIT_MS, waited, waited < WAIT_MS))
    risk = told([programs / "inventoryrisk", *there])
    print("\nrisk of everything: " + "; ".join(f"{what} {line['seconds']:.2f} s" for what, line in risk.items()), flush=True)
    worst = max(line["seconds"] for line in risk.values())
    bounds.append(("risk of everything, s", RISK_SECONDS, worst, worst < RISK_SECONDS))
    return [(name, *bound) for bound in bounds]


def main():
    parser = argparse.ArgumentParser(prog="bench/inventory", description=__doc__)
    parser.add_argument("--certificates", type=int, default=1_000_000, help="on SQLite")
    parser.add_argument("--postgres-certificates", type=int, default=100_000, help="on PostgreSQL: a smaller house")
    parser.add_argument("--places", type=int, default=3, help="of each certificate")
    parser.add_argument("--callers", type=int, default=4, help="who hand in batches at once")
    parser.add_argument("--rounds", type=int, default=11, help="how often each page is asked for")
    parser.add_argument("--only", choices=["sqlite", "postgres"])
    parser.add_argument("--programs", type=pathlib.Path, help="a directory with the programs, built already")
    arguments = parser.parse_args()
    programs = arguments.programs or build(ward=False)
    began, bounds = time.monotonic(), []
    with World() as world:
        if arguments.only != "postgres":
            database = world.folder / "ward.db"
            bounds += measure("SQLite", f"sqlite:{database}", world, programs, arguments, arguments.certificates)
            # Several GB that nobody looks at any more.
            for part in pathlib.Path(world.folder).glob("ward.db*"):
                part.unlink()
        if arguments.only != "sqlite":
            bounds += measure("PostgreSQL", Postgres(world).url, world, programs, arguments, arguments.postgres_certificates)
    print(f"\n{'bound':<80}{'wanted':>10}{'measured':>12}")
    for database, what, wanted, measured, holds in bounds:
        print(f"{f'{database}: {what}':<80}{wanted:>10,}{measured:>12,.1f}  {'holds' if holds else 'NOT REACHED'}")
    print(f"\nall of it in {(time.monotonic() - began) / 60:.1f} minutes, {load()}")
    if not all(holds for *_, holds in bounds):
        raise SystemExit("not every bound holds")


if __name__ == "__main__":
    main()
