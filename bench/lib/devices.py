"""First enrolments of devices over EST (simpleenroll, P-256) and SCEP (PKCSReq, RSA-2048, AES and SHA-256), each device with
its own serial number out of the register: Ward beside the cryptography and the commit that no server can leave out, and
micromdm's scepserver. With --night: every device of a hospital renews."""

import argparse
import json
import sys
from dataclasses import replace

import measure
import night
from hospital import Hospital, ScepServer
from postgres import Postgres
from world import World, build, run

# Devices a second that are prepared before anything is known about a server, and per server at most: each is enrolled once.
GUESS = {"est": 3000, "scep": 800}
MOST = {"est": 5000, "scep": 1500}
# What has to be done with the cryptography of one enrolment. SCEP: request and message are verified, the envelope is opened,
# the answer sealed and signed, and the certificate signed.
LIMITS = {
    "est": {"limit": ["verify_p256", "sign_p256"]},
    "scep": {"limit": ["verify_rsa", "verify_rsa", "decrypt_rsa", "encrypt_rsa", "sign_rsa", "sign_p256"],
             "decrypt, sign, commit": ["decrypt_rsa", "sign_rsa"]},
}
WORDS = {"est": "EST simpleenroll", "scep": "SCEP PKCSReq"}


class Devices:
    """Which numbers of the register a server has not seen yet, and how many it takes in a second."""

    def __init__(self, protocol, most, first=0):
        self.next, self.left, self.rates, self.guess = first, most, {}, GUESS[protocol]

    def take(self, connections, seconds):
        # A server may be faster than it was, and the run must not be over within its warm-up.
        wanted = min(int(max(self.rates.get(connections, 0) * 1.3, self.guess) * seconds), self.left)
        if wanted < 100:
            raise SystemExit("no devices are left that have not enrolled: fewer rounds, or less time")
        return ["--first", self.next, "--count", wanted]

    def took(self, connections, outcome):
        self.next += outcome["used"]
        self.left -= outcome["used"]
        self.rates[connections] = outcome["per_second"]


def measured(binaries, targets, devices, arguments, costs, protocol):
    """{connections: {target name: median outcome}}, and costs beside."""
    counts = [int(count) for count in arguments.connections.split(",")]
    seen = {connections: {target.name: [] for target in targets} for connections in counts}
    for number in range(arguments.rounds):
        costs.append(cost(binaries, arguments))
        for connections in counts:
            for target in targets if number % 2 == 0 else reversed(targets):
                taken = devices[target.name].take(connections, arguments.seconds + 1)
                prepared = replace(target, arguments=[*target.arguments, *taken])
                outcome = measure.load(binaries, prepared, connections, arguments.seconds)
                devices[target.name].took(connections, outcome)
                seen[connections][target.name].append(outcome)
                print(f"  {protocol} round {number + 1}/{arguments.rounds} {connections:>4} connections {target.name}: "
                      f"{outcome['per_second']:.0f}/s, {outcome['server_cpu_us']:.0f} µs, generator {outcome['own_cpu_us']:.0f} µs",
                      file=sys.stderr)
    return {connections: {name: measure.median(outcomes) for name, outcomes in by_name.items()} for connections, by_name in seen.items()}


def cost(binaries, arguments):
    """One reading of the limit; `arguments.folder` is where the databases are."""
    out = run([binaries / "devicecost", "--folder", arguments.folder, "--shared", arguments.connections, "--seconds", 0.5])
    for left in arguments.folder.glob("commit-*.db*"):
        left.unlink()
    return json.loads(out)


def limits(protocol, costs, connections):
    """{name: µs of CPU time that an enrolment takes at least}: the smallest readings, a commit shared by all connections."""
    def least(of):
        return min(of(each) for each in costs)
    commit = least(lambda each: each["commit"][str(connections)])
    return {name: sum(least(lambda each: each[part]) for part in parts) + commit for name, parts in LIMITS[protocol].items()}


def table(results, costs, protocol, reference):
    measure.table(results, reference, f", {WORDS[protocol]}")
    print(f"\n{WORDS[protocol]}: share of the limit that Ward reaches with a second of its CPU time")
    for connections, by_name in results.items():
        for name, each in limits(protocol, costs, connections).items():
            shares = [f"{server} {each / row['server_cpu_us']:.2f}" for server, row in by_name.items() if server.startswith("Ward")]
            print(f"  {connections:>4} connections: {name} {each:.0f} µs, {1e6 / each:,.0f}/s; {', '.join(shares)}")


def beside(world, binaries, arguments):
    only, counts = arguments.only.split(","), arguments.connections.split(",")
    arguments.folder = world.folder
    protocols = [protocol for protocol in ("est", "scep") if protocol in arguments.protocols.split(",")]
    most = {protocol: int(MOST[protocol] * len(counts) * arguments.rounds * (arguments.seconds + 1)) for protocol in protocols}
    servers = []
    if "ward" in only:
        servers.append(Hospital(world, binaries, sum(most.values())))
        if arguments.postgres:
            servers.append(Hospital(world, binaries, sum(most.values()), Postgres(world), "Ward PostgreSQL"))
    begin = 0
    for protocol in protocols:
        here = servers + ([ScepServer(world)] if protocol == "scep" and "scepserver" in only else [])
        targets = [getattr(server, protocol)() for server in here]
        devices = {target.name: Devices(protocol, most[protocol], begin) for target in targets}
        costs = []
        results = measured(binaries, targets, devices, arguments, costs, protocol)
        table(results, costs, protocol, targets[0].name)
        parts = {name: min(each[name] for each in costs) for name in costs[0] if name != "commit"}
        print("  " + ", ".join(f"{name} {value:.0f} µs" for name, value in parts.items()) + ", commit shared by " +
              ", ".join(f"{rows}: {min(each['commit'][rows] for each in costs):.0f} µs" for rows in costs[0]["commit"]))
        begin += most[protocol]


def main():
    parser = argparse.ArgumentParser(prog="bench/devices", description=__doc__)
    parser.add_argument("--connections", default="1,8,32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--protocols", default="est,scep")
    parser.add_argument("--postgres", action="store_true", help="also Ward on PostgreSQL")
    parser.add_argument("--only", default="ward,scepserver", help="which servers")
    parser.add_argument("--night", action="store_true", help="a hospital enrols, and all of it renews; nothing else is measured")
    parser.add_argument("--devices", type=int, default=50_000, help="of the night")
    parser.add_argument("--scep", type=int, default=10_000, help="how many of them speak SCEP, the others EST")
    arguments = parser.parse_args()
    binaries = build(ward="ward" in arguments.only.split(","))
    with World() as world:
        if arguments.night:
            connections = max(int(count) for count in arguments.connections.split(","))
            night.run(world, binaries, arguments.devices, arguments.scep, connections)
        else:
            beside(world, binaries, arguments)


if __name__ == "__main__":
    main()
