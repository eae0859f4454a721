"""ACME orders over http-01 (new order, authorization, challenge, poll, finalize, download): Ward beside Caddy's acme_server."""

import argparse
import json
import pathlib
import shutil
import tempfile
from dataclasses import replace

import measure
from measure import Target
from ward import Ward
from world import World, build, run

# Caddy's CA asks port 80 and no other.
HTTP_PORT = 80

# After each order of one worker: the latency of a server that has nothing else to do.
PAUSE = 0.05


class Caddy:
    """acme_server with its internal authority; its store on disk, or in memory (`/dev/shm`).

    With several workers on one account it answers some requests with 500; those orders are not counted.
    """

    def __init__(self, world, name, in_memory):
        self.name = name
        self.port, admin = world.port(), world.port()
        self.store = pathlib.Path(tempfile.mkdtemp(prefix="ward-bench-caddy-", dir="/dev/shm" if in_memory else world.folder))
        label = name.lower().replace(" ", "-")
        config = world.folder / f"{label}.json"
        config.write_text(json.dumps({
            "admin": {"listen": f"127.0.0.1:{admin}"},
            "logging": {"logs": {"default": {"level": "ERROR"}}},
            "storage": {"module": "file_system", "root": str(self.store)},
            "apps": {
                "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
                "tls": {"automation": {"policies": [{"subjects": ["127.0.0.1"], "issuers": [{"module": "internal"}]}]},
                        "certificates": {"automate": ["127.0.0.1"]}},
                "http": {"servers": {"acme": {
                    "listen": [f"127.0.0.1:{self.port}"],
                    "automatic_https": {"disable_redirects": True},
                    "tls_connection_policies": [{"default_sni": "127.0.0.1"}],
                    "routes": [{"handle": [{"handler": "acme_server"}]}]}}}}}))
        self.process = world.start(label, ["caddy", "run", "--config", config], self.port,
                                   env={"HOME": str(self.store), "PATH": "/usr/bin:/bin"})
        self.anchor = self.store / "pki/authorities/local/root.crt"

    def target(self):
        arguments = ["--directory", "/acme/local/directory", "--anchor", self.anchor, "--http-port", HTTP_PORT]
        return Target(self.name, f"https://127.0.0.1:{self.port}", [self.process.pid], arguments, generator="acmegen", may_fail=True)

    def end(self):
        shutil.rmtree(self.store, ignore_errors=True)


def ward(world, binaries):
    """Ward as it comes, but that the directory asks for no external account, may look at loopback and has no rate limits:
    Caddy's has none either, and the bench is the looping client that they are made to stop."""
    server = Ward(world, binaries, serve=False)
    limits = json.loads(run([server.binary, "acme", "directory", "show", "servers", "--json", "--data", server.data]))["directory"]["limits"]
    run([server.binary, "acme", "directory", "create", "bench", "--authority", "servers", "--profile", "server-tls",
         "external_account=off", 'validation.allow=["127.0.0.0/8"]', *[f"limits.{name}=off" for name in limits],
         "--data", server.data])
    server.start(world, "ward")
    arguments = ["--directory", "/acme/bench/directory", "--anchor", server.anchor, "--http-port", HTTP_PORT]
    return Target(server.name, f"https://127.0.0.1:{server.port}", [server.process.pid], arguments, generator="acmegen")


def main():
    parser = argparse.ArgumentParser(prog="bench/acme", description=__doc__)
    parser.add_argument("--workers", default="1,8,32,128")
    parser.add_argument("--accounts", type=int, default=1, help="accounts that the workers share")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--only", default="ward,caddy-tmpfs,caddy-disk", help="which servers")
    arguments = parser.parse_args()
    only = arguments.only.split(",")
    binaries = build(ward="ward" in only)
    caddies = []
    with World() as world:
        try:
            targets = [ward(world, binaries)] if "ward" in only else []
            for key, in_memory in (("caddy-tmpfs", True), ("caddy-disk", False)):
                if key in only:
                    caddies.append(Caddy(world, f"Caddy {'tmpfs' if in_memory else 'disk'}", in_memory))
                    targets.append(caddies[-1].target())
            for target in targets:
                target.arguments += ["--accounts", arguments.accounts]
            counts = [int(count) for count in arguments.workers.split(",")]
            results = measure.rounds(binaries, targets, counts, arguments.rounds, arguments.seconds)
            measure.table(results, targets[0].name, f", {arguments.accounts} account(s)")
            at_rest = [replace(target, arguments=[*target.arguments, "--pause", PAUSE]) for target in targets]
            results = measure.rounds(binaries, at_rest, [1], arguments.rounds, arguments.seconds)
            measure.table(results, targets[0].name, f", at rest: a pause of {PAUSE} s after each order")
        finally:
            for caddy in caddies:
                caddy.end()


if __name__ == "__main__":
    main()
