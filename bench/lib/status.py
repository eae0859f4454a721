"""OCSP by GET and by POST over plain HTTP: Ward beside cfssl, OpenBao, openssl, nginx and a bare hyper server."""

import argparse

import measure
import responders
from peers import OpenBao
from prepared import certificate_requests, ocsp_requests
from ward import Ward
from world import World, build

CERTIFICATES = 100


def main():
    parser = argparse.ArgumentParser(prog="bench/ocsp", description=__doc__)
    parser.add_argument("--connections", default="16,64")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--only", default="ward,bare,nginx,cfssl,openbao,openssl", help="which servers")
    arguments = parser.parse_args()
    only = arguments.only.split(",")
    binaries = build(ward="ward" in only)
    with World() as world:
        authority = responders.Authority(world, CERTIFICATES)
        csrs = certificate_requests(CERTIFICATES)
        start = {
            "ward": lambda: responders.ward(world, Ward(world, binaries), csrs),
            "bare": lambda: responders.bare(world, authority, binaries),
            "nginx": lambda: responders.nginx(world, authority),
            "cfssl": lambda: responders.cfssl(world, authority),
            "openbao": lambda: responders.openbao(world, OpenBao(world), ocsp_requests, csrs),
            "openssl": lambda: responders.openssl(world, authority),
        }
        pairs = [start[name]() for name in only]
        counts = [int(count) for count in arguments.connections.split(",")]
        for method, targets in (("GET", [pair[0] for pair in pairs]), ("POST", [each for pair in pairs for each in pair[1:]])):
            targets = [target for target in targets if target]
            if not targets:
                continue
            results = measure.rounds(binaries, targets, counts, arguments.rounds, arguments.seconds)
            measure.table(results, targets[0].name, f", {method}")


if __name__ == "__main__":
    main()
