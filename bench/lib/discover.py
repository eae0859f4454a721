"""The scanner beside nmap, sslscan, sslyze and a bare loop of connections, in turns on one nginx that answers on all of 127.0.0.0/8;
captures; and a network of 65,536 addresses of which one in a hundred answers (needs to be root)."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import capture
from world import ROOT, World, run

SSLYZE = ROOT / ".tmp/sslyze/bin/sslyze"
# What sslscan looks for beyond certificate, versions and suites.
ONLY_SUITES = ["--no-heartbleed", "--no-fallback", "--no-renegotiation", "--no-compression", "--no-groups"]
NAMESPACES = ("ward-bench-a", "ward-bench-b")


def build():
    """BENCH_BINARIES names a folder with `knock` and `pcap_speed` built before."""
    if os.environ.get("BENCH_BINARIES"):
        return pathlib.Path(os.environ["BENCH_BINARIES"])
    subprocess.run(["cargo", "build", "--release", "--locked", "-p", "agent", "--example", "knock", "--example", "pcap_speed"], cwd=ROOT, check=True)
    metadata = json.loads(run(["cargo", "metadata", "--no-deps", "--format-version", "1", "--offline"], cwd=ROOT))
    return pathlib.Path(metadata["target_directory"]) / "release/examples"


class Nginx:
    """TLS 1.2 and 1.3 with its default suites and an RSA key, on two workers as there are cores."""

    def __init__(self, world, prefix=()):
        self.port = world.port()
        folder = world.folder / f"nginx-{self.port}"
        folder.mkdir()
        key, certificate = folder / "key.pem", folder / "cert.pem"
        run(["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2", "-subj", "/CN=bench.example", "-addext",
             "subjectAltName=DNS:bench.example", "-keyout", key, "-out", certificate])
        temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(f"""
            daemon off; pid {folder}/pid; error_log {folder}/error.log crit; worker_processes 2;
            events {{ worker_connections 8192; }}
            http {{ access_log off; {temporary} server {{
                listen {self.port} ssl backlog=8192; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {certificate}; ssl_certificate_key {key};
                return 200 "";
            }} }}""")
        # In another network namespace nobody here sees its port open; it is ready before the scan has made its targets.
        says = "starts" if prefix else None
        start = f"echo starts; exec nginx -c {folder}/nginx.conf -p {folder} -e {folder}/error.log"
        self.process = world.start("nginx", [*prefix, "sh", "-c", start], self.port, says=says)

    def cpu(self):
        """Seconds of CPU of its workers so far."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ticks = 0
        for pid in children:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def timed(command, **options):
    """(seconds, seconds of CPU) of a command that must succeed."""
    before, begun = os.times(), time.monotonic()
    out = run(command, **options)
    after = os.times()
    return time.monotonic() - begun, after.children_user + after.children_system - before.children_user - before.children_system, out


def addresses(count, block):
    return [f"127.{block}.{number // 200}.{number % 200 + 1}" for number in range(count)]


def measure(name, count, nginx, command, seen):
    """One turn of one scanner over so many addresses."""
    server = nginx.cpu()
    seconds, cpu, out = timed(command)
    # Mean times of one target, in milliseconds of CPU.
    seen.setdefault(name, []).append((count / seconds, cpu / count * 1e3, (nginx.cpu() - server) / count * 1e3))
    print(f"  {name}: {count / seconds:.1f}/s", file=sys.stderr)
    return out


def knock(binaries, nginx, network, depth, seen, name, concurrency=128):
    server, before = nginx.cpu(), os.times()
    out = json.loads(run([binaries / "knock", network, nginx.port, concurrency, depth, 0]))
    if set(out["outcomes"]) != {"certificate"}:
        raise SystemExit(f"{name}: {out['outcomes']}")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    count = out["targets"]
    seen.setdefault(name, []).append((count / out["seconds"], cpu / count * 1e3, (nginx.cpu() - server) / count * 1e3))
    print(f"  {name}: {count / out['seconds']:.1f}/s", file=sys.stderr)


def table(title, seen, reference):
    middle = {name: [statistics.median(column) for column in zip(*turns)] for name, turns in seen.items()}
    print(f"\n{title}\n  {'':<44}{'targets/s':>11}{'own CPU ms':>12}{'server ms':>11}{f'{reference} is':>13}{'per own CPU':>13}{'per both':>10}")
    for name, (rate, own, server) in middle.items():
        by = ""
        if name != reference:
            our_rate, our_own, our_server = middle[reference]
            # Rates, what the scanner alone takes of a processor, and what scanner and server take.
            by = f"{our_rate / rate:>12.1f}×{own / our_own:>12.1f}×{(own + server) / (our_own + our_server):>9.1f}×"
        print(f"  {name:<44}{rate:>11,.1f}{own:>12.3f}{server:>11.3f}{by}")
    print(f"  load {os.getloadavg()[0]:.1f}")


