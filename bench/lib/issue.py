"""Issuance over REST and TLS, P-256 throughout: Ward (durable, linted, audited) beside OpenBao and cfssl."""

import argparse

import measure
from peers import Cfssl, OpenBao
from postgres import Postgres
from prepared import certificate_requests, write_bodies
from ward import Ward
from world import World, build


def main():
    parser = argparse.ArgumentParser(prog="bench/issue", description=__doc__)
    parser.add_argument("--connections", default="1,8,16,64,128")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--requests", type=int, default=2000, help="different requests, sent in turn")
    parser.add_argument("--postgres", action="store_true", help="also Ward on PostgreSQL")
    parser.add_argument("--only", default="ward,openbao,cfssl,cfssl-db", help="which servers")
    arguments = parser.parse_args()
    only = arguments.only.split(",")
    binaries = build(ward="ward" in only)
    with World() as world:
        servers = []
        if "ward" in only:
            servers.append(Ward(world, binaries))
            if arguments.postgres:
                servers.append(Ward(world, binaries, Postgres(world), "Ward PostgreSQL"))
        if "openbao" in only:
            servers.append(OpenBao(world))
        if "cfssl" in only:
            servers.append(Cfssl(world, stored=False))
        if "cfssl-db" in only:
            servers.append(Cfssl(world, stored=True))
        requests = certificate_requests(arguments.requests)
        targets = []
        for number, server in enumerate(servers):
            bodies = write_bodies(world.folder / f"bodies-{number}", [server.body(csr) for csr in requests])
            targets.append(server.signer(bodies))
        counts = [int(count) for count in arguments.connections.split(",")]
        results = measure.rounds(binaries, targets, counts, arguments.rounds, arguments.seconds)
        measure.table(results, targets[0].name)


if __name__ == "__main__":
    main()
