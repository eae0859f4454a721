"""An inventory of a million certificates in three million places, on SQLite and PostgreSQL: how fast it is taken in, how
long saved views take to work out and their first pages to come, what searches take that nobody has saved, the risk of
everything, and what a change costs on which much depends."""

import argparse
import json
import os
import pathlib
import time

from postgres import Postgres
from world import World, build, run

# What issue 5 asks for: the first page of any saved view, the risk of everything, certificates taken in.
PAGE_MS = 50
RISK_SECONDS = 10
TAKEN_PER_SECOND = 20_000


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


def measure(name, url, world, programs, arguments):
    directory = world.folder / f"keys-{name}"
    directory.mkdir(mode=0o700)
    there = [url, "--directory", directory]
    print(f"\n{name}, {load()}", flush=True)
    taken = told([programs / "inventorygen", *there, "--certificates", arguments.certificates, "--places", arguments.places,
                  "--callers", arguments.callers, "--assign"])
    print(f"{taken['certificates']:,} certificates in {taken['places']:,} places taken in within {taken['seconds']:.1f} s: "
          f"{taken['certificates_per_second']:,.0f} certificates/s, {taken['observations_per_second']:,.0f} observations/s; "
          f"owners and the rest given in {taken['assigned_seconds']:.1f} s", flush=True)
    asked = told([programs / "inventoryask", *there, "--rounds", arguments.rounds])
    print(f"{len(asked['views'])} views worked out in {asked['worked_out_seconds']:.1f} s; "
          f"a round in which nothing changed {asked['idle_round_seconds'] * 1e3:.1f} ms; {load()}")
    pages(asked)
    # Before the risk, which touches everything: then everything would be settled first.
    changes(told([programs / "inventorychange", *there]))
    risk = told([programs / "inventoryrisk", *there])
    print("\nrisk of everything: " + "; ".join(f"{what} {line['seconds']:.2f} s" for what, line in risk.items()), flush=True)
    slow = [f"{view} {line['median_ms']:.0f} ms" for view, line in asked["views"].items() if line["median_ms"] >= PAGE_MS]
    slow += [f"risk {line['seconds']:.0f} s" for line in risk.values() if line["seconds"] >= RISK_SECONDS]
    if arguments.places == 1 and taken["certificates_per_second"] < TAKEN_PER_SECOND:
        slow.append(f"taking in {taken['certificates_per_second']:,.0f}/s")
    return [f"{name}: {line}" for line in slow]


def main():
    parser = argparse.ArgumentParser(prog="bench/inventory", description=__doc__)
    parser.add_argument("--certificates", type=int, default=1_000_000)
    parser.add_argument("--places", type=int, default=3, help="of each certificate")
    parser.add_argument("--callers", type=int, default=4, help="who hand in batches at once")
    parser.add_argument("--rounds", type=int, default=21, help="how often each page is asked for")
    parser.add_argument("--only", choices=["sqlite", "postgres"])
    arguments = parser.parse_args()
    programs = build(ward=False)
    slow = []
    with World() as world:
        if arguments.only != "postgres":
            database = world.folder / "ward.db"
            slow += measure("SQLite", f"sqlite:{database}", world, programs, arguments)
            # Several GB that nobody looks at any more.
            for part in pathlib.Path(world.folder).glob("ward.db*"):
                part.unlink()
        if arguments.only != "sqlite":
            slow += measure("PostgreSQL", Postgres(world).url, world, programs, arguments)
    if slow:
        raise SystemExit(f"slower than wanted: {', '.join(slow)}")


if __name__ == "__main__":
    main()