def certificates(world, binaries, arguments):
    nginx, seen = Nginx(world), {}
    ratios = []
    for _ in range(arguments.rounds):
        out = run([binaries / "knock", "127.20.0.0/22", nginx.port, 256, "certificate", 1])
        both = json.loads(out)
        ratios.append(both["bare_seconds"] / both["seconds"])
        knock(binaries, nginx, "127.20.16.0/20", "certificate", seen, "Ward", 256)
        # What this machine has to give, with a server on the same cores: the same hello, one read, and nothing made of it.
        knock(binaries, nginx, "127.20.32.0/20", "bare", seen, "bare connect, hello and read", 256)
        out = measure("nmap --script ssl-cert -T5", 1024, nginx, ["nmap", "-n", "-Pn", "-T5", "--min-parallelism", 64, "-p", nginx.port, "--script", "ssl-cert",
                                                                  "127.21.0.0/22"], seen)
        if out.count("Subject: commonName=bench.example") != 1024:
            raise SystemExit("nmap has not seen every certificate")
    table("Certificates", seen, "Ward")
    print(f"  of the rate of a bare connect and hello in the same turn: {statistics.median(ratios):.2f}")


def suites(world, binaries, arguments):
    nginx, seen, few = Nginx(world), {}, addresses(arguments.few, 30)
    name = "certificate, versions, suites and groups"
    for _ in range(arguments.rounds):
        knock(binaries, nginx, "127.31.0.0/25", "suites", seen, "Ward")
        loop = lambda options: ["sh", "-c", f"for a in {' '.join(few)}; do sslscan {options} $a:{nginx.port} || exit 1; done"]
        measure("sslscan", len(few), nginx, loop(""), seen)
        measure("sslscan, nothing but suites", len(few), nginx, loop(" ".join(ONLY_SUITES)), seen)
        measure("sslyze, all in one run", len(few), nginx,
                [SSLYZE, "--quiet", "--mozilla_config", "disable", "--certinfo", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3",
                 *(f"{address}:{nginx.port}" for address in few)], seen)
    table(f"{name[0].upper()}{name[1:]}; sslscan takes one target after the other", seen, "Ward")


def captures(world, binaries, _):
    source = ROOT / "crates/agent/tests/captures/tls10-rsa.pcap"
    files = {"handshakes only": capture.write(source, world.folder / "handshakes.pcap", 60_000),
             "bulk": capture.write(source, world.folder / "bulk.pcap", 400, 700)}
    print("\nCaptures")
    for name, path in files.items():
        rates, size = [], path.stat().st_size / 1e6
        for _ in range(3):
            seconds, cpu, out = timed([binaries / "pcap_speed", path])
            rates.append((size / seconds, size / cpu))
        wall, cpu = (statistics.median(column) for column in zip(*rates))
        memory = out.rpartition("VmHWM:")[2].strip()
        print(f"  {name:<20}{wall:>8,.0f} MB/s, {cpu:,.0f} MB per second of CPU, peak {memory}")


def sparse(world, binaries, arguments):
    """Two namespaces: beyond the second one's address 640 of 65,536 answer, and the rest is silence."""
    scanner, target = NAMESPACES
    sh = lambda command: run(["sh", "-ec", command])
    try:
        sh(f"""ip netns add {scanner}; ip netns add {target}
            ip link add wb-a netns {scanner} type veth peer name wb-b netns {target}
            ip -n {scanner} addr add 192.0.2.1/30 dev wb-a; ip -n {target} addr add 192.0.2.2/30 dev wb-b
            for n in {scanner} {target}; do ip -n $n link set lo up; done
            ip -n {scanner} link set wb-a up; ip -n {target} link set wb-b up
            ip -n {scanner} route add 10.77.0.0/16 via 192.0.2.2
            ip netns exec {target} sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
            ip -n {target} route add blackhole 10.77.0.0/16
            for net in 10.77.7.0/24 10.77.90.0/24 10.77.200.0/25; do ip -n {target} route add local $net dev lo; done""")
        nginx = Nginx(world, ["ip", "netns", "exec", target])
        # Each address that is silent holds a socket for the two seconds in which it might answer.
        out = run(["ip", "netns", "exec", scanner, "sh", "-c", f"ulimit -n 65536; exec {binaries}/knock 10.77.0.0/16 {nginx.port} {arguments.sparse} certificate 0"])
        seen = json.loads(out)
        print(f"\nSparse /16: {seen['targets'] / seen['seconds']:,.0f} addresses/s with {arguments.sparse} at once, {seen['seconds']:.1f} s, "
              f"peak {seen['peak_kib'] / 1024:.0f} MiB, {seen['outcomes']}")
    finally:
        for name in NAMESPACES:
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)


PARTS = {"certificates": certificates, "suites": suites, "captures": captures, "sparse": sparse}


def main():
    parser = argparse.ArgumentParser(prog="bench/discover", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help="which parts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--few", type=int, default=8, help="targets of the slow ones in each round")
    parser.add_argument("--sparse", type=int, default=8192, help="addresses at once in the sparse network")
    arguments = parser.parse_args()
    binaries = build()
    with World() as world:
        for name in arguments.only.split(","):
            PARTS[name](world, binaries, arguments)


if __name__ == "__main__":
    main()
