"""An inventory of a million certificates in three million places, on SQLite and PostgreSQL: how fast it is taken in, how
long saved views take to work out and their first pages to come, what searches take that nobody has saved."""

import argparse
import json

from postgres import Postgres
from world import World, build, run

# What issue 5 asks for: the first page of any saved view.
PAGE_MS = 50


def told(command):
    return json.loads(run([str(part) for part in command]))


def measure(name, url, world, programs, arguments):
    directory = world.folder / f"keys-{name}"
    directory.mkdir(mode=0o700)
    taken = told([programs / "inventorygen", url, "--directory", directory, "--certificates", arguments.certificates,
                  "--places", arguments.places, "--assign"])
    print(f"\n{name}: {taken['certificates']:,} certificates and {taken['places']:,} places in {taken['seconds']:.1f} s, "
          f"{taken['certificates_per_second']:,.0f} certificates/s", flush=True)
    asked = told([programs / "inventoryask", url, "--directory", directory, "--rounds", arguments.rounds])
    print(f"{len(asked['views'])} views worked out in {asked['worked_out_seconds']:.1f} s; "
          f"a round in which nothing changed {asked['idle_round_seconds'] * 1e3:.1f} ms")
    print(f"\n{'saved view':<50}{'members':>10}{'median ms':>11}{'worst ms':>10}")
    for view, line in asked["views"].items():
        print(f"{view:<50}{line['members']:>10,}{line['median_ms']:>11.2f}{line['worst_ms']:>10.2f}")
    print(f"\n{'search':<50}{'found':>10}{'median ms':>11}{'worst ms':>10}")
    for text, line in asked["searches"].items():
        found = "given up" if line["found"] is None else line["found"]
        print(f"{text or '(everything)':<50}{found:>10}{line['median_ms']:>11.1f}{line['worst_ms']:>10.1f}", flush=True)
    return [view for view, line in asked["views"].items() if line["median_ms"] >= PAGE_MS]


def main():
    parser = argparse.ArgumentParser(prog="bench/inventory", description=__doc__)
    parser.add_argument("--certificates", type=int, default=1_000_000)
    parser.add_argument("--places", type=int, default=3, help="of each certificate")
    parser.add_argument("--rounds", type=int, default=21, help="how often each page is asked for")
    parser.add_argument("--only", choices=["sqlite", "postgres"])
    arguments = parser.parse_args()
    programs = build(ward=False)
    slow = []
    with World() as world:
        if arguments.only != "postgres":
            slow += measure("SQLite", f"sqlite:{world.folder}/ward.db", world, programs, arguments)
        if arguments.only != "sqlite":
            slow += measure("PostgreSQL", Postgres(world).url, world, programs, arguments)
    if slow:
        raise SystemExit(f"first pages of {PAGE_MS} ms and more: {', '.join(slow)}")


if __name__ == "__main__":
    main()
